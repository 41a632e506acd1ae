"""What is tried next, and which trials are stopped early: Optuna's samplers and pruners."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from contracts.search_parameter import Value
from contracts.search_space import SearchSpace
from models.trainer.tuning.axes import Axes
from models.trainer.tuning.places import enqueue, place_of, standing

if TYPE_CHECKING:
    import optuna

Pruner = Literal["median", "hyperband", "none"]

FEWEST_EPOCHS: Final = 4
"""A training of fewer isn't worth stopping."""
_FEWEST_RANDOM, _MOST_RANDOM = 4, 10
"""Trials at random before the sampler has something to learn from; a third of all, between these."""


class Proposals:
    """Chooses the parameters of trials.

    What a trial gets follows from the seed, its place and the trials before it. So a study that was killed
    goes on as if it had not been, as long as one trial runs at a time.
    """

    def __init__(
        self, study: "optuna.Study", space: SearchSpace, first: Mapping[str, Value], seed: int
    ) -> None:
        self._study, self._space, self._first, self._seed = study, space, first, seed
        self._axes = Axes(space)
        self._algorithm = space.study_spec.algorithm
        self._grid = self._axes.grid(first, seed) if self._algorithm == "GRID_SEARCH" else None

    @property
    def limit(self) -> int | None:
        """How many there are; None: any number."""
        return None if self._grid is None else len(self._grid)

    def next(self) -> "tuple[optuna.trial.Trial, dict[str, Value]]":
        """Begin another trial: the first one starts from the defaults."""
        import optuna

        waiting = (optuna.trial.TrialState.WAITING,)
        if not self._study.get_trials(deepcopy=False, states=waiting):
            place = len(standing(self._study))
            enqueue(self._study, self._axes.coordinates(self._given(place)), place)
        self._study.sampler = self._sampler(
            place_of(self._study.get_trials(deepcopy=False, states=waiting)[0])
        )
        trial = self._study.ask(self._axes.distributions)
        return trial, self._axes.values(trial.params)

    def again(self, trial: "optuna.trial.FrozenTrial") -> "tuple[optuna.trial.Trial, dict[str, Value]]":
        """Go on with a trial of a process that was killed."""
        import optuna

        self._study.sampler = self._sampler(place_of(trial))
        taken_up = optuna.trial.Trial(self._study, trial._trial_id)
        for name, distribution in self._axes.distributions.items():
            taken_up._suggest(name, distribution)  # those that it has it keeps
        return taken_up, self._axes.values(taken_up.params)

    def _given(self, place: int) -> Mapping[str, Value]:
        if self._grid is not None:
            return self._grid[place]
        return self._first if place == 0 else {}

    def _sampler(self, place: int) -> "optuna.samplers.BaseSampler":
        import optuna

        seed = int(np.random.SeedSequence([self._seed, place]).generate_state(1)[0])
        if self._algorithm == "RANDOM_SEARCH":
            return optuna.samplers.RandomSampler(seed)
        startup = min(max(self._space.max_trial_count // 3, _FEWEST_RANDOM), _MOST_RANDOM)
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)


def make_pruner(kind: Pruner, epochs: int) -> "optuna.pruners.BasePruner":
    """What decides whether a trial is stopped; steps are epochs, counted from 1.

    Args:
        kind: median: from half of the epochs on, worse than half of the trials that came to their end were
            at the same epoch, once there are 4; hyperband: as in its paper, a third are kept at each rung.
        epochs: of a whole trial.
    """
    import optuna

    if kind == "none" or epochs < FEWEST_EPOCHS:
        return optuna.pruners.NopPruner()
    if kind == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=max(epochs // 9, 1), max_resource=epochs)
    # Not before: what is augmented or regularized more begins slower, and may end higher.
    return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=epochs // 2)
