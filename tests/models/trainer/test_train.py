"""The real trainer, on tiny data: what it leaves, that it goes on after a kill, and what it refuses."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from contracts import storage
from contracts.bundle import ModelBundle, open_bundle
from contracts.errors import InputError, StageError
from models.trainer.checkpoints import Checkpoints
from models.trainer.run_folder import Run, open_run_folder

Train = Callable[..., ModelBundle]


def history(output: Path | str) -> list[dict[str, float]]:
    text = storage.read_bytes(storage.join(str(output), "history.csv")).decode()
    return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(text.splitlines())]


def learnt(output: Path | str) -> list[dict[str, float]]:
    """The history without what the clock says."""
    clock = {"images_per_second", "seconds", "cpu_seconds", "seconds_waiting"}
    return [{name: value for name, value in row.items() if name not in clock} for row in history(output)]


def test_a_run_leaves_everything(train: Train, tmp_path: Path) -> None:
    output = tmp_path / "run"
    bundle = train(output, epochs=12, crop_scale=1.0)
    assert bundle.metrics["accuracy"] == 1.0
    assert bundle.config["epochs"] == 12
    with open_bundle(str(output)) as (_, opened):
        assert opened == bundle
    names = {file.name for file in storage.list_files(str(output))}
    assert {"history.csv", "run.json", "checkpoints/best.npz", "checkpoints/last.npz"} <= names
    assert any(name.startswith("logs/events.out.tfevents") for name in names)
    rows = history(output)
    assert [row["epoch"] for row in rows] == list(range(1, 13))
    assert rows[-1]["loss"] < rows[0]["loss"] / 2
    assert {"val_loss", "val_accuracy", "learning_rate", "images_per_second", "seconds_waiting"} <= set(
        rows[0]
    )
    best = Checkpoints(str(output / "checkpoints")).load("best", Run.read(str(output)).id)
    exported = keras.saving.load_model(output / "model.keras")
    assert best is not None
    assert best.progress.best == max(rows, key=lambda row: (row["val_accuracy"], -row["val_loss"]))
    for mine, theirs in zip(exported.get_weights(), _weights(best.network), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def _weights(values: Any) -> list[Any]:
    """Without the state of the dropout's chance, which Keras doesn't count as a weight."""
    return [value for value in values if value.dtype == np.float32]


def test_the_same_command_again_finds_it_finished(train: Train, tmp_path: Path) -> None:
    bundle = train(tmp_path / "run", epochs=1)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert train(tmp_path / "run", epochs=1) == bundle
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("settings", [{}, {"weights": True, "head_epochs": 2}])
def test_a_killed_run_goes_on_to_the_same_end(
    train: Train, tmp_path: Path, tiny_records: Path, settings: dict[str, Any]
) -> None:
    settings = {"epochs": 3, "dropout": 0.2, **settings}
    if settings.get("weights"):
        train(tmp_path / "base", epochs=1)
        settings["weights"] = str(tmp_path / "base")
    whole = train(tmp_path / "whole", **settings)
    # A run of its own process, killed between the first two epochs.
    script = Path(__file__).with_name("train_small.py")
    child = subprocess.Popen(
        [sys.executable, str(script), str(tiny_records), str(tmp_path / "killed"), json.dumps(settings)],
        env={"PYTHONPATH": f"src:{script.parent.parent}", "PATH": "", "HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    said = []
    for line in child.stderr:
        said.append(line)
        if line.startswith('{"event": "epoch"'):
            break
    child.kill()
    child.communicate()
    assert (tmp_path / "killed" / "history.csv").exists(), "".join(said)
    done = len(history(tmp_path / "killed"))
    assert 1 <= done < len(history(tmp_path / "whole"))
    assert not (tmp_path / "killed" / "bundle.json").exists()
    resumed = train(tmp_path / "killed", **settings)
    assert learnt(tmp_path / "killed") == learnt(tmp_path / "whole")
    assert resumed.metrics == whole.metrics


def test_two_runs_in_one_folder_are_refused(train: Train, tmp_path: Path) -> None:
    with open_run_folder(str(tmp_path / "run")), pytest.raises(StageError, match="another run is working in"):
        train(tmp_path / "run", epochs=1)
    assert not (tmp_path / "run").exists()
    train(tmp_path / "run", epochs=1)


def test_sigterm_ends_a_run_with_one_line(tmp_path: Path, tiny_records: Path) -> None:
    command = [sys.executable, "-m", "models.vgg16.train_multi_gpu", "--gpu", "0", "--wandb", "off"]
    options = ["--input", str(tiny_records), "--output", str(tmp_path / "run"), "--epochs", "1000"]
    child = subprocess.Popen(
        [*command, *options, "--batch-size", "4"],
        env={"PYTHONPATH": "src", "PATH": "", "HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "run" / "run.json").exists():
        assert child.poll() is None
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGTERM)
    _, said = child.communicate(timeout=120)
    assert child.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in said
    assert said.splitlines()[-1].endswith("terminated; the same command again carries on")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [({"epochs": 2}, "--epochs 1, not 2"), ({"learning_rate": 0.5}, "--learning-rate 0.01, not 0.5")],
)
def test_other_settings_are_refused(
    train: Train, tmp_path: Path, changed: dict[str, Any], expected: str
) -> None:
    train(tmp_path / "run", epochs=1)
    with pytest.raises(InputError, match=f"{expected}.*--output"):
        train(tmp_path / "run", **({"epochs": 1} | changed))


def test_other_data_are_refused(train: Train, tmp_path: Path, tiny_records: Path) -> None:
    train(tmp_path / "run", epochs=1)
    other = shutil.copytree(tiny_records, tmp_path / "other")
    index = json.loads((other / "index.json").read_text()) | {"manifest_digest": "1" * 64}
    (other / "index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="other data"):
        train(tmp_path / "run", epochs=1, data=other)


def test_a_truncated_shard_is_refused_by_name(train: Train, tmp_path: Path, tiny_records: Path) -> None:
    records = shutil.copytree(tiny_records, tmp_path / "records")
    shard = records / "train-00000-of-00001.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(InputError, match=shard.name):
        train(tmp_path / "run", data=records)
    assert not (tmp_path / "run").exists()


def test_a_damaged_shard_ends_the_run_by_name(train: Train, tmp_path: Path, tiny_records: Path) -> None:
    records = shutil.copytree(tiny_records, tmp_path / "records")
    shard = records / "val-00000-of-00001.tfrecord"
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    shard.write_bytes(damaged)
    with pytest.raises(StageError, match=f"{shard.name} is damaged"):
        train(tmp_path / "run", data=records)
    assert not (tmp_path / "run" / "bundle.json").exists()


def test_a_training_that_diverges_ends_at_once(train: Train, tmp_path: Path) -> None:
    settings = {"optimizer": "sgd", "learning_rate": 1e30, "clip_norm": 0.0, "epochs": 50}
    with pytest.raises(StageError, match=r"diverged in epoch 1 .*--learning-rate"):
        train(tmp_path / "run", **settings)
    assert not (tmp_path / "run" / "bundle.json").exists()


def test_transfer_trains_the_head_and_then_the_last_block(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "base", epochs=6, crop_scale=1.0)
    bundle = train(
        tmp_path / "run",
        weights=str(tmp_path / "base" / "model.keras"),
        head_epochs=8,
        head_learning_rate=0.02,
        epochs=2,
    )
    assert bundle.metrics["accuracy"] > 0.9
    assert len(history(tmp_path / "run")) == 10
    base, tuned = (keras.saving.load_model(tmp_path / name / "model.keras") for name in ("base", "run"))
    frozen, changed = (
        [
            np.array_equal(ours, theirs)
            for ours, theirs in zip(
                base.get_layer(name).get_weights(), tuned.get_layer(name).get_weights(), strict=True
            )
        ]
        for name in ("block1_conv1", "block2_conv1")
    )
    assert all(frozen)
    best = max(history(tmp_path / "run"), key=lambda row: (row["val_accuracy"], -row["val_loss"]))
    assert all(changed) == (best["epoch"] <= 8)


def test_a_run_between_buckets(
    train: Train, tmp_path: Path, tiny_records: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names = [file.name for file in storage.list_files(str(tiny_records))]
    storage.upload_many(tiny_records, names, f"{bucket}/records")
    train(tmp_path / "local", epochs=2)
    train(f"{bucket}/runs/one", epochs=2, data=f"{bucket}/records", wandb="offline")
    assert learnt(f"{bucket}/runs/one") == learnt(tmp_path / "local")
    names = [file.name for file in storage.list_files(f"{bucket}/runs/one")]
    assert {"run.json", "history.csv", "checkpoints/best.npz", "checkpoints/last.npz"} <= set(names)
    assert [name for name in names if name.startswith("logs/")]
    assert [name for name in names if name.endswith(".wandb")]
    with open_bundle(f"{bucket}/runs/one") as (_, bundle):
        assert bundle.name == "one"
    storage.delete(f"{bucket}/runs/one/bundle.json")  # as if it had been killed just before the end
    train(f"{bucket}/runs/one", epochs=2, data=f"{bucket}/records")
    assert learnt(f"{bucket}/runs/one") == learnt(tmp_path / "local")


def test_vertex_says_where_checkpoints_and_logs_go(
    train: Train, tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIP_CHECKPOINT_DIR", f"{bucket}/job/checkpoints/")
    monkeypatch.setenv("AIP_TENSORBOARD_LOG_DIR", f"{bucket}/job/logs/")
    train(tmp_path / "model", epochs=1)
    names = [file.name for file in storage.list_files(f"{bucket}/job")]
    assert {"checkpoints/best.npz", "checkpoints/last.npz"} <= set(names)
    assert [name for name in names if name.startswith("logs/events")]
    assert not (tmp_path / "model" / "checkpoints").exists()
