"""Temperature scaling: one number that makes a network as sure as it is right (Guo et al., 2017).

Logits are divided by the temperature before the softmax: above 1 a network is less sure than it said, below 1
surer. Which class it names stays the same. Here it is done to probabilities, whose logarithms are the logits
but for a constant of each image.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from models.trainer.evaluation.predictions import Floats, Ints

LOWEST, HIGHEST = 0.05, 20.0
"""The temperatures among which one is looked for."""

_TINY = float(np.finfo(np.float32).tiny)
"""What a probability of 0 counts as: a softmax in float32 gives none between them."""


def tempered(probabilities: Floats, temperature: float) -> NDArray[np.float32]:
    """Give softmax(logits / temperature) from softmax(logits), float32 [n, classes].

    `tempered(…, 1 / temperature)` undoes it.
    """
    return np.exp(_log_tempered(_logarithms(probabilities), temperature)).astype(np.float32)


def fit_temperature(probabilities: Floats, labels: Ints) -> float:
    """Find the temperature at which a split's log loss is least.

    A network that makes no mistake on the split would be told to be ever surer. So the temperature is drawn
    towards 1, as by a prior: its logarithm is taken to be normal with a deviation of 1, which a few mistakes
    outweigh. The result is within `LOWEST` and `HIGHEST`, whatever the answers.

    Args:
        probabilities: [n, classes], at temperature 1; of images that the network wasn't trained on.
        labels: int [n].
    """
    rows, logarithms = np.arange(len(labels)), _logarithms(probabilities)

    def loss(log_temperature: float) -> float:
        likelihood = _log_tempered(logarithms, np.exp(log_temperature))[rows, labels].sum()
        return float(log_temperature**2 / 2 - likelihood)

    bounds = (np.log(LOWEST), np.log(HIGHEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def _logarithms(probabilities: Floats) -> NDArray[np.float64]:
    return np.log(np.maximum(probabilities.astype(np.float64), _TINY))


def _log_tempered(logarithms: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    return np.asarray(log_softmax(logarithms / temperature, axis=1))
