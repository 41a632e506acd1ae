"""The sweep of W&B: its form, and that what its agent starts trains."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from contracts.search_space import SearchSpace
from models.trainer.tuning.asked import Asked
from models.trainer.tuning.sweep import sweep, write_sweep
from models.trainer.tuning.training import Training

SPACE = """
studySpec:
  metrics: [{metricId: val_accuracy, goal: MAXIMIZE}]
  parameters:
    - {parameterId: model, categoricalValueSpec: {values: [cnn, vgg16]}}
    - {parameterId: variant, categoricalValueSpec: {values: [conv, linear]}}
    - {parameterId: flip, categoricalValueSpec: {values: [true, false]}}
    - parameterId: learning_rate
      doubleValueSpec: {minValue: 1e-4, maxValue: 1e-2}
      scaleType: UNIT_LOG_SCALE
    - parameterId: ema
      doubleValueSpec: {minValue: 0.001, maxValue: 0.999}
      scaleType: UNIT_REVERSE_LOG_SCALE
    - {parameterId: batch_size, integerValueSpec: {minValue: 8, maxValue: 64}, scaleType: UNIT_LOG_SCALE}
    - {parameterId: epochs, integerValueSpec: {minValue: 1, maxValue: 1}}
    - {parameterId: dropout, doubleValueSpec: {minValue: 0, maxValue: 0.5}}
    - {parameterId: warmup, discreteValueSpec: {values: [0.1, 0]}}
maxTrialCount: 7
"""


def asked(records: str, output: str, **settings: Any) -> Asked:
    space = SearchSpace.parse(SPACE.encode(), "space.yaml")
    training = Training("cnn", ("--wandb", "off"))
    return Asked(
        space_uri="space.yaml", space=space, input_uri=records, output_uri=output, training=training,
        gpu="0", **settings,
    )  # fmt: skip


def test_its_form_is_that_of_wandb() -> None:
    written = sweep(asked("records", "models/sweep"))
    assert {key: written[key] for key in ("name", "method", "metric", "run_cap", "early_terminate")} == {
        "name": "sweep",
        "method": "bayes",
        "metric": {"name": "val_accuracy", "goal": "maximize"},
        "run_cap": 7,
        "early_terminate": {"type": "hyperband", "min_iter": 3, "eta": 3},
    }
    ema = written["parameters"].pop("ema")["values"]
    assert (ema[0], ema[16], ema[-1]) == (0.001, pytest.approx(0.9684, abs=1e-3), 0.999)
    assert written["parameters"] == {
        "model": {"values": ["cnn", "vgg16"]},
        "variant": {"values": ["conv", "linear"]},
        "flip": {"values": ["true", "false"]},
        "learning_rate": {"distribution": "log_uniform_values", "min": 0.0001, "max": 0.01},
        "batch_size": {"distribution": "q_log_uniform_values", "q": 1, "min": 8, "max": 64},
        "epochs": {"value": 1},
        "dropout": {"distribution": "uniform", "min": 0.0, "max": 0.5},
        "warmup": {"values": [0.0, 0.1]},
    }
    assert "early_terminate" not in sweep(asked("records", "sweep", pruner="none"))


def test_what_the_agent_starts_trains(tmp_path: Path, tiny_records: Path) -> None:
    """The command as wandb's own agent puts it together; only its service isn't asked."""
    file = tmp_path / "sweep.yaml"
    write_sweep(str(file), asked(str(tiny_records), str(tmp_path / "sweep")))
    config = yaml.safe_load(file.read_text())
    chosen = {
        "model": "cnn", "variant": "linear", "flip": "true", "learning_rate": 0.002, "ema": 0.9,
        "batch_size": 16, "epochs": 1, "dropout": 0.1, "warmup": 0,
    }  # fmt: skip
    macros = create_sweep_command_args({"args": {name: {"value": value} for name, value in chosen.items()}})
    macros |= {"env": ["/usr/bin/env"], "interpreter": [sys.executable]}
    command: list[str] = []
    for part in create_sweep_command(config["command"]):
        command += macros[part[2:-1]] if part.startswith("${") else [part]
    result = subprocess.run(
        command, env={**os.environ, "WANDB_RUN_ID": "run-1"}, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    run = json.loads((tmp_path / "sweep" / "run-1" / "run.json").read_text())
    assert {name: run["config"][name] for name in ("variant", "flip", "learning_rate", "batch_size")} == {
        "variant": "linear",
        "flip": True,
        "learning_rate": 0.002,
        "batch_size": 16,
    }
    assert not (tmp_path / "sweep" / "run-1" / "bundle.json").exists()


def test_without_an_agent_it_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "models.trainer.tuning.agent", "--model", "cnn", "--chosen", "{}"]
    places = ["--input", "records", "--output", str(tmp_path / "out")]
    environment = {name: value for name, value in os.environ.items() if name != "WANDB_RUN_ID"}
    result = subprocess.run([*command, *places], env=environment, capture_output=True, text=True)
    assert (result.returncode, "WANDB_RUN_ID is empty" in result.stderr) == (2, True)
