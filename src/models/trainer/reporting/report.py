"""The report of a run: a folder that a person and a program can read.

In: the facts of the run, a network's answers for a split, what they are worth, and the split's examples.
Out: `report.html` (one file, nothing fetched), `metrics.json`, `confusion_matrix.png`, `per_class.csv` and
`predictions.csv`.
"""

import base64
import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from contracts.dataset import Split
from models.trainer.evaluation.bootstrap import CONFIDENCE
from models.trainer.evaluation.metrics import Metrics
from models.trainer.evaluation.predictions import Predictions
from models.trainer.examples import StoredExample
from models.trainer.provenance import git_commit, package_versions
from models.trainer.reporting.charts import confusion_chart, learning_curves
from models.trainer.reporting.rendering import render
from models.trainer.run_facts import RunFacts

REPORT_HTML = "report.html"
METRICS = "metrics.json"
CONFUSION_MATRIX = "confusion_matrix.png"
PER_CLASS = "per_class.csv"
PREDICTIONS = "predictions.csv"

WORST = 24
"""Mistakes that are shown."""


class Mistake(NamedTuple):
    """A wrong answer, with its image."""

    filename: str
    true: str
    predicted: str
    probability: float
    """Of the class that it named."""
    probability_true: float
    image: str
    """A data URI."""


def write_report(
    folder: Path,
    run: RunFacts,
    predictions: Predictions,
    metrics: Metrics,
    examples: Iterable[StoredExample],
    split: Split = "test",
) -> None:
    """Fill a folder with the report.

    Args:
        folder: where to; made if need be.
        run: what is reported of.
        predictions: the network's answers.
        metrics: what they are worth.
        examples: the images that were answered, for the pictures; any order.
        split: which split it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    class_names = run.index.class_names
    chart = confusion_chart(metrics.confusion, class_names, "png")
    (folder / CONFUSION_MATRIX).write_bytes(chart)
    _write_per_class(folder / PER_CLASS, metrics)
    _write_predictions(folder / PREDICTIONS, predictions, class_names)
    mistakes = worst_mistakes(predictions, class_names, examples)
    (folder / REPORT_HTML).write_text(_html(run, metrics, mistakes, split), encoding="utf-8")
    (folder / METRICS).write_text(metrics.model_dump_json(indent=2) + "\n", encoding="utf-8")


def worst_mistakes(
    predictions: Predictions, class_names: Sequence[str], examples: Iterable[StoredExample]
) -> list[Mistake]:
    """The wrong answers that the network was surest of, surest first."""
    wrong = np.flatnonzero(predictions.predicted != predictions.labels)
    confidence = predictions.probabilities.max(axis=1)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:WORST]
    wanted = {predictions.filenames[row] for row in worst}
    images = {example.filename: example.encoded for example in examples if example.filename in wanted}
    return [
        Mistake(
            filename=predictions.filenames[row],
            true=class_names[predictions.labels[row]],
            predicted=class_names[predictions.predicted[row]],
            probability=float(confidence[row]),
            probability_true=float(predictions.probabilities[row, predictions.labels[row]]),
            image=_data_uri("image/jpeg", images[predictions.filenames[row]]),
        )
        for row in worst
    ]


def _html(run: RunFacts, metrics: Metrics, mistakes: Sequence[Mistake], split: Split) -> str:
    curves = learning_curves(run.history)
    confusion = confusion_chart(metrics.confusion, run.index.class_names, "svg")
    return render(
        "report.html.j2",
        run=run,
        split=split,
        metrics=metrics,
        confidence=CONFIDENCE,
        mistakes=mistakes,
        mistaken=round(metrics.examples * (1 - metrics.accuracy)),
        curves={name: _data_uri("image/svg+xml", curve) for name, curve in curves.items()},
        confusion=_data_uri("image/svg+xml", confusion),
        config=flat(run.config),
        commit=git_commit(),
        packages=package_versions(),
    )


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested configuration as one level of dotted keys."""
    rows: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            rows |= flat(value, f"{prefix}{key}.")
        else:
            rows[f"{prefix}{key}"] = value
    return rows


def _write_per_class(path: Path, metrics: Metrics) -> None:
    fields = ["class_name", "precision", "recall", "f1", "support"]
    _write_csv(path, fields, ([getattr(row, field) for field in fields] for row in metrics.per_class))


def _write_predictions(path: Path, predictions: Predictions, class_names: Sequence[str]) -> None:
    fields = ["filename", "label", "predicted", "probability_of_label", "probability_of_predicted"]
    answers = zip(
        predictions.filenames,
        predictions.labels,
        predictions.predicted,
        predictions.probabilities,
        strict=True,
    )
    rows = (
        [filename, class_names[label], class_names[predicted], f"{row[label]:.6f}", f"{row[predicted]:.6f}"]
        for filename, label, predicted, row in answers
    )
    _write_csv(path, fields, rows)


def _write_csv(path: Path, fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(fields)
        writer.writerows(rows)


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
