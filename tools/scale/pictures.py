"""The document's pictures, as SVG files of the same bytes for the same figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.scale import sharding
from tools.scale.measured import Measured
from tools.scale.serving import Moment

WORKERS = (2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)


def draw_records(path: Path, size: float, figures: Measured) -> None:
    """Draw hours and machine hours over the number of workers."""
    runs = [sharding.simulate(size, workers, figures) for workers in WORKERS]
    figure, axes = _figure(1)
    axes[0].loglog(WORKERS, [run.seconds / 3600 for run in runs], label="hours")
    axes[0].loglog(WORKERS, [run.worker_hours for run in runs], label="machine hours")
    axes[0].set_xlabel("workers (n2-standard-4)")
    axes[0].legend(frameon=False)
    axes[0].set_title("10 TB of photos to records")
    _save(figure, path)


def draw_jump(path: Path, moments: Sequence[Moment]) -> None:
    """Draw what a jump of the traffic does."""
    minutes = [moment.second / 60 for moment in moments]
    figure, axes = _figure(3)
    axes[0].plot(minutes, [moment.replicas for moment in moments])
    axes[0].set_ylabel("replicas")
    axes[1].plot(minutes, [100 * moment.refused / max(1, moment.requests) for moment in moments])
    axes[1].set_ylabel("refused, %")
    axes[2].semilogy(minutes, [moment.p99 for moment in moments])
    axes[2].set_ylabel("p99, ms")
    axes[2].set_xlabel("minutes; from 200 to 1,000 requests/s at minute 1")
    _save(figure, path)


def _figure(rows: int) -> tuple[Any, Any]:
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    rcParams["svg.hashsalt"] = "chrysalis"  # else its ids are random
    rcParams["svg.fonttype"] = "none"
    figure = Figure(figsize=(7, 1.2 + 1.8 * rows), layout="constrained")
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.grid(alpha=0.3)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None})
