"""What a report tells where no training ended: a finished bundle was asked, one of its models or both."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from contracts.bundle import SERVED, Runtime
from models.trainer.evaluation.judgement import Judgement


@dataclass(frozen=True)
class Evaluation:
    """A bundle's answers for a split."""

    model: str
    """The bundle: a path or a URI."""
    data: str
    """The records, likewise."""
    other_data: bool
    """Whether the bundle was trained on another state of the data, or on another data set."""
    judgements: Mapping[Runtime, Judgement]
    """Of one split, by who answered; the report is the first's."""

    @property
    def files(self) -> list[str]:
        """Which of the bundle's models answered."""
        return [SERVED[runtime] for runtime in self.judgements]

    @property
    def figures(self) -> dict[str, list[float]]:
        """The headline figures, for each model one."""
        columns = [judgement.metrics.headline() for judgement in self.judgements.values()]
        return {name: [column[name] for column in columns] for name in columns[0]}

    @property
    def agreement(self) -> float:
        """The share of images that all name the same class for."""
        first, *others = (judgement.predictions.predicted for judgement in self.judgements.values())
        return float(np.mean([first == other for other in others])) if others else 1.0
