"""What was found of a network on one split."""

from dataclasses import dataclass

from contracts.dataset import Split
from models.trainer.evaluation.metrics import Metrics
from models.trainer.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Judgement:
    """A split's answers, and what they are worth."""

    split: Split
    predictions: Predictions
    metrics: Metrics
