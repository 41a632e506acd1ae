"""The files of a report's folder; `metrics.json` is written last."""

from typing import Final

REPORT_HTML: Final = "report.html"
METRICS: Final = "metrics.json"
CONFUSION_MATRIX: Final = "confusion_matrix.png"
PER_CLASS: Final = "per_class.csv"
PREDICTIONS: Final = "predictions.csv"
LABEL_ERRORS: Final = "label_errors.csv"

REPORT_FILES: Final = frozenset(
    {REPORT_HTML, METRICS, CONFUSION_MATRIX, PER_CLASS, PREDICTIONS, LABEL_ERRORS}
)
