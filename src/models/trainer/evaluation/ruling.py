"""The gate's rule: what a bundle is worth, beside its floors and the champion, to a verdict.

Two questions have two rules. *May it be deployed?* A candidate is blessed when it meets the floors and isn't
significantly worse than the champion: the same training with another seed gets a few images more or fewer
right, and to refuse half of all trainings for that would be arbitrary. *Are the next ones compared with it?*
Only when it is at least as accurate as the champion. Else many candidates, each a little worse than the one
before and none of them significantly so, would lower the bar step by step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.bundle import LiteRT
from contracts.verdict import Floors, Verdict
from models.trainer.evaluation.comparison import Comparison
from models.trainer.evaluation.metrics import Metrics

_DIGITS = 9
"""Beyond them, 1 - 0.98 is more than 0.02."""


@dataclass(frozen=True)
class Check:
    """One floor beside what was found."""

    name: str
    found: float
    asked: str
    met: bool

    def __str__(self) -> str:
        return f"The {self.name} is {self.found:.4f}; asked is {self.asked}."


@dataclass(frozen=True)
class Rival:
    """The champion that a candidate was compared with."""

    name: str
    comparison: Comparison


@dataclass(frozen=True)
class Ruling:
    """A verdict, and all that it rests on."""

    verdict: Verdict
    checks: tuple[Check, ...]
    rival: Rival | None


def rule(
    metrics: Metrics,
    litert: LiteRT,
    floors: Floors,
    confidence: float,
    dataset_digest: str,
    *,
    rival: Rival | None = None,
    reigning: bool = False,
) -> Ruling:
    """Judge a candidate.

    Args:
        metrics: of the test split.
        litert: how far the LiteRT file agrees.
        floors: what is asked.
        confidence: of the comparison; it stands in the verdict where there was none, too.
        dataset_digest: of the data that it was judged on.
        rival: the champion; None: there is none, or it is the candidate itself.
        reigning: the candidate is the champion, and stays what others are compared with in any case.
    """
    checks = tuple(check_floors(metrics, litert, floors))
    missed = [str(check) for check in checks if not check.met]
    met = [str(check) for check in checks if check.met]
    if rival:
        (missed if rival.comparison.worse else met).append(_beside(rival))
    champion = reigning or (not missed and (rival is None or rival.comparison.succeeds))
    if missed and reigning:
        missed.append("It stays the champion that others are compared with.")
    met.append(f"{rival.name} stays the champion." if rival and not champion else "It is the champion.")
    verdict = Verdict(
        blessed=not missed,
        reasons=tuple(missed or met),
        judged_at=datetime.now(UTC),
        dataset_digest=dataset_digest,
        floors=floors,
        confidence=confidence,
        compared_with=rival.name if rival else None,
        champion=champion,
    )
    return Ruling(verdict, checks, rival)


def check_floors(metrics: Metrics, litert: LiteRT, floors: Floors) -> Iterator[Check]:
    """Look at each floor that is asked for."""
    if floors.min_accuracy is None:
        most = max(row.support for row in metrics.per_class) / metrics.examples
        asked = f"more than {most:.4f}, as always naming the most frequent class has"
        yield Check("accuracy", metrics.accuracy, asked, metrics.accuracy > most)
    else:
        yield _at_least("accuracy", metrics.accuracy, floors.min_accuracy)
    if floors.min_class_recall is not None:
        lowest = min((row for row in metrics.per_class if row.support), key=lambda row: row.recall)
        yield _at_least(f"recall of class {lowest.class_name}", lowest.recall, floors.min_class_recall)
    if floors.max_ece is not None:
        yield _at_most("calibration error", metrics.ece, floors.max_ece)
    if floors.max_litert_disagreement is not None:
        yield _at_most("LiteRT disagreement", 1 - litert.agreement, floors.max_litert_disagreement)


def _at_least(name: str, found: float, floor: float) -> Check:
    return Check(name, found, f"at least {floor:g}", round(found, _DIGITS) >= round(floor, _DIGITS))


def _at_most(name: str, found: float, ceiling: float) -> Check:
    return Check(name, found, f"at most {ceiling:g}", round(found, _DIGITS) <= round(ceiling, _DIGITS))


def _beside(rival: Rival) -> str:
    of = rival.comparison
    low, high = of.interval
    says = "is worse than" if of.worse else "isn't worse beyond chance than"
    return (
        f"It {says} {rival.name}: of {of.images} images {of.lost} are right with {rival.name} alone and "
        f"{of.gained} with it alone (accuracy {of.difference:+.4f}, {of.percent} interval {low:+.4f} to "
        f"{high:+.4f}; McNemar's p {of.p_value:.2g})."
    )
