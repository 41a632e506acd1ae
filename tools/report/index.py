"""`index.html`: the data sets with their runs, the best first, their studies, and the benchmarks.

In: what was found. Out: one page that needs nothing else, and whose links are relative.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from contracts.bundle import LITERT_MODEL, ModelBundle
from contracts.dataset import SPLITS
from tools.report.finding import FoundDataset, FoundRun, FoundStudy
from tools.report.pages import Link, render, rendered_name

SHOWN_STEP = 0.05
"""The accuracy's axis begins and ends at multiples of it."""


class Axis(NamedTuple):
    """What a bar of accuracies spans: shares in 0…1."""

    low: float
    high: float

    def place(self, share: float) -> float:
        """Where a share lies on it, in percent of its length."""
        return round(100 * (share - self.low) / (self.high - self.low), 2)


class RunRow(NamedTuple):
    """A line of the table of runs."""

    name: str
    architecture: str
    date: str
    report: str | None
    card: str | None
    metrics: dict[str, float]
    megabytes: float | None
    """Of the LiteRT file."""
    champion: bool
    blessed: bool | None
    """None: the gate wasn't asked."""
    reasons: tuple[str, ...]
    other_images: bool
    """Whether it was trained and tested on another state of the data set than the report's."""


class StudyRow(NamedTuple):
    """A line of the list of studies."""

    name: str
    report: str | None
    date: str
    trials: str
    best: str


class DatasetSection(NamedTuple):
    """A data set with all that is known of it."""

    found: FoundDataset
    runs: list[RunRow]
    by_accuracy: bool
    """Whether the runs are in that order: the champion comes first, and needn't be the best here."""
    axis: Axis
    studies: list[StudyRow]


def index_page(
    root: str, datasets: Sequence[FoundDataset], benchmarks: Sequence[Link], notebooks: Sequence[Link]
) -> str:
    """Give the page; pages have the names under which they were found, documents those of their pages."""
    return render(
        "index.html.j2",
        root=root,
        splits=SPLITS,
        sections=[_section(dataset) for dataset in datasets],
        benchmarks=benchmarks,
        notebooks=notebooks,
    )


def _section(found: FoundDataset) -> DatasetSection:
    rows = [_row(found, run) for run in found.runs]
    # The champion first; then by accuracy, and of equals the newer one.
    rows.sort(key=lambda row: row.date, reverse=True)
    rows.sort(key=lambda row: (not row.champion, -row.metrics.get("accuracy", -1)))
    shares = [row.metrics.get("accuracy", -1) for row in rows]
    by_accuracy = shares == sorted(shares, reverse=True)
    return DatasetSection(found, rows, by_accuracy, _axis(rows), [_study(study) for study in found.studies])


def _row(found: FoundDataset, run: FoundRun) -> RunRow:
    bundle = run.bundle
    return RunRow(
        name=run.name,
        architecture=_architecture(bundle),
        date=f"{bundle.created_at:%Y-%m-%d %H:%M}",
        report=run.report,
        card=run.card and rendered_name(run.card),
        metrics=bundle.metrics,
        megabytes=bundle.files[LITERT_MODEL].bytes / 1e6 if LITERT_MODEL in bundle.files else None,
        champion=run.name == found.champion,
        blessed=bundle.gate.blessed if bundle.gate else None,
        reasons=bundle.gate.reasons if bundle.gate else (),
        other_images=found.manifest is not None and found.manifest.digest != bundle.dataset_digest,
    )


def _architecture(bundle: ModelBundle) -> str:
    """The architecture, and which of its networks where it has several."""
    network = next((bundle.config[key] for key in ("network", "variant") if bundle.config.get(key)), None)
    return f"{bundle.architecture} · {network}" if network else bundle.architecture


def _axis(rows: Sequence[RunRow]) -> Axis:
    shares = [row.metrics[key] for row in rows for key in _INTERVAL if key in row.metrics]
    if not shares:
        return Axis(0, 1)
    low = math.floor(min(shares) / SHOWN_STEP) * SHOWN_STEP
    high = math.ceil(max(shares) / SHOWN_STEP) * SHOWN_STEP
    return Axis(low, max(high, low + SHOWN_STEP))


_INTERVAL = ("accuracy_low", "accuracy", "accuracy_high")


def _study(found: FoundStudy) -> StudyRow:
    study = found.study
    stopped = sum(trial.state == "pruned" for trial in study.trials)
    failed = sum(trial.state == "failed" for trial in study.trials)
    parts = [f"{len(study.trials)} trials"]
    parts += [f"{count} {what}" for count, what in ((stopped, "stopped early"), (failed, "failed")) if count]
    metric, best = study.search_space.metric.metric_id, study.best_trial
    return StudyRow(
        found.name,
        found.report,
        date=f"{study.created_at:%Y-%m-%d}",
        trials=", ".join(parts),
        best=best.name if best.value is None else f"{metric} {best.value:.4f} ({best.name})",
    )
