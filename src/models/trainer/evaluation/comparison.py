"""Whether a candidate is worse than a champion: both answered the same images, so they are compared in pairs.

In: two tables of answers. Out: how often only one of them was right, and what follows from it. The images
that both have right, or both have wrong, tell nothing of which one is better: McNemar's exact test looks at
the others alone, and so sees differences that two intervals of accuracies hide.
"""

from dataclasses import dataclass

import numpy as np

from contracts.errors import InputError
from models.trainer.evaluation.predictions import AnsweredImages, Ints

RESAMPLES = 10_000
_LEAST = 5e-7
"""A probability that the table's six digits show as 0."""


@dataclass(frozen=True)
class Comparison:
    """A candidate beside a champion, on the same images."""

    images: int
    right: int
    """Images that the candidate has right."""
    lost: int
    """Images that only the champion has right."""
    gained: int
    """Images that only the candidate has right."""
    p_value: float
    """How likely so many losses among the differing images are, or more, were both equally good."""
    confidence: float
    interval: tuple[float, float]
    """Of the difference, two-sided at the confidence: a percentile bootstrap over the images."""
    log_loss: float
    """Nats, the candidate's."""
    champion_log_loss: float

    @property
    def accuracy(self) -> float:
        """The candidate's."""
        return self.right / self.images

    @property
    def champion_accuracy(self) -> float:
        """The champion's, on the same images."""
        return (self.right - self.gained + self.lost) / self.images

    @property
    def difference(self) -> float:
        """The candidate's accuracy less the champion's."""
        return (self.gained - self.lost) / self.images

    @property
    def percent(self) -> str:
        """The confidence, to be read."""
        return f"{100 * self.confidence:g}%"

    @property
    def worse(self) -> bool:
        """Whether the candidate is worse beyond chance, at the confidence (one-sided)."""
        return self.p_value < 1 - self.confidence

    @property
    def succeeds(self) -> bool:
        """Whether the candidate is at least as accurate; of equals the surer one, else the champion stays."""
        return (self.difference, self.champion_log_loss - self.log_loss) > (0, 0)


def compare(
    candidate: AnsweredImages, champion: AnsweredImages, confidence: float, *, seed: int = 0
) -> Comparison:
    """Compare two networks' answers for the same images, whatever their order.

    Args:
        candidate: the newcomer's answers.
        champion: the present one's.
        confidence: with which a worse candidate is told from an unlucky one, 0.5…1.
        seed: of the interval's resamples.

    Raises:
        InputError: they answered other images, or images with other labels.
    """
    from scipy.stats import binomtest  # half a second, for who compares only

    ours, theirs = _by_filename(candidate), _by_filename(champion)
    _check_same(candidate, ours, champion, theirs)
    right = (candidate.predicted == candidate.labels)[ours]
    champion_right = (champion.predicted == champion.labels)[theirs]
    images = len(right)
    lost, gained = int((champion_right & ~right).sum()), int((right & ~champion_right).sum())
    differing = lost + gained
    p_value = binomtest(lost, differing, alternative="greater").pvalue if differing else 1.0
    return Comparison(
        images=images,
        right=int(right.sum()),
        lost=lost,
        gained=gained,
        p_value=float(p_value),
        confidence=confidence,
        interval=_interval(lost, gained, images, confidence, seed),
        log_loss=_log_loss(candidate),
        champion_log_loss=_log_loss(champion),
    )


def _by_filename(answers: AnsweredImages) -> Ints:
    return np.argsort(np.asarray(answers.filenames), kind="stable")


def _check_same(candidate: AnsweredImages, ours: Ints, champion: AnsweredImages, theirs: Ints) -> None:
    names, champion_names = set(candidate.filenames), set(champion.filenames)
    same = sorted(candidate.filenames) == sorted(champion.filenames)
    if not same or (candidate.labels[ours] != champion.labels[theirs]).any():
        raise InputError(
            f"expected that candidate and champion answered the same test images, but of {len(names)} and "
            f"{len(champion_names)} they share {len(names & champion_names)}"
            f"{', with other labels' if same else ''}: train them on the same records"
        )


def _interval(lost: int, gained: int, images: int, confidence: float, seed: int) -> tuple[float, float]:
    """Resample the images: how many of a kind are drawn is multinomial."""
    shares = np.array([lost, gained, images - lost - gained]) / images
    draws = np.random.default_rng(seed).multinomial(images, shares, RESAMPLES)
    differences = (draws[:, 1] - draws[:, 0]) / images
    low, high = np.quantile(differences, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _log_loss(answers: AnsweredImages) -> float:
    return float(-np.log(np.maximum(answers.probability_of_label, _LEAST)).mean())
