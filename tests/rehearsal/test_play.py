"""What the rehearsal compares, and that it notices what isn't the same."""

import json

import pytest

from contracts.bundle import ModelBundle
from rehearsal.job_acts import carried_on
from rehearsal.last_acts import jobs_of_the_chapter, was_run
from rehearsal.model_acts import distance
from rehearsal.network import ROOT
from rehearsal.play import DisagreementError
from rehearsal.requests import RequestsDifferError, bodies, same_requests
from rehearsal.vertex_ai import Recorded

BOTH = ("workerpool0-0", "workerpool1-0")
STOPPED = {"event": "stopped; the state is saved", "epoch": 2, "step": 5}
AGAIN = {"event": "going on from the last state", "epochs": 1, "step": 5}


def sent(*documents: object) -> list[Recorded]:
    return [Recorded("POST", "/v1/x", {}, {}, body=document) for document in documents]


def lines(*told: tuple[str, dict[str, object]]) -> list:
    return [(None, replica, json.dumps(event)) for replica, event in told]


def test_names_may_differ_in_their_time_alone():
    shown = json.dumps({"displayName": "chrysalis-train-digits-20261122-093000"}, indent=2)
    later = {"displayName": "chrysalis-train-digits-20261122-093107"}
    same_requests(f"{shown}\n{shown}\n", sent(later, later))
    with pytest.raises(RequestsDifferError, match="this was sent"):
        same_requests(shown, sent({"displayName": "chrysalis-train-photos-20261122-093107"}))
    with pytest.raises(RequestsDifferError):
        same_requests(shown + shown, sent(later))


def test_several_documents_are_read_one_behind_the_other():
    assert bodies('{"a": 1}\n\n[2]\n{}') == [{"a": 1}, [2], {}]
    assert bodies("") == []


def test_every_machine_goes_on_where_it_stopped():
    told = lines(*((who, event) for event in (STOPPED, AGAIN) for who in BOTH))
    assert "2 machines went on where they stopped, in epoch 2, step 5" in carried_on(told, times=1)
    with pytest.raises(DisagreementError):
        carried_on(told, times=2)


@pytest.mark.parametrize("again", [{**AGAIN, "step": 0}, {"event": "epoch"}])
def test_a_training_that_begins_anew_is_noticed(again):
    with pytest.raises(DisagreementError, match="stopped at"):
        carried_on(lines((BOTH[0], STOPPED), (BOTH[0], again)), times=1)


def test_a_training_that_was_never_stopped_is_noticed():
    with pytest.raises(DisagreementError):
        carried_on(lines((BOTH[0], {"event": "epoch"})))


def test_a_server_that_answers_otherwise_is_noticed(tiny_bundle):
    bundle = ModelBundle.read(str(tiny_bundle))

    def answers(move: float) -> list[str]:
        return [
            json.dumps({"top": [{"class": name, "probability": p + move} for name, p in named]})
            for golden in bundle.golden
            for named in [zip(bundle.class_names, golden.probabilities, strict=True)]
        ]

    assert distance(answers(0.001), bundle) == pytest.approx(0.001)
    with pytest.raises(DisagreementError, match="from the bundle's golden one"):
        distance(answers(2 * bundle.golden_tolerance + 0.001), bundle)


def test_readmes_commands_are_told_from_those_that_ran():
    commands = jobs_of_the_chapter((ROOT / "README.md").read_text())
    assert {"make download RUN=vertex", "make predict RUN=vertex IMAGE=photo.png"} <= set(commands)
    assert was_run("make train RUN=vertex GPU=0", ["make", "train", "RUN=vertex", "MODEL=cnn", "GPU=0"])
    assert was_run("make predict RUN=vertex IMAGE=a.png", ["make", "predict", "RUN=vertex", "IMAGE=/b.png"])
    assert not was_run("make train RUN=vertex WORKERS=2", ["make", "train", "RUN=vertex"])
