"""A trial's place in its study: Optuna reopens no trial that failed, so another one takes its place.

What counts of a place is the last trial that had it. All of them have one name, and so one folder, in which
the training goes on from what it saved.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import optuna

_PLACE: Final = "place"


def place_of(trial: "optuna.trial.FrozenTrial | optuna.trial.Trial") -> int:
    """Counted from 0."""
    place: int = trial.user_attrs.get(_PLACE, trial.number)
    return place


def standing(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    """The last trial of each place, in the order of the places."""
    return list({place_of(trial): trial for trial in study.get_trials(deepcopy=False)}.values())


def enqueue(study: "optuna.Study", coordinates: Mapping[str, Any], place: int) -> None:
    """Have the next trial take a place; coordinates that aren't given are the sampler's."""
    study.enqueue_trial(dict(coordinates), user_attrs={_PLACE: place})


def repeat_failed(study: "optuna.Study") -> int:
    """Have trials that failed tried again, with the same parameters; how many there are."""
    import optuna

    failed = [trial for trial in standing(study) if trial.state == optuna.trial.TrialState.FAIL]
    for trial in failed:
        enqueue(study, trial.params, place_of(trial))
    return len(failed)
