"""The equivalent sweep of Weights & Biases: a YAML file for `wandb sweep`, whose runs `wandb agent` starts.

W&B has no scale that spreads the top of a range: its inv_log_uniform_values is log_uniform_values (where the
logarithm of 1/x is uniform, so is that of x). A reverse logarithmic parameter becomes a list of values there.
"""

import math
from typing import Any, Final

import yaml

from contracts import storage
from contracts.console import log
from contracts.search_parameter import Parameter
from models.trainer.tuning.asked import Asked
from models.trainer.tuning.axes import DIGITS

LEVELS: Final = 33
"""Values that stand for a reverse logarithmic scale."""
ETA: Final = 3

_HEAD: Final = """\
# wandb sweep {file}, and then where the trainings shall run:
# PYTHONPATH=src wandb agent SWEEP
# Each run has a folder of its own in {output}, and none looks at the test split. The training's
# command for a run's folder, without --no-export, judges and exports it.
"""


def write_sweep(uri: str, asked: Asked) -> None:
    """Write the file.

    Raises:
        InputError: the training wouldn't understand the search space.
    """
    asked.check()
    text = _HEAD.format(file=uri, output=asked.output_uri) + yaml.safe_dump(
        sweep(asked), sort_keys=False, allow_unicode=True, width=110
    )
    storage.write_bytes(uri, text.encode())
    log("W&B sweep written", file=uri, to_start_it=f"wandb sweep {uri}")


def sweep(asked: Asked) -> dict[str, Any]:
    """The sweep's configuration."""
    study = asked.space.study_spec
    methods = {"GRID_SEARCH": "grid", "RANDOM_SEARCH": "random"}
    early = {"early_terminate": {"type": "hyperband", "min_iter": ETA, "eta": ETA}}
    return {
        "program": "src/models/trainer/tuning/agent.py",  # wandb wants one; the command is what it runs
        "name": asked.name,
        "method": methods.get(study.algorithm or "", "bayes"),
        "metric": {"name": asked.space.metric.metric_id, "goal": asked.space.metric.goal.lower()},
        "run_cap": asked.wanted,
        "parameters": {parameter.parameter_id: _parameter(parameter) for parameter in asked.space.parameters},
        **({} if asked.pruner == "none" else early),
        "command": _command(asked),
    }


def _command(asked: Asked) -> list[str]:
    options = {
        "--model": asked.training.model,
        "--gpu": asked.gpu,
        "--input": asked.input_uri,
        "--output": asked.output_uri,
        "--chosen": "${args_json}",
    }
    given = [part for option in options.items() for part in option]
    rest = ["--", *asked.training.arguments] if asked.training.arguments else []
    return ["${env}", "${interpreter}", "-m", "models.trainer.tuning.agent", *given, *rest]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    if parameter.discrete_value_spec or parameter.categorical_value_spec:
        return {"values": list(parameter.extremes)}
    lowest, highest = (float(parameter.extremes[0]), float(parameter.extremes[-1]))
    whole = parameter.integer_value_spec is not None
    if parameter.scale_type == "UNIT_REVERSE_LOG_SCALE":
        return {"values": _mirrored(lowest, highest, whole=whole)}
    ends = {"min": int(lowest), "max": int(highest)} if whole else {"min": lowest, "max": highest}
    if lowest == highest:
        return {"value": ends["min"]}
    if parameter.bent:
        return (
            {"distribution": "q_log_uniform_values", "q": 1, **ends}
            if whole
            else {"distribution": "log_uniform_values", **ends}
        )
    return {"distribution": "int_uniform" if whole else "uniform", **ends}


def _mirrored(lowest: float, highest: float, *, whole: bool) -> list[float]:
    """Values that lie evenly on a reverse logarithmic scale."""
    ratio = math.log(highest / lowest)
    marks = [lowest * math.exp(ratio * level / (LEVELS - 1)) for level in range(LEVELS)]
    values = [
        round(lowest + highest - (round(mark) if whole else float(f"{mark:.{DIGITS}g}")), 12)
        for mark in marks
    ]
    within = {min(max(int(value) if whole else value, lowest), highest) for value in values}
    return sorted(int(value) if whole else value for value in within)
