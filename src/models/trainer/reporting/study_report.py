"""The report of a study: `study.html`, one file that a person reads. In: `study.json`."""

import re
from typing import NamedTuple

from contracts import storage
from contracts.search_parameter import Value
from models.trainer.reporting.naming import readable
from models.trainer.reporting.rendering import data_uri, render
from models.trainer.reporting.study_charts import curves_chart, history_chart, parallel_chart, slice_charts
from models.trainer.tuning.record import Study, TrialRecord

STUDY_HTML = "study.html"


class Choice(NamedTuple):
    """A parameter in the best trial and by default."""

    name: str
    best: Value
    default: Value | None
    """None: not known, or not in the search space."""
    importance: float | None


def write_study_report(folder: str, study: Study, images: int) -> str:
    """Write the page into the study's folder; returns where it is.

    Args:
        folder: the study's: a path or a URI.
        study: what was found.
        images: of the validation split, on which the values rest.
    """
    uri = storage.join(folder, STUDY_HTML)
    storage.write_bytes(uri, study_page(study, images).encode())
    return uri


def study_page(study: Study, images: int) -> str:
    """The page's HTML."""
    best, default = study.best_trial, study.default_trial
    return render(
        "study.html.j2",
        study=study,
        images=images,
        readable=readable,
        command=_longer(study.command),
        metric=study.search_space.metric.metric_id,
        best=best,
        default=default,
        gain=_gain(best, default),
        choices=_choices(study),
        counts={state: _count(study, state) for state in ("complete", "pruned", "failed")},
        seconds=sum(trial.seconds for trial in study.trials),
        ranked=ranked(study),
        history=_chart(history_chart(study)),
        curves=_chart(curves_chart(study)),
        parallel=_chart(parallel_chart(study)),
        slices={name: _chart(chart) for name, chart in slice_charts(study).items()},
    )


def ranked(study: Study) -> list[TrialRecord]:
    """The trials, the best first: whole ones by their value, then those stopped early, then the failed."""
    sign = 1 if study.search_space.metric.goal == "MINIMIZE" else -1
    order = ("complete", "pruned", "failed")
    return sorted(study.trials, key=lambda trial: (order.index(trial.state), sign * (trial.value or 0.0)))


def _gain(best: TrialRecord, default: TrialRecord | None) -> float | None:
    if default is None or default.value is None or best.value is None:
        return None
    return best.value - default.value


def _choices(study: Study) -> list[Choice]:
    choices = [
        Choice(name, value, study.first.get(name), study.importance.get(name))
        for name, value in study.best_trial.parameters.items()
    ]
    return sorted(choices, key=lambda choice: -(choice.importance or 0.0))


def _longer(command: str) -> str:
    """The command that goes on with a study, with the number of trials for the reader to choose."""
    before, tune, after = re.sub(r" --trials \d+", "", command).partition("models.trainer.tune")
    return f"{before}{tune} --trials MORE{after}"


def _count(study: Study, state: str) -> int:
    return sum(trial.state == state for trial in study.trials)


def _chart(svg: bytes) -> str:
    return data_uri("image/svg+xml", svg)
