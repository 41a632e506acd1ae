"""A trial's parameters, as Vertex AI passes them."""

import pytest
import typer

from models.cnn.model import ARCHITECTURE
from models.trainer.cli import app_for
from models.trainer.tuning.options import settings

PASSED = (
    "--learning_rate=0.001",
    "--batch_size=16.0",
    "--flip=true",
    "--early_stopping=3",
    "--dropout=1.0",
    "--precision=bfloat16",
)


def test_they_are_options_in_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_ML_TRIAL_ID", "4")
    config = settings(ARCHITECTURE, [*PASSED[:4], "--dropout=0.5", PASSED[5], "--gpu", "0"]).config
    assert (config.learning_rate, config.batch_size, config.flip) == (0.001, 16, True)
    assert (config.early_stopping, config.dropout, config.precision) == (3, 0.5, "bfloat16")
    assert settings(ARCHITECTURE, ["--flip=False"]).config.flip is False


@pytest.mark.parametrize("argument", PASSED[:3])
def test_elsewhere_they_are_none(monkeypatch: pytest.MonkeyPatch, argument: str) -> None:
    monkeypatch.delenv("CLOUD_ML_TRIAL_ID", raising=False)
    _refused(argument)


@pytest.mark.parametrize(
    "argument", ["--batch_size=16.5", "--flip=maybe", "--no_such=1", "--learning_rate", "-learning_rate=1"]
)
def test_a_trial_is_as_strict_otherwise(monkeypatch: pytest.MonkeyPatch, argument: str) -> None:
    monkeypatch.setenv("CLOUD_ML_TRIAL_ID", "4")
    _refused(argument)


def _refused(argument: str) -> None:
    command = typer.main.get_command(app_for(ARCHITECTURE))
    with pytest.raises(typer.TyperException):
        command.make_context("train", ["--input", "a", "--output", "b", argument])
