"""What a study is asked to do."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts import storage
from contracts.console import log
from contracts.dataset import ShardIndex
from contracts.errors import InputError
from contracts.search_space import SearchSpace
from models.trainer.shards import digest_of
from models.trainer.tuning.axes import Axes
from models.trainer.tuning.proposals import Pruner
from models.trainer.tuning.training import Training

METRICS = {"val_accuracy": "MAXIMIZE", "val_loss": "MINIMIZE"}
"""What can be searched for, and which way."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A study."""

    space_uri: str
    """Where the search space was read from."""
    space: SearchSpace
    input_uri: str
    """A processed data set."""
    output_uri: str
    """The study's folder; its last part is the study's name."""
    training: Training
    """What is varied."""
    gpu: str = "1"
    """GPUs for all trials together."""
    trials: int | None = None
    """How many in all; None: as the space says."""
    parallel: int | None = None
    """How many at once; None: as the space says."""
    pruner: Pruner = "median"
    seed: int = 0

    @property
    def name(self) -> str:
        """The study's."""
        return storage.last_part(self.output_uri)

    @property
    def wanted(self) -> int:
        """Trials in all."""
        return self.trials or self.space.max_trial_count

    def check(self) -> None:
        """Refuse what the training wouldn't understand.

        Raises:
            InputError: the metric, a parameter or an option, or a grid that is too large.
        """
        metric = self.space.metric
        if METRICS.get(metric.metric_id) != metric.goal:
            ways = " or ".join(f"{name} with {goal}" for name, goal in METRICS.items())
            raise InputError(
                f"{self.space_uri}: expected the metric {ways}, got {metric.metric_id} with {metric.goal}"
            )
        if self.space.study_spec.measurement_selection_type == "LAST_MEASUREMENT":
            log("LAST_MEASUREMENT isn't what counts here: a trial is worth its best epoch, which it exports")
        self.training.check(self.space)
        if self.space.study_spec.algorithm == "GRID_SEARCH":
            Axes(self.space).grid({}, self.seed)

    def settled(self, index: ShardIndex) -> Mapping[str, Any]:
        """What must be the same to go on with a study, each by the name that people know it by."""
        return {
            "search space": self.space.to_study_spec(),
            "data set": digest_of(index),
            "--model": self.training.model,
            "set of options behind the --": list(self.training.arguments),
            "--seed": self.seed,
        }

    def command(self) -> str:
        """What to type to go on with it."""
        options = {
            "--space": self.space_uri,
            "--model": self.training.model,
            "--gpu": self.gpu,
            "--input": self.input_uri,
            "--output": self.output_uri,
            "--trials": self.trials,
            "--parallel": self.parallel,
            "--pruner": self.pruner,
            "--seed": self.seed,
        }
        given = [part for name, value in options.items() if value is not None for part in (name, str(value))]
        rest = ["--", *self.training.arguments] if self.training.arguments else []
        return shlex.join(["python", "-m", "models.trainer.tune", *given, *rest])
