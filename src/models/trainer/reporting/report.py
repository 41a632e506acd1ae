"""The report of a run: a folder that a person and a program can read.

In: the facts of the run, what was found of a network on a split, and the records, for their pictures.
Out: `report.html` (one file, nothing fetched), `metrics.json`, `confusion_matrix.png`, `per_class.csv`,
`predictions.csv` and, where labels were examined, `label_errors.csv`.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras

from contracts.dataset import Split
from models.trainer.evaluation.judgement import Judgement
from models.trainer.evaluation.label_errors import LabelErrors
from models.trainer.evaluation.metrics import Metrics
from models.trainer.evaluation.predictions import write_predictions
from models.trainer.reporting.charts import confusion_chart
from models.trainer.reporting.evaluation import Evaluation
from models.trainer.reporting.files import (
    CONFUSION_MATRIX,
    LABEL_ERRORS,
    METRICS,
    PER_CLASS,
    PREDICTIONS,
    REPORT_HTML,
)
from models.trainer.reporting.page import report_page
from models.trainer.reporting.suspects import write_label_errors
from models.trainer.run_facts import RunFacts


def write_report(
    folder: Path,
    run: RunFacts,
    judgement: Judgement,
    shards: Mapping[Split, Sequence[str]],
    *,
    network: keras.Model | None = None,
    label_errors: LabelErrors | None = None,
    evaluation: Evaluation | None = None,
) -> None:
    """Fill a folder with the report.

    Args:
        folder: where to; made if need be.
        run: what is reported of.
        judgement: the answers for a split, and what they are worth.
        shards: local paths of the judged split's records, and of the splits that `label_errors` are from.
        network: uint8 RGB [batch, size, size, 3] to logits, to show what it looked at; None: left out.
        label_errors: labels that are likely wrong; None: they weren't looked for.
        evaluation: that a finished bundle was asked; None: the run has just ended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names, metrics = run.index.class_names, judgement.metrics
    (folder / CONFUSION_MATRIX).write_bytes(confusion_chart(metrics.confusion, names, "png"))
    _write_per_class(folder / PER_CLASS, metrics)
    write_predictions(folder / PREDICTIONS, judgement.predictions, names)
    if label_errors is not None:
        write_label_errors(folder / LABEL_ERRORS, label_errors)
    tables = [PER_CLASS, PREDICTIONS, *([LABEL_ERRORS] if label_errors is not None else [])]
    page = report_page(run, judgement, shards, network, label_errors, evaluation, tables)
    (folder / REPORT_HTML).write_text(page, encoding="utf-8")
    (folder / METRICS).write_text(metrics.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _write_per_class(path: Path, metrics: Metrics) -> None:
    fields = ["class_name", "precision", "recall", "f1", "support"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(fields)
        writer.writerows([getattr(row, field) for field in fields] for row in metrics.per_class)
