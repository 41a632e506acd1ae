"""The report's page, put together from its sections."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from contracts.dataset import SPLITS, Split
from models.trainer.evaluation.bootstrap import CONFIDENCE
from models.trainer.evaluation.judgement import Judgement
from models.trainer.evaluation.label_errors import LabelErrors
from models.trainer.evaluation.metrics import Metrics
from models.trainer.provenance import git_commit, package_versions
from models.trainer.reporting import charts, data_summary
from models.trainer.reporting.album import LEAST, Album
from models.trainer.reporting.evaluation import Evaluation
from models.trainer.reporting.gallery import Side, confused_pairs, rows_of, shots, worst_mistakes
from models.trainer.reporting.naming import network_name
from models.trainer.reporting.rendering import data_uri, render
from models.trainer.reporting.suspects import SHOWN, counts, suspects
from models.trainer.run_facts import RunFacts

_SVG = "image/svg+xml"


def report_page(
    run: RunFacts,
    judgement: Judgement,
    shards: Mapping[Split, Sequence[str]],
    network: keras.Model | None,
    label_errors: LabelErrors | None,
    evaluation: Evaluation | None,
    tables: Sequence[str],
) -> str:
    """Make the page, see `report.write_report`; `tables` lie beside it."""
    names, metrics = run.index.class_names, judgement.metrics
    worst, pairs = worst_mistakes(judgement.predictions), confused_pairs(judgement, names)
    shown = label_errors.errors[:SHOWN] if label_errors else ()
    wanted = {split: {error.filename for error in shown if error.split == split} for split in SPLITS}
    shown_rows = [*worst, *rows_of(pairs)]
    wanted[judgement.split] |= {judgement.predictions.filenames[row] for row in shown_rows}
    album = Album.read(shards, wanted, run.image)
    classes = data_summary.class_images(run.index)
    return render(
        "report.html.j2",
        run=run,
        network_name=network_name(run),
        split=judgement.split,
        evaluation=evaluation,
        tables=tables,
        metrics=metrics,
        confidence=CONFIDENCE,
        mistaken=round(metrics.examples * (1 - metrics.accuracy)),
        mistakes=shots(judgement, names, worst, album, network),
        pairs=[_illustrated(pair, judgement, names, album) for pair in pairs],
        label_errors=label_errors,
        label_error_counts=counts(label_errors) if label_errors else {},
        suspects=suspects(label_errors, album) if label_errors else [],
        classes=classes,
        balance=data_summary.balance(classes),
        splits=SPLITS,
        config=flat(run.config),
        commit=git_commit(),
        packages=package_versions(),
        **_charts(run, metrics),
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


def _illustrated(
    pair: Sequence[Side], judgement: Judgement, names: Sequence[str], album: Album
) -> list[dict[str, Any]]:
    """A pair's strips, each with its pictures."""
    return [
        {
            kind: {**strip._asdict(), "shots": shots(judgement, names, strip.rows, album, largest=LEAST)}
            for kind, strip in side._asdict().items()
        }
        for side in pair
    ]


def _charts(run: RunFacts, metrics: Metrics) -> dict[str, Any]:
    names = run.index.class_names
    curves = charts.learning_curves(run.history)
    part = charts.most_mistaken(metrics.confusion, names)
    reliability = {"before": metrics.uncalibrated.reliability, "after": metrics.reliability}
    return {
        "most_named": charts.MOST_NAMED,
        "telling": charts.TELLING,
        "curves": {name: data_uri(_SVG, curve) for name, curve in curves.items()},
        "confusion": data_uri(_SVG, charts.confusion_chart(metrics.confusion, names, "svg")),
        "confusion_part": data_uri(_SVG, charts.confusion_chart(*part, "svg")) if part else None,
        "reliability": {
            when: data_uri(_SVG, charts.reliability_chart(bins)) for when, bins in reliability.items()
        },
    }
