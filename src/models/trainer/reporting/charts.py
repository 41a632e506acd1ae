"""The report's figures, as bytes: PNG for a file, SVG without a background for a page in light or dark."""

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from models.trainer.evaluation.reliability import ReliabilityBin

TRAIN, VALIDATION = "#8b9cf7", "#e8590c"
INK = "#7d8590"
"""Readable on white and on near-black."""
_BLUE = (0.26, 0.35, 0.88)
_SHARES = LinearSegmentedColormap.from_list("shares", [(*_BLUE, 0.0), (*_BLUE, 1.0)])

MOST_NUMBERED = 25
"""Up to how many classes the confusion matrix has room for a number in each cell."""
MOST_NAMED = 60
"""Up to how many classes its axes have room for the names."""
LONGEST_NAME = 24
"""Letters of a class's name that are drawn."""
DETAIL = 16
"""Classes of the part of a larger one that is drawn besides."""

TELLING = 10
"""Images from which on a bar of the reliability diagram says something; one of fewer is drawn faint."""

Format = Literal["png", "svg"]


def learning_curves(history: Sequence[Mapping[str, float]]) -> dict[str, bytes]:
    """Draw each measure that has a validation twin (`loss`, `val_loss`) over the epochs: names and SVGs."""
    measures = [name for name in (history[0] if history else ()) if f"val_{name}" in history[0]]
    return {name: _learning_curve(history, name) for name in measures}


def _learning_curve(history: Sequence[Mapping[str, float]], name: str) -> bytes:
    figure = Figure(figsize=(4.8, 3), layout="constrained")
    axes = figure.add_subplot()
    epochs = [row.get("epoch", number) for number, row in enumerate(history, 1)]
    axes.plot(epochs, [row[name] for row in history], color=TRAIN, marker=".", label="training")
    axes.plot(
        epochs, [row[f"val_{name}"] for row in history], color=VALIDATION, marker=".", label="validation"
    )
    phases = [row.get("phase") for row in history]
    for number in range(1, len(history)):
        if phases[number] != phases[number - 1]:
            axes.axvline((epochs[number - 1] + epochs[number]) / 2, color=INK, linewidth=1, linestyle=":")
    axes.set_title(name.replace("_", " "), color=INK, loc="left")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(whole_numbers())
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, labelcolor=INK)
    in_ink(axes)
    return drawn(figure, "svg")


def confusion_chart(
    matrix: Sequence[Sequence[int]] | NDArray[np.integer[Any]], class_names: Sequence[str], kind: Format
) -> bytes:
    """Draw a confusion matrix [true][predicted], each row's shade by its share of the true class."""
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    named = len(counts) <= MOST_NAMED
    side = float(np.clip(1.8 + 0.34 * len(counts), 3.6, 11)) if named else 6.0
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap=_SHARES, vmin=0, vmax=1)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if named:
        names = [_short(name) for name in class_names]
        upright = max(map(len, names)) > 2 and len(counts) > 3
        axes.set_xticks(range(len(counts)), names, rotation=90 if upright else 0)
        axes.set_yticks(range(len(counts)), names)
    if len(counts) <= MOST_NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.5 else INK
                axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    in_ink(axes)
    return drawn(figure, kind)


def _short(name: str) -> str:
    name = name.replace("$", r"\$")  # Matplotlib takes what is between two of them for a formula
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def most_mistaken(
    matrix: Sequence[Sequence[int]], class_names: Sequence[str]
) -> tuple[NDArray[np.integer[Any]], list[str]] | None:
    """The part of a confusion matrix with the `DETAIL` classes that are mixed up most, and their names.

    None: the whole has room for its numbers, or there is no mistake.
    """
    counts = np.asarray(matrix)
    wrong = counts - np.diag(np.diag(counts))
    if len(counts) <= MOST_NUMBERED or not wrong.any():
        return None
    chosen: dict[int, None] = {}
    for cell in np.argsort(-wrong, axis=None, kind="stable"):
        pair = [int(label) for label in np.unravel_index(cell, wrong.shape)]
        if len(chosen | dict.fromkeys(pair)) > DETAIL or not wrong[*pair]:
            break
        chosen |= dict.fromkeys(pair)
    labels = sorted(chosen)
    return counts[np.ix_(labels, labels)], [class_names[label] for label in labels]


def reliability_chart(bins: Sequence[ReliabilityBin]) -> bytes:
    """Draw how often answers are right against how sure they are, over how many there are: an SVG.

    Bins of fewer than `TELLING` answers are drawn faint.
    """
    figure = Figure(figsize=(4.8, 4.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    places = [found.low for found in bins]
    widths = [found.high - found.low for found in bins]
    strength = [1.0 if found.count >= TELLING else 0.35 for found in bins]
    heights = [found.accuracy for found in bins]
    upper.bar(places, heights, widths, align="edge", color=_faded(TRAIN, 0.75, strength))
    upper.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--")
    sure = [found.confidence for found in bins]
    dots = _faded(VALIDATION, 1.0, strength)
    upper.scatter(sure, heights, s=16, color=dots, zorder=3)
    upper.vlines(sure, heights, sure, color=dots, linewidth=1.5)
    upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share that is right")
    bars = lower.bar(
        places, [found.count for found in bins], widths, align="edge", color=_faded(INK, 0.6, strength)
    )
    lower.bar_label(bars, fontsize=7, color=INK, padding=1)
    lower.margins(y=0.3)
    lower.set(xlabel="probability of the class that was named", ylabel="images")
    lower.set_yticks([])
    for axes in (upper, lower):
        in_ink(axes)
    return drawn(figure, "svg")


def _faded(colour: str, alpha: float, strength: Sequence[float]) -> list[tuple[float, float, float, float]]:
    return [to_rgba(colour, alpha * share) for share in strength]


def whole_numbers() -> MaxNLocator:
    """Ticks for epochs and trials, of which there may be a single one."""
    return MaxNLocator(integer=True, min_n_ticks=1)


def in_ink(axes: Axes) -> None:
    """Give axes the ink that reads in light and dark, and no frame."""
    axes.set_facecolor("none")
    axes.tick_params(colors=INK, length=0)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)


def drawn(figure: Figure, kind: Format) -> bytes:
    """A figure's bytes."""
    buffer = io.BytesIO()
    background = "none" if kind == "svg" else "white"
    # Without a date, and with a fixed salt for its ids, equal data give equal bytes.
    metadata = {"Date": None} if kind == "svg" else None
    # Letters stay letters in an SVG: a browser has fonts for names that Matplotlib's own has not.
    with mpl.rc_context({"svg.hashsalt": "report", "svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(buffer, format=kind, dpi=120, facecolor=background, metadata=metadata)
    return buffer.getvalue()
