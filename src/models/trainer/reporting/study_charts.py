"""The figures of a study, as SVGs in the style of `charts`: what was tried, and what came of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from contracts.search_parameter import Parameter, Value
from models.trainer.reporting.charts import INK, TRAIN, VALIDATION, drawn, in_ink, whole_numbers
from models.trainer.tuning.axes import Axis
from models.trainer.tuning.record import Study, TrialRecord

MOST_NAMED = 8
"""Values up to which an axis names each of them."""


def history_chart(study: Study) -> bytes:
    """Draw each trial's value, the best so far, and that of the default configuration."""
    figure = Figure(figsize=(4.8, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for trials, marker, label in (
        (_of(study, "complete"), "o", "complete"),
        (_of(study, "pruned"), "x", "stopped early"),
    ):
        if trials:
            axes.plot(*_points(trials), linestyle="", marker=marker, color=TRAIN, label=label)
    numbers, values = _points(_of(study, "complete"))
    best = (np.minimum if _minimized(study) else np.maximum).accumulate(values)
    last = max(numbers[-1], study.trials[-1].number)
    axes.step([*numbers, last], [*best, best[-1]], where="post", color=VALIDATION, label="best so far")
    if study.default_trial is not None and study.default_trial.value is not None:
        axes.axhline(study.default_trial.value, color=INK, linestyle=":", label="default configuration")
    return _counted(figure, axes, study, "trial")


def curves_chart(study: Study) -> bytes:
    """Draw each trial's epochs; the best one and the default configuration stand out."""
    figure = Figure(figsize=(4.8, 3.4), layout="constrained")
    axes = figure.add_subplot()
    default = study.default_trial
    for trial in study.trials:
        style: dict[str, Any] = {"color": TRAIN, "linewidth": 1, "alpha": 0.55}
        if trial.name == study.best:
            style = {"color": VALIDATION, "linewidth": 2.2, "zorder": 3, "label": "best"}
        elif default is not None and trial.name == default.name:
            style = {"color": INK, "linewidth": 2, "linestyle": ":", "zorder": 3, "label": "default"}
        epochs = range(1, len(trial.values) + 1)
        # A single epoch makes no line.
        marker = "x" if trial.state == "pruned" else "o" if len(trial.values) == 1 else None
        axes.plot(epochs, trial.values, marker=marker, markevery=[-1] if trial.values else None, **style)
    return _counted(figure, axes, study, "epoch")


def _counted(figure: Figure, axes: Axes, study: Study, what: str) -> bytes:
    """Finish a drawing of the metric over whole numbers of something, with its legend below."""
    axes.set_xlabel(what)
    axes.set_ylabel(_metric(study))
    axes.xaxis.set_major_locator(whole_numbers())
    axes.grid(alpha=0.25)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, labelcolor=INK, fontsize=9)
    in_ink(axes)
    return drawn(figure, "svg")


def slice_charts(study: Study) -> dict[str, bytes]:
    """Draw the values over each parameter, whole trials only."""
    trials = _of(study, "complete")
    return {
        parameter.parameter_id: _slice(study, parameter, trials)
        for parameter in study.search_space.parameters
    }


def _slice(study: Study, parameter: Parameter, trials: Sequence[TrialRecord]) -> bytes:
    figure = Figure(figsize=(4.2, 2.7), layout="constrained")
    axes = figure.add_subplot()
    places = [_place(parameter, trial.parameters[parameter.parameter_id]) for trial in trials]
    axes.scatter(places, [trial.value or 0 for trial in trials], color=TRAIN, alpha=0.75, linewidths=0)
    best = study.best_trial
    place = _place(parameter, best.parameters[parameter.parameter_id])
    axes.scatter([place], [best.value or 0], color=VALIDATION, zorder=3)
    axes.set_title(parameter.parameter_id.replace("_", " "), color=INK, loc="left", fontsize=11)
    axes.set_xlim(-0.06, 1.06)
    axes.set_xticks(*_ticks(parameter), fontsize=9)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylabel(_metric(study))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(alpha=0.25)
    in_ink(axes)
    return drawn(figure, "svg")


def parallel_chart(study: Study) -> bytes:
    """Draw whole trials as lines over all parameters to their value at the right; the best one stands out."""
    parameters = study.search_space.parameters
    trials = _of(study, "complete")
    values = np.array([trial.value for trial in trials])
    spread = float(values.max() - values.min()) or 1.0
    good = (values - values.min()) / spread
    ranks = np.argsort(np.argsort(-values if _minimized(study) else values)) / max(len(values) - 1, 1)
    figure = Figure(figsize=(max(7.4, 1.3 * (len(parameters) + 1)), 3.8), layout="constrained")
    axes = figure.add_subplot()
    for trial, height, rank in zip(trials, good, ranks, strict=True):
        heights = [_place(each, trial.parameters[each.parameter_id]) for each in parameters]
        best = trial.name == study.best
        style = {"color": VALIDATION, "linewidth": 2.4, "zorder": 3} if best else {"color": TRAIN}
        axes.plot([*heights, height], alpha=1 if best else 0.12 + 0.68 * float(rank), **style)
    for number, parameter in enumerate(parameters):
        _upright(axes, number, *_ticks(parameter))
    _upright(axes, len(parameters), [0, 1], [f"{values.min():.3f}", f"{values.max():.3f}"])
    names = [parameter.parameter_id.replace("_", "\n") for parameter in parameters]
    axes.set_xticks(range(len(parameters) + 1), [*names, _metric(study).replace(" ", "\n")])
    axes.set_yticks([])
    axes.set_ylim(-0.04, 1.08)
    in_ink(axes)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return drawn(figure, "svg")


def _upright(axes: Axes, number: int, places: Sequence[float], names: Sequence[str]) -> None:
    axes.axvline(number, color=INK, linewidth=1, alpha=0.6)
    for place, name in zip(places, names, strict=True):
        axes.text(number + 0.04, place + 0.015, name, color=INK, fontsize=8, va="bottom")


def _place(parameter: Parameter, value: Value) -> float:
    """Where a value lies on its parameter's scale: 0…1."""
    axis = Axis(parameter)
    if parameter.categorical_value_spec or parameter.discrete_value_spec:
        listed = list(parameter.extremes)
        return listed.index(value) / max(len(listed) - 1, 1)
    lowest, highest, here = (
        float(axis.coordinate(each)) for each in (parameter.extremes[0], parameter.extremes[-1], value)
    )
    if parameter.bent:
        lowest, highest, here = float(np.log(lowest)), float(np.log(highest)), float(np.log(here))
    return (here - lowest) / ((highest - lowest) or 1.0)


def _ticks(parameter: Parameter) -> tuple[list[float], list[str]]:
    """Places and names of what is written on a parameter's scale."""
    extremes = parameter.extremes
    if len(extremes) > MOST_NAMED:
        extremes = (extremes[0], extremes[-1])
    names = [value if isinstance(value, str) else f"{value:g}" for value in extremes]
    return [_place(parameter, value) for value in extremes], names


def _of(study: Study, state: str) -> list[TrialRecord]:
    return [trial for trial in study.trials if trial.state == state and trial.value is not None]


def _points(trials: Sequence[TrialRecord]) -> tuple[list[int], list[float]]:
    return [trial.number for trial in trials], [trial.value or 0.0 for trial in trials]


def _minimized(study: Study) -> bool:
    return study.search_space.metric.goal == "MINIMIZE"


def _metric(study: Study) -> str:
    return {"val_accuracy": "validation accuracy", "val_loss": "validation loss"}[
        study.search_space.metric.metric_id
    ]
