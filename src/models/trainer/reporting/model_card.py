"""`model_card.md`: what the model is, from what, and how good, and which parts its owner must write."""

from pathlib import Path

from contracts.bundle import Calibration, LiteRT
from models.trainer.evaluation.judgement import Judgement
from models.trainer.evaluation.label_errors import LabelErrors
from models.trainer.provenance import git_commit, package_versions
from models.trainer.reporting.naming import network_name
from models.trainer.reporting.rendering import render
from models.trainer.run_facts import RunFacts

WEAKEST = 5
"""Classes that the card names as the weakest."""


def write_model_card(
    path: Path,
    run: RunFacts,
    judgement: Judgement,
    litert: LiteRT,
    calibration: Calibration,
    *,
    label_errors: LabelErrors | None = None,
) -> None:
    """Write the card of a run.

    Args:
        path: where to.
        run: what was trained, on what, and how.
        judgement: of the test split.
        litert: how its LiteRT file was made.
        calibration: its temperature.
        label_errors: labels that are likely wrong; None: they weren't looked for.
    """
    metrics = judgement.metrics
    seen = [row for row in metrics.per_class if row.support]
    card = render(
        "model_card.md.j2",
        run=run,
        network_name=network_name(run),
        split=judgement.split,
        metrics=metrics,
        litert=litert,
        calibration=calibration,
        label_errors=len(label_errors.errors) if label_errors else 0,
        doubtful=label_errors is not None and label_errors.doubtful,
        weakest=sorted(seen, key=lambda row: row.f1)[:WEAKEST],
        commit=git_commit(),
        packages=package_versions(),
    )
    path.write_text(card, encoding="utf-8")
