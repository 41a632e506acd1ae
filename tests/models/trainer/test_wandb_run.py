"""W&B hears of every epoch once, whatever happens to the processes and to the service; the key stays secret.

The service is `tests/wandb_server.py` on loopback; wandb itself, its process and `wandb sync` are real.
"""

import base64
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.bundle import ModelBundle
from contracts.dataset import ShardIndex
from contracts.errors import InputError
from models.trainer import wandb_artifacts
from models.trainer.wandb_parts import mend
from models.trainer.wandb_run import wandb_mode

HERE = Path(__file__).parent
KEY = "0123456789" * 4
RUN = "night-1-0a1b2c3d"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY_FILE", "WANDB_API_KEY_SECRET", "WANDB_MODE", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "")
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / "wandb-home" / name.lower()))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in for W&B's service, and a key for it."""
    spec = importlib.util.spec_from_file_location("wandb_server", HERE.parents[1] / "wandb_server.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    server = module.WandbServer()
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    yield server
    server.close()


@pytest.fixture
def process(tmp_path: Path, tiny_records: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a process of the run in tmp_path/run that does what the verbs say."""

    def begin(mode: str, *verbs: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, HERE / "wandb_process.py", tmp_path / "run", mode, tiny_records, *verbs],
            env=os.environ | {"PYTHONPATH": "src"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


@pytest.fixture
def tell(process: Callable[..., subprocess.Popen[str]]) -> Callable[..., tuple[str, str]]:
    """Run such a process to its end: what it wrote."""

    def run(mode: str, *verbs: str) -> tuple[str, str]:
        with process(mode, *verbs) as started:
            out, err = started.communicate(timeout=60)
        assert started.returncode == (-9 if "kill" in verbs else 0), err
        return out, err

    return run


def sync(folder: Path) -> str:
    """Send what is there offline, as a user does; what the command said."""
    command = [sys.executable, "-m", "wandb", "sync", folder / "wandb"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder.parent)
    assert done.returncode == 0
    assert "ERROR" not in done.stderr
    return done.stderr


def test_auto_is_online_only_with_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wandb_mode("auto") == "offline"
    (tmp_path / "key").write_text("0123\n")
    monkeypatch.setenv("WANDB_API_KEY_FILE", str(tmp_path / "key"))
    assert wandb_mode("auto") == "online"
    assert wandb_mode("offline") == "offline"
    assert wandb_mode("off") == "off"


def test_a_key_that_isnt_there_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="WANDB_API_KEY"):
        wandb_mode("online")
    monkeypatch.setenv("WANDB_API_KEY_FILE", str(tmp_path / "missing"))
    with pytest.raises(InputError, match="can't be read"):
        wandb_mode("online")


@pytest.mark.parametrize(("status", "says"), [(404, "no enabled version"), (403, "give its service account")])
def test_a_key_that_cant_be_read_ends_no_training_that_didnt_ask_for_it(
    status: int,
    says: str,
    tell: Callable[..., tuple[str, str]],
    loopback: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHRYSALIS_SECRETS_ENDPOINT", loopback(lambda _request, _body: (status, {}, b"{}")))
    monkeypatch.setenv("WANDB_API_KEY_SECRET", "projects/p/secrets/wandb/versions/latest")
    out, err = tell("auto", "begin 0", "epoch 1", "close")
    assert out == "done offline\n"
    assert "W&B stays offline" in err and says in err
    with pytest.raises(InputError, match=says):
        wandb_mode("online")


def test_online_tells_all_of_a_run(
    tell: Callable[..., tuple[str, str]],
    service: Any,
    tiny_bundle: Path,
    tiny_records: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_X_STATS_SAMPLING_INTERVAL", "0.1")
    epochs = [f"epoch {epoch}" for epoch in range(1, 4)]
    out, err = tell("auto", "begin 0", *epochs, "sleep 1", "result", f"bundle {tiny_bundle}", "close")
    assert (out, err) == ("done online\n", "")

    run = service.runs[RUN]
    assert run.display_name == "night-1"
    assert run.config["seed"] == {"value": 7}
    assert run.config["architecture"] == {"value": "small"}
    assert run.steps() == [1, 2, 3]
    told = {"loss", "val_accuracy", "learning_rate", "images_per_second", "data_wait", "gradient_norm"}
    assert all(told <= row.keys() for row in run.rows()[:3])
    assert run.steps("confusion_matrix_table") == [4]
    assert run.summary["test_accuracy"] == 0.75
    assert any("system.cpu" in row for row in run.rows("wandb-events.jsonl"))
    assert run.exit_code == 0

    (dataset,) = service.of_type("dataset")
    assert (dataset.name, dataset.committed) == ("tiny", True)
    assert dataset.metadata["index_digest"] == "d" * 64
    assert dataset.metadata["classes"] == 3
    assert [service.artifacts[used] for used in run.used] == [dataset]
    shard = dataset.manifest["train-00000-of-00001.tfrecord"]
    assert shard["ref"] == (tiny_records / "train-00000-of-00001.tfrecord").as_uri()
    (model,) = service.of_type("model")
    assert (model.name, model.run, model.committed) == (RUN, RUN, True)
    assert {"model.keras", "bundle.json", "labels.csv"} <= model.manifest.keys()
    assert (tiny_bundle / "model.keras").read_bytes() in service.uploads.values()

    assert "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode() in service.keys
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_online_a_killed_run_goes_on_without_a_gap_or_a_double(
    tell: Callable[..., tuple[str, str]],
    process: Callable[..., subprocess.Popen[str]],
    service: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL", "0.5")
    with process("online", "begin 0", "epoch 1", "epoch 2", "wait", "epoch 3", "kill") as first:
        assert first.stdout and first.stdout.readline() == "waiting\n"
        assert not any(KEY.encode() in path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline"))
        service.wait_until(lambda: RUN in service.runs and service.runs[RUN].steps() == [1, 2])
        first.communicate("\n", timeout=60)
    assert service.runs[RUN].exit_code is None
    tell("online", "begin 4", "epoch 5", "result", "kill")
    # A damaged checkpoint: the run goes on behind epoch 2, and computes again what was told.
    tell("online", "begin 2", *(f"epoch {epoch}" for epoch in range(3, 7)), "result", "close")
    tell("online", "begin 6", "result", "close")
    assert list(service.runs) == [RUN]
    assert service.runs[RUN].steps() == [1, 2, 3, 4, 5, 6]
    assert service.runs[RUN].steps("confusion_matrix_table") == [7]


def test_offline_parts_sync_to_one_whole_run(
    tell: Callable[..., tuple[str, str]], service: Any, tiny_bundle: Path, tmp_path: Path
) -> None:
    tell("offline", "begin 0", "kill")  # before it wrote anything
    tell("offline", "begin 0", "epoch 1", "epoch 2", "sleep 1.5", "epoch 3", "kill")
    newest = max((tmp_path / "run/wandb").glob("offline-run-*/*.wandb"))
    newest.write_bytes(newest.read_bytes() + b"half a record")
    tell("offline", "begin 3", "epoch 4", "close")
    assert not service.asked
    sync(tmp_path / "run")
    assert service.runs[RUN].steps() == [1, 2, 3, 4]

    tell("offline", "begin 2", "epoch 3", "epoch 4", "epoch 5", "result", f"bundle {tiny_bundle}", "close")
    assert "Skipped 3 synced" in sync(tmp_path / "run")
    run = service.runs[RUN]
    assert run.steps() == [1, 2, 3, 4, 5]
    assert run.steps("confusion_matrix_table") == [6]
    assert run.summary["test_accuracy"] == 0.75
    assert run.config["seed"] == {"value": 7}
    assert run.exit_code == 0
    assert all(artifact.committed for artifact in service.artifacts.values())
    assert {service.artifacts[used].name for used in run.used} == {"tiny"}
    assert (tiny_bundle / "model.keras").read_bytes() in service.uploads.values()


def test_the_trainer_tells_what_is_synced_later(
    train: Callable[..., ModelBundle], service: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = train(tmp_path / "run", epochs=2, wandb="offline")
    out, err = capfd.readouterr()
    assert out == ""
    assert all(line.startswith("{") for line in err.splitlines() if "wandb" in line.lower())
    sync(tmp_path / "run")
    run = service.runs[bundle.wandb_run]
    assert run.steps() == [1, 2]
    told = {"loss", "val_accuracy", "learning_rate", "images_per_second", "data_wait", "gradient_norm"}
    assert all(told <= row.keys() for row in run.rows()[:2])
    assert run.summary["test_macro_f1"] == bundle.metrics["macro_f1"]
    assert [service.artifacts[used].name for used in run.used] == ["tiny"]
    (model,) = service.of_type("model")
    assert {*bundle.files, "bundle.json"} == model.manifest.keys()


def test_off_leaves_nothing(train: Callable[..., ModelBundle], tmp_path: Path) -> None:
    assert train(tmp_path / "run", epochs=1, wandb="off").wandb_run is None
    assert not (tmp_path / "run" / "wandb").exists()


def test_a_part_is_mended_wherever_it_was_cut(tell: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    tell("offline", "begin 150", "close")
    (path,) = (tmp_path / "run/wandb").glob("offline-run-*/*.wandb")
    content = path.read_bytes()
    assert len(content) > 2 * 32 * 1024  # records lie across the borders of blocks
    last_steps = []
    for cut in [*range(0, len(content), len(content) // 97), len(content)]:
        path.write_bytes(content[:cut])
        (part,) = mend(tmp_path / "run", RUN)
        assert mend(tmp_path / "run", RUN) == [part]
        assert content.startswith(path.read_bytes()[:cut])
        assert path.with_suffix(".wandb.synced").exists() != part.begun
        path.with_suffix(".wandb.synced").unlink(missing_ok=True)
        last_steps.append(part.last_step)
    assert last_steps == sorted(last_steps)
    assert (last_steps[0], last_steps[-1]) == (0, 150)
    assert len(set(last_steps)) > 50


def test_a_data_set_in_a_bucket_is_referred_to_without_asking_for_it(tiny_records: Path) -> None:
    index = ShardIndex.read(str(tiny_records))
    entries = wandb_artifacts.dataset(index, "d" * 64, "gs://no-such-bucket/tiny").manifest.entries
    shard = index.shards["train"][0]
    assert entries[shard.name].ref == f"gs://no-such-bucket/tiny/{shard.name}"
    assert (entries[shard.name].digest, entries[shard.name].size) == (shard.crc32c, shard.bytes)
    assert entries["index.json"].digest == "d" * 64


def test_what_was_told_offline_is_told_by_the_process_that_is_online(
    tell: Callable[..., tuple[str, str]], service: Any, tmp_path: Path
) -> None:
    tell("offline", "begin 0", "epoch 1", "epoch 2", "close")
    tell("online", "begin 2", "epoch 3", "close")
    sync(tmp_path / "run")
    assert service.runs[RUN].steps() == [1, 2, 3]


def test_a_service_that_hangs_at_the_start_leaves_an_offline_run(
    tell: Callable[..., tuple[str, str]], service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "2")
    service.hanging.set()
    out, err = tell("online", "begin 0", "epoch 1", "close")
    assert out == "done offline\n"
    assert all(line.startswith('{"event": "W&B failed; training goes on"') for line in err.splitlines())
    service.hanging.clear()
    sync(tmp_path / "run")
    assert service.runs[RUN].steps() == [1]


@pytest.mark.parametrize("fate", ["hangs", "dies"])
def test_a_service_that_goes_away_doesnt_hold_the_run_up(
    fate: str,
    process: Callable[..., subprocess.Popen[str]],
    tell: Callable[..., tuple[str, str]],
    service: Any,
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "1")
    verbs = ("begin 0", "epoch 1", "wait", "epoch 2", "result", f"bundle {tiny_bundle}", "close")
    with process("online", *verbs) as running:
        assert running.stdout and running.stdout.readline() == "waiting\n"
        service.hanging.set()
        if fate == "dies":
            service.close()
        out, err = running.communicate("\n", timeout=40)
    assert (running.returncode, out) == (0, "done online\n")
    assert "TimeoutError" in err and "wandb sync --include-online" in err
    (part,) = mend(tmp_path / "run", RUN)
    assert part.last_step == 3  # all of it waits in the run's folder
    if fate == "hangs":
        service.hanging.clear()
        tell("online", "begin 2", "result", "close")
        assert service.runs[RUN].steps() == [1, 2]


def test_a_trial_on_vertex_has_its_key_from_secret_manager(
    tell: Callable[..., tuple[str, str]],
    service: Any,
    loopback: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = json.dumps({"payload": {"data": base64.b64encode(KEY.encode()).decode()}}).encode()
    monkeypatch.setenv("CHRYSALIS_SECRETS_ENDPOINT", loopback(lambda _request, _body: (200, {}, body)))
    monkeypatch.setenv("WANDB_API_KEY", "")
    monkeypatch.setenv("WANDB_API_KEY_SECRET", "projects/p/secrets/wandb/versions/1")
    monkeypatch.setenv("CLOUD_ML_TRIAL_ID", "1")
    for job, verbs in {"11": ("begin 0", "epoch 1"), "12": ("begin 1", "epoch 2")}.items():
        monkeypatch.setenv("CLOUD_ML_JOB_ID", job)
        assert tell("online", *verbs, "close") == ("done online\n", "")
    run = service.runs[RUN]
    assert run.steps() == [1, 2]
    # The job that went on with it.
    assert (run.config["vertex_job"], run.config["vertex_trial"]) == ({"value": "12"}, {"value": "1"})
    assert "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode() in service.keys
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
