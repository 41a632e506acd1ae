"""W&B: offline without a key, its key never an argument, and no failure of it ends a run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.bundle import ModelBundle
from contracts.errors import InputError
from models.trainer.run_folder import Run
from models.trainer.wandb_run import wandb_mode

Train = Callable[..., ModelBundle]


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "")
    monkeypatch.delenv("WANDB_API_KEY_FILE", raising=False)


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
        wandb_mode("auto")


def test_offline_leaves_a_run_to_sync(
    train: Train, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = train(tmp_path / "run", epochs=1, wandb="offline")
    assert bundle.wandb_run == Run.read(str(tmp_path / "run")).id
    (written,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    content = written.read_bytes()
    for said in (
        b"val_accuracy",
        b"images_per_second",
        b"test_macro_f1",
        b"confusion_matrix",
        b"dataset_digest",
    ):
        assert said in content
    out, err = capfd.readouterr()
    assert out == ""
    assert all(line.startswith("{") for line in err.splitlines() if "wandb" in line.lower())


def test_online_without_a_service_goes_on_offline(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "2")
    train(tmp_path / "run", epochs=1, wandb="auto")
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*"))
    assert "W&B failed; training goes on" in capfd.readouterr().err


def test_off_leaves_nothing(train: Train, tmp_path: Path) -> None:
    assert train(tmp_path / "run", epochs=1, wandb="off").wandb_run is None
    assert not (tmp_path / "run" / "wandb").exists()
