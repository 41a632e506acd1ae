"""The report's figures, as bytes: PNG for a file, SVG without a background for a page in light or dark."""

import io
from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

TRAIN, VALIDATION = "#8b9cf7", "#e8590c"
INK = "#7d8590"
"""Readable on white and on near-black."""
_BLUE = (0.26, 0.35, 0.88)
_SHARES = LinearSegmentedColormap.from_list("shares", [(*_BLUE, 0.0), (*_BLUE, 1.0)])

MOST_NUMBERED = 25
"""Up to how many classes the confusion matrix has room for a number in each cell."""
MOST_NAMED = 60
"""Up to how many classes its axes have room for the names."""

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
    axes.set_title(name, color=INK, loc="left")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, labelcolor=INK)
    _in_ink(axes)
    return _drawn(figure, "svg")


def confusion_chart(matrix: Sequence[Sequence[int]], class_names: Sequence[str], kind: Format) -> bytes:
    """Draw a confusion matrix [true][predicted], each row's shade by its share of the true class."""
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = float(np.clip(2.2 + 0.42 * len(counts), 4, 11))
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap=_SHARES, vmin=0, vmax=1)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if len(counts) <= MOST_NAMED:
        axes.set_xticks(range(len(counts)), class_names, rotation=90 if max(map(len, class_names)) > 2 else 0)
        axes.set_yticks(range(len(counts)), class_names)
    if len(counts) <= MOST_NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.5 else INK
                axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    _in_ink(axes)
    return _drawn(figure, kind)


def _in_ink(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.tick_params(colors=INK, length=0)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)


def _drawn(figure: Figure, kind: Format) -> bytes:
    buffer = io.BytesIO()
    background = "none" if kind == "svg" else "white"
    # Without a date, and with a fixed salt for its ids, equal data give equal bytes.
    metadata = {"Date": None} if kind == "svg" else None
    with mpl.rc_context({"svg.hashsalt": "report"}):
        figure.savefig(buffer, format=kind, dpi=120, facecolor=background, metadata=metadata)
    return buffer.getvalue()
