import json
import threading

import pytest

from contracts.console import exit_code
from rehearsal.vertex_ai import Job, JobFailedError
from vertex.__main__ import app

TUNE = ["tune", "--root", "gs://bucket/run", "--gpu", "0", "--model", "cnn"]
SPACE = """
studySpec:
  metrics: [{metricId: val_loss, goal: MINIMIZE}]
  parameters:
    - {parameterId: learning_rate, doubleValueSpec: {minValue: 1.0e-4, maxValue: 1.0e-2}}
    - {parameterId: batch_size, discreteValueSpec: {values: [16, 32]}}
    - {parameterId: flip, categoricalValueSpec: {values: [true, false]}}
maxTrialCount: 3
parallelTrialCount: 8
"""


pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def space(tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text(SPACE)
    return file


def run(*arguments: str) -> int:
    return exit_code(lambda: app(list(arguments), standalone_mode=False), "python -m vertex")


def events(stderr: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]


def test_trials_are_told_of_and_the_best_one_is_named_with_what_to_do_with_it(vertex_ai, space, capsys):
    seen: list[list[str]] = []

    def train(job: Job) -> None:
        seen.append([*job.spec.worker_pool_specs[0].container_spec.args, *job.arguments()])
        job.log("at work")
        for step in range(3):
            job.measure("val_loss", float(job.trial != "2") + step, step)
            job.measure("val_accuracy", 0.5, step)

    vertex_ai.run = train
    assert run(*TUNE, "--space", str(space), "--", "--epochs", "3") == 0
    told = events(capsys.readouterr().err)
    trials = [(event["trial"], event["state"]) for event in told if event["event"] == "trial"]
    assert sorted(trials) == [(str(n), state) for n in (1, 2, 3) for state in ("ACTIVE", "SUCCEEDED")]
    assert {event["trial"] for event in told if event["event"] == "log"} == {"1", "2", "3"}
    best = told[-1]
    assert (best["event"], best["trial"], best["val_loss"]) == ("best", "2", 0.0)
    model = "gs://bucket/run/models/digits/study/2/model"
    assert best["gate"] == (
        f"python -m models.trainer.gate --model {model} --input gs://bucket/run/processed/digits "
        "--champion gs://bucket/run/models/digits"
    )
    assert best["serve"] == f"python -m serving --model {model}"
    for arguments in seen:
        assert arguments[:4] == ["--gpu", "0", "--input", "gs://bucket/run/processed/digits"]
        assert arguments[4:6] == ["--epochs", "3"]
        assert [argument.partition("=")[0] for argument in arguments[6:]] == [
            "--learning_rate",
            "--batch_size",
            "--flip",
        ]


def test_a_study_whose_trials_fail_ends_with_the_reason(vertex_ai, space, capsys):
    def fail(job: Job) -> None:
        raise JobFailedError(f"trial {job.trial} exited with status 2")

    vertex_ai.run = fail
    assert run(*TUNE, "--space", str(space)) == 1
    printed = capsys.readouterr().err
    assert "FAILED: 3 trials failed" in printed.splitlines()[-1]
    reasons = {event.get("reason") for event in events(printed) if event["event"] == "trial"}
    assert "trial 1 exited with status 2" in reasons


def test_a_study_is_cancelled_with_its_trials_and_never_joined_by_a_second_one(vertex_ai, space, capsys):
    ended = threading.Event()

    def wait(job: Job) -> None:
        assert job.cancelled.wait(60)
        ended.set()

    vertex_ai.run = wait
    assert run(*TUNE, "--space", str(space), "--no-wait") == 0
    name = events(capsys.readouterr().err)[0]["name"]
    assert run(*TUNE, "--space", str(space), "--no-wait") == 2
    assert "fills gs://bucket/run/models/digits/study, and a folder has one writer" in capsys.readouterr().err
    assert run("cancel", name) == 0
    assert ended.wait(60)
    assert run("follow", name) == 1
    assert "CANCELLED" in capsys.readouterr().err.splitlines()[-1]
    assert run(*TUNE, "--space", str(space), "--no-wait") == 2
    assert f"has the trials of {name}" in capsys.readouterr().err
    assert run(*TUNE, "--space", str(space), "--no-wait", "--study", "second") == 0


@pytest.mark.parametrize(
    ("change", "arguments", "says"),
    [
        (("learning_rate, double", "model, double"), [], "one image, which is one architecture"),
        (("MINIMIZE", "MAXIMIZE"), [], "val_loss with MINIMIZE, got val_loss with MAXIMIZE"),
        (("val_loss", "loss"), [], "expected the metric val_accuracy with MAXIMIZE"),
        (("", ""), ["--", "--learning-rate", "1"], "--learning-rate is given to every trial"),
        (("", ""), ["--", "--no-flip"], "--flip is given to every trial"),
        (("", ""), ["--", "--output", "x"], "--output is composed of --root"),
        (("", ""), ["--study", "a/b"], "expected --study to be a plain name"),
        (("", ""), ["--gpu", "all"], "--gpu all can't be known"),
    ],
)
def test_what_cant_be_searched_is_one_line_and_exit_2(space, capsys, change, arguments, says):
    space.write_text(SPACE.replace(*change) if change[0] else SPACE)
    assert run(*TUNE, "--space", str(space), "--dry-run", *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
