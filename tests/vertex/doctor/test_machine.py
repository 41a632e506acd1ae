"""What this machine lacks is told, and what to do about it."""

import shutil
from pathlib import Path

import pytest

from contracts.dataset import SPLITS, Shard, ShardIndex
from contracts.records import shard_name
from models.trainer.config import TrainConfig
from vertex.doctor import machine
from vertex.doctor.examination import examine
from vertex.doctor.finding import Check, Status, ok
from vertex.doctor.question import DEFAULT_BATCH_SIZE, Question
from vertex.doctor.shards import look_at_batch, look_at_splits

KEY = "k" * 40


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a command of one's own on a PATH that has nothing else: what it prints, and its exit code."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return put


@pytest.mark.parametrize(
    ("script", "gpu", "needed", "status", "message"),
    [
        (None, None, True, "ok", "0 on this machine"),
        (None, 2, True, "failed", "2 asked for, 0 on this machine: GPU=0, or RUN=vertex"),
        (None, 2, False, "ok", "2 asked for, 0 on this machine: RUN=vertex has them"),
        ("echo 'GPU 0: T4'; echo 'GPU 1: T4'", 2, True, "ok", "2 on this machine"),
        (
            "echo driver mismatch >&2; exit 9",
            1,
            True,
            "failed",
            "doesn't work (driver mismatch): mend the driver",
        ),
    ],
)
def test_gpus(commands, script, gpu, needed, status, message):
    if script:
        commands("nvidia-smi", script)
    ((found, told),) = machine.look_at_gpus(Question(gpu=gpu), needed=needed)
    assert (found, message in told) == (status, True), told


@pytest.mark.parametrize(
    ("script", "status", "message"),
    [
        (None, "warning", "not installed"),
        ("echo no daemon >&2; exit 1", "warning", "the engine doesn't answer (no daemon)"),
        ('[ "$1" = version ] && echo 29.1', "warning", "Docker 29.1 without buildx"),
        ("echo 29.1", "ok", "Docker 29.1 with buildx"),
    ],
)
def test_docker(commands, script, status, message):
    if script:
        commands("docker", script)
    ((found, told),) = machine.look_at_docker()
    assert (found, message in told) == (status, True), told


@pytest.mark.parametrize(("free_gb", "status"), [(1, "failed"), (4, "warning"), (40, "ok")])
def test_disk_is_counted_against_the_data_set_and_a_training(tmp_path, monkeypatch, free_gb, status):
    free = shutil.disk_usage(tmp_path)._replace(free=int(free_gb * 1e9))
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: free)
    asked = Question(root=str(tmp_path / "not-yet"), dataset="flowers")
    ((found, told),) = machine.look_at_disk(asked)
    assert found == status
    assert f"{free_gb}.0 GB free at {tmp_path}, about 3.7 GB wanted for flowers" in told


@pytest.mark.parametrize(
    ("variables", "status", "message"),
    [
        ({}, "warning", "no key: runs stay offline"),
        ({"WANDB_API_KEY": KEY}, "ok", "a key by WANDB_API_KEY"),
        ({"WANDB_API_KEY": KEY[1:]}, "failed", "the key of WANDB_API_KEY has 39 characters"),
        ({"WANDB_API_KEY_FILE": "key"}, "ok", "a key by WANDB_API_KEY_FILE"),
        ({"WANDB_API_KEY_FILE": "empty"}, "failed", "WANDB_API_KEY_FILE leads to nothing"),
        ({"WANDB_API_KEY_FILE": "gone"}, "failed", "WANDB_API_KEY_FILE names gone, which can't be read"),
        (
            {"WANDB_API_KEY_SECRET": "mine"},
            "failed",
            "expected WANDB_API_KEY_SECRET=projects/PROJECT/secrets",
        ),
    ],
)
def test_the_key_of_weights_and_biases(tmp_path, monkeypatch, variables, status, message):
    monkeypatch.chdir(tmp_path)
    Path("key").write_text(f"{KEY}\n")
    Path("empty").touch()
    for name in ("WANDB_API_KEY", "WANDB_API_KEY_FILE", "WANDB_API_KEY_SECRET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (found,) = examine([Check("W&B key", lambda: machine.look_at_wandb(Question()))])
    told = found.message
    assert (found.status, message in told) == (status, True), told
    assert KEY[1:] not in told


@pytest.mark.parametrize(
    ("batch", "gpu", "hosts", "status", "message"),
    [
        (64, None, 1, "ok", "64 images over 1 replica: 64 each"),
        (96, 4, 2, "ok", "96 images over 8 replicas: 12 each"),
        (100, 8, 1, "warning", "13 each, 4 of them padding: --batch-size 104 wastes nothing"),
        (4, 8, 1, "failed", "leave some without one: --batch-size 8 or more"),
    ],
)
def test_a_batch_over_replicas(batch, gpu, hosts, status, message):
    ((found, told),) = look_at_batch(Question(batch_size=batch, gpu=gpu, workers=hosts))
    assert (found, message in told) == (status, True), told


def index(folder: Path, **counts: int) -> None:
    """An index of one shard a split."""
    shards = {
        split: (
            Shard(
                name=shard_name(split, 0, 1),
                examples=counts[split],
                bytes=1,
                crc32c="AAAAAA==",
                class_histogram=(counts[split], 0),
            ),
        )
        for split in SPLITS
    }
    ShardIndex(
        dataset="digits",
        manifest_digest="0",
        class_names=("a", "b"),
        image_size=32,
        resize="crop",
        quality=90,
        seed=0,
        shards=shards,
    ).write(str(folder))


def test_splits_against_a_batch(tmp_path):
    folder = tmp_path / "processed/digits"
    asked = Question(root=str(tmp_path))
    assert look_at_splits(asked)[0][1].endswith(
        "holds none yet: make download process records DATASET=digits"
    )
    folder.mkdir(parents=True)
    index(folder, train=640, val=80, test=80)
    assert look_at_splits(asked)[0][1].startswith("train 640, val 80, test 80 images of 2 classes in ")
    index(folder, train=640, val=9, test=80)
    told = look_at_splits(Question(root=str(tmp_path), workers=2))
    assert [line.split(",")[0] for _, line in told] == [
        "val has 9 images",
        "1 shards of train for 2 hosts",
    ]


def test_the_batch_is_the_trainers_own():
    assert TrainConfig.model_fields["batch_size"].default == DEFAULT_BATCH_SIZE


def test_a_check_that_hangs_keeps_no_other_from_being_told():
    import threading

    gate = threading.Event()
    hangs = Check("hangs", lambda: [ok(str(gate.wait()))])
    found = examine([hangs, Check("answers", lambda: [ok("well")])], patience_s=0.2)
    gate.set()
    assert [finding.status for finding in found] == [Status.WARNING, Status.OK]
    assert found[0].message.startswith("can't be known: no answer within")
