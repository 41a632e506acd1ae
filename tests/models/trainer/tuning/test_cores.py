"""What trainings at once share."""

import os

import pytest

from contracts.errors import InputError
from models.trainer.tuning import cores
from models.trainer.tuning.cores import THREADS, Slots


def test_a_training_alone_has_all() -> None:
    slots = Slots("0", 1)
    assert (slots.gpu, slots.environment(slots.take())) == ("0", {})


def test_several_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS[0], "3")  # said by the user: left alone
    for name in THREADS[1:]:
        monkeypatch.delenv(name, raising=False)
    each = str(max(len(os.sched_getaffinity(0)) // 2, 1))
    slots = Slots("0", 2)
    assert slots.environment(slots.take()) == dict.fromkeys(THREADS[1:], each)


def test_gpus_are_dealt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "check_driver", lambda gpu: None)  # there is none here
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2,5,7,8")
    slots = Slots("all", 2)
    assert [slots.environment(slots.take()) for _ in range(2)] == [
        {"CUDA_VISIBLE_DEVICES": "1,2"},
        {"CUDA_VISIBLE_DEVICES": "5,7"},
    ]
    assert slots.gpu == "2"
    assert Slots("2", 3).count == 2
    with pytest.raises(InputError, match="--gpu 6 wants more than this machine has: 5"):
        Slots("6", 1)
