"""The real trainer, on tiny data: what it leaves, what it finds again, and what it refuses."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmarks.training_runs import CLOCK, left, progress, states
from contracts import storage
from contracts.bundle import ModelBundle, open_bundle
from contracts.class_info import CLASS_INFO, ClassInfo, class_info_of
from contracts.dataset import ShardIndex
from contracts.errors import InputError, StageError
from models.trainer.architecture import Architecture
from models.trainer.checkpoints import Checkpoints
from models.trainer.cluster import Cluster
from models.trainer.config import Execution, TrainConfig
from models.trainer.run_folder import Run, new_run, open_run_folder
from models.trainer.train import choose_image_size, settled

Train = Callable[..., ModelBundle]


def history(output: Path | str) -> list[dict[str, float]]:
    text = storage.read_bytes(storage.join(str(output), "history.csv")).decode()
    return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(text.splitlines())]


def learnt(output: Path | str) -> list[dict[str, float]]:
    """The history without what the clock says."""
    return [{name: value for name, value in row.items() if name not in CLOCK} for row in history(output)]


def test_a_run_leaves_everything(train: Train, tmp_path: Path) -> None:
    output = tmp_path / "run"
    bundle = train(output, epochs=12, crop_scale=1.0, batch_norm=True, warmup=0.1)
    assert bundle.metrics["accuracy"] == 1.0
    assert (bundle.config["epochs"], bundle.config["batch_norm"]) == (12, True)
    with open_bundle(str(output)) as (_, opened):
        assert opened == bundle
    names = {file.name for file in storage.list_files(str(output))}
    assert {"history.csv", "run.json", "checkpoints/best.npz", "checkpoints/state-000000048.npz"} <= names
    assert "report/label_errors.csv" in bundle.files
    assert [name for name in names if name.startswith("checkpoints/state-")] != []
    assert len(states(output)) == 2
    assert any(name.startswith("logs/events.out.tfevents") for name in names)
    rows = history(output)
    assert [row["epoch"] for row in rows] == list(range(1, 13))
    assert [row["step"] for row in rows] == list(range(4, 49, 4))
    assert rows[-1]["loss"] < rows[0]["loss"] / 2
    assert {"val_loss", "val_accuracy", "learning_rate", "gradient_norm", *CLOCK} <= set(rows[0])
    best = Checkpoints(str(output / "checkpoints"), Run.read(str(output)).id).load_best()
    assert best.progress.best == max(rows, key=lambda row: (row["val_accuracy"], -row["val_loss"]))
    exported = keras.saving.load_model(output / "model.keras")
    for mine, theirs in zip(exported.get_weights(), _weights(best.network), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_what_is_told_of_the_classes_is_checked_first_and_lies_beside_the_bundle(
    train: Train, tmp_path: Path
) -> None:
    told = tmp_path / "told.yaml"
    told.write_text("purple: {text: A colour.}")
    with pytest.raises(InputError, match=r"told\.yaml tells of the class purple"):
        train(tmp_path / "run", epochs=1, class_info=str(told))
    assert not (tmp_path / "run").exists()
    told.write_text("red: {text: A colour.}")
    bundle = train(tmp_path / "run", epochs=1, class_info=str(told))
    assert CLASS_INFO not in bundle.files
    assert class_info_of(str(tmp_path / "run"), bundle) == {"red": ClassInfo(text="A colour.")}


def _weights(values: Any) -> list[Any]:
    """Without the state of the dropout's chance, which Keras doesn't count as a weight."""
    return [value for value in values if value.dtype == np.float32]


def test_a_finished_run_is_found_and_no_other_may_have_its_folder(
    train: Train, tmp_path: Path, tiny_records: Path
) -> None:
    bundle = train(tmp_path / "run", epochs=1)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert train(tmp_path / "run", epochs=1, save_every=1.0, keep_checkpoints=9) == bundle
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    for changed, expected in (
        ({"epochs": 2}, "--epochs 1, not 2"),
        ({"learning_rate": 0.5}, "--learning-rate 0.01, not 0.5"),
        ({"batch_norm": True}, "--batch-norm False, not True"),
    ):
        with pytest.raises(InputError, match=f"{expected}.*--output"):
            train(tmp_path / "run", **({"epochs": 1} | changed))
    other = shutil.copytree(tiny_records, tmp_path / "other")
    index = json.loads((other / "index.json").read_text()) | {"manifest_digest": "1" * 64}
    (other / "index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="other data"):
        train(tmp_path / "run", epochs=1, data=other)


def test_without_export_the_test_split_isnt_answered_and_the_same_with_it_goes_on(
    train: Train, tmp_path: Path, tiny_records: Path
) -> None:
    records = shutil.copytree(tiny_records, tmp_path / "records")
    shard = records / "test-00000-of-00001.tfrecord"
    whole = shard.read_bytes()
    shard.write_bytes(bytes(len(whole)))  # whoever reads it says that it is damaged
    for _ in range(2):
        train(tmp_path / "run", data=records, export=False)
    assert not (tmp_path / "run" / "bundle.json").exists()
    assert len(history(tmp_path / "run")) == 2
    with pytest.raises(InputError, match="build the records again"):
        train(tmp_path / "run", data=records)
    shard.write_bytes(whole)
    bundle = train(tmp_path / "run", data=records)
    assert bundle.metrics == train(tmp_path / "at-once", data=records).metrics
    assert left(tmp_path / "run") == left(tmp_path / "at-once")
    networks = [keras.saving.load_model(tmp_path / name / "model.keras") for name in ("run", "at-once")]
    for ours, theirs in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_temperature_is_that_of_the_validation_split(train: Train, tmp_path: Path) -> None:
    bundle = train(tmp_path / "run", epochs=1)
    assert bundle.calibration.examples == 24
    assert bundle.metrics["temperature"] == bundle.calibration.temperature != 1
    metrics = json.loads((tmp_path / "run" / "report" / "metrics.json").read_text())
    assert metrics["uncalibrated"]["log_loss"] != metrics["log_loss"]


def test_a_run_that_the_agent_of_a_sweep_started_has_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_RUN_ID", "a1b2c3d4")
    assert new_run("night", "small", "0", {}).id.startswith("night-")
    monkeypatch.setenv("WANDB_SWEEP_ID", "s9")
    assert new_run("night", "small", "0", {}).id == "a1b2c3d4"


def test_two_runs_in_one_folder_are_refused(train: Train, tmp_path: Path) -> None:
    with open_run_folder(str(tmp_path / "run")), pytest.raises(StageError, match="another run is working in"):
        train(tmp_path / "run", epochs=1)
    assert not (tmp_path / "run").exists()


def test_shards_that_arent_whole(train: Train, tmp_path: Path, tiny_records: Path) -> None:
    """A truncated one is refused; a damaged one ends the run, which goes on when it is mended."""
    records = shutil.copytree(tiny_records, tmp_path / "records")
    shard = records / "val-00000-of-00001.tfrecord"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-100])
    with pytest.raises(InputError, match=shard.name):
        train(tmp_path / "run", data=records)
    assert not (tmp_path / "run").exists()
    middle = len(whole) // 2
    shard.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
    with pytest.raises(StageError, match=f"{shard.name} is damaged"):
        train(tmp_path / "run", data=records, save_every=1e-9)
    assert not (tmp_path / "run" / "bundle.json").exists()
    assert progress(states(tmp_path / "run")[0])["step"] == 4, "of the first epoch, before it was validated"
    shard.write_bytes(whole)
    train(tmp_path / "run", data=records)
    train(tmp_path / "undisturbed")
    assert left(tmp_path / "run") == left(tmp_path / "undisturbed")


def test_a_training_that_diverges_ends_at_once(train: Train, tmp_path: Path) -> None:
    settings = {"optimizer": "sgd", "learning_rate": 1e30, "clip_norm": 0.0, "epochs": 50}
    with pytest.raises(StageError, match=r"diverged in epoch 1, behind step .*--learning-rate"):
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
    train(tmp_path / "local")
    train(f"{bucket}/runs/one", data=f"{bucket}/records", wandb="offline")
    assert learnt(f"{bucket}/runs/one") == learnt(tmp_path / "local")
    names = [file.name for file in storage.list_files(f"{bucket}/runs/one")]
    assert {"run.json", "history.csv", "checkpoints/best.npz", "checkpoints/state-000000008.npz"} <= set(
        names
    )
    assert [name for name in names if name.startswith("logs/")]
    assert [name for name in names if name.endswith(".wandb")]
    with open_bundle(f"{bucket}/runs/one") as (_, bundle):
        assert bundle.name == "one"
    # As if it had been killed in its last epoch.
    for name in ("bundle.json", "checkpoints/state-000000008.npz"):
        storage.delete(f"{bucket}/runs/one/{name}")
    train(f"{bucket}/runs/one", data=f"{bucket}/records")
    assert learnt(f"{bucket}/runs/one") == learnt(tmp_path / "local")


def test_a_transfer_into_a_bucket(train: Train, tmp_path: Path, tiny_bundle: Path, bucket: str) -> None:
    settings = {"weights": str(tiny_bundle), "head_epochs": 1, "epochs": 1}
    train(tmp_path / "local", **settings)
    train(f"{bucket}/runs/two", **settings)
    for name in ("bundle.json", "checkpoints/state-000000008.npz"):
        storage.delete(f"{bucket}/runs/two/{name}")
    train(f"{bucket}/runs/two", **settings)
    assert learnt(f"{bucket}/runs/two") == learnt(tmp_path / "local")


def test_vertex_says_where_checkpoints_and_logs_go(
    train: Train, tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIP_CHECKPOINT_DIR", f"{bucket}/job/checkpoints/")
    monkeypatch.setenv("AIP_TENSORBOARD_LOG_DIR", f"{bucket}/job/logs/")
    train(tmp_path / "model", epochs=1)
    names = [file.name for file in storage.list_files(f"{bucket}/job")]
    assert {"checkpoints/best.npz", "checkpoints/state-000000004.npz"} <= set(names)
    assert [name for name in names if name.startswith("logs/events")]
    assert not (tmp_path / "model" / "checkpoints").exists()


@pytest.mark.parametrize(("wanted", "records", "expected"), [(None, 32, 32), (None, 500, 224), (64, 32, 64)])
def test_the_size_of_images(
    small: Architecture, tiny_records: Path, wanted: int | None, records: int, expected: int
) -> None:
    index = ShardIndex.read(str(tiny_records)).model_copy(update={"image_size": records})
    design = small.design(small.options())
    assert choose_image_size(TrainConfig(image_size=wanted), index, design) == expected


def test_a_batch_is_global_unless_it_is_given_for_a_replica(tiny_records: Path) -> None:
    config, execution, hosts = TrainConfig(batch_size=45), Execution(gpu="0"), Cluster(2, 1)
    index = ShardIndex.read(str(tiny_records))
    assert settled(config, execution, hosts, index) == config
    of_replica = Execution(gpu="0", replica_batch_size=10)
    assert settled(config, of_replica, hosts, index, ["CPU:0", "CPU:1"]).batch_size == 40
    assert settled(config, of_replica, hosts, index, ["CPU:0"] * 4).batch_size == 60  # all that there are

    files = TrainConfig(batch_size=45, host_input="files")
    assert settled(files, execution, Cluster(), index) == files
    with pytest.raises(InputError, match="--batch-size 45 is no multiple of 2"):
        settled(files, execution, hosts, index)
    with pytest.raises(InputError, match="a training shard or more for each of 2 hosts, and there are 1"):
        settled(files.model_copy(update={"batch_size": 44}), execution, hosts, index)
