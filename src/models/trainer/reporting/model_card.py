"""`model_card.md`: what the model is, from what, and how good, and which parts its owner must write."""

from pathlib import Path

from contracts.bundle import LiteRT
from models.trainer.evaluation.metrics import Metrics
from models.trainer.provenance import git_commit, package_versions
from models.trainer.reporting.rendering import render
from models.trainer.run_facts import RunFacts

WEAKEST = 5
"""Classes that the card names as the weakest."""


def write_model_card(path: Path, run: RunFacts, metrics: Metrics, litert: LiteRT) -> None:
    """Write the card of a run; `litert` is how its LiteRT file was made."""
    seen = [row for row in metrics.per_class if row.support]
    card = render(
        "model_card.md.j2",
        run=run,
        metrics=metrics,
        litert=litert,
        weakest=sorted(seen, key=lambda row: row.f1)[:WEAKEST],
        commit=git_commit(),
        packages=package_versions(),
    )
    path.write_text(card, encoding="utf-8")
