"""What a trial of a Vertex AI tuning job tells the service: each epoch's measures, and the best's last."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from models.trainer.checkpoints import Row, score

MEASURES: Final = ("val_accuracy", "val_loss")
"""What a study may look at; each is told by its name in history.csv."""


class TrialMetrics:
    """A tracker that writes through `hypertune` to the file that CLOUD_ML_HP_METRIC_FILE names.

    Vertex AI takes what is told last for a trial's result. So the best epoch's measures, whose weights are
    those that are kept, come once more behind the last epoch. hypertune writes its file anew in each process,
    so what earlier ones told is told again, at the same steps.
    """

    def __init__(self) -> None:
        import hypertune  # only a trial needs it

        self._hypertune: Any = hypertune.HyperTune()
        self._history: list[Row] = []
        self._ended = False

    def begin(self, history: Sequence[Row]) -> None:
        """Tell the epochs of earlier processes."""
        for row in history:
            self.epoch(row)

    def epoch(self, row: Row) -> None:
        """Tell an epoch's measures at its number."""
        self._history.append(row)
        self._tell(row, int(row["epoch"]))

    def result(self, metrics: Mapping[str, float], labels: Any, predicted: Any) -> None:  # noqa: ARG002
        """Tell the best epoch's measures: the test split must not choose the trial."""
        self._tell_best()

    def bundle(self, uri: str) -> None:
        """Nothing to tell."""

    def close(self, *, failed: bool) -> None:
        """Tell the best epoch's measures of a trial that isn't judged."""
        if not failed:
            self._tell_best()

    def _tell_best(self) -> None:
        if self._history and not self._ended:
            self._ended = True
            self._tell(max(self._history, key=score), int(self._history[-1]["epoch"]) + 1)

    def _tell(self, row: Row, step: int) -> None:
        for name in MEASURES:
            self._hypertune.report_hyperparameter_tuning_metric(name, row[name], step)
