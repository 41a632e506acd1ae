"""How an endpoint shares its requests out: percents by deployed model, which add up to 100."""

from collections.abc import Mapping


def beside(split: Mapping[str, int], newcomer: str, percent: int) -> dict[str, int]:
    """Give `newcomer` its percent; the others keep their proportions in what is left.

    Args:
        split: percents by deployed model, whatever they add up to; one of `newcomer` counts for nothing.
        newcomer: a deployed model's id.
        percent: 0 to 100.
    """
    return {**shared(without(split, newcomer), 100 - percent), newcomer: percent}


def without(split: Mapping[str, int], gone: str) -> dict[str, int]:
    """The others' part of a split."""
    return {model: share for model, share in split.items() if model != gone}


def shared(split: Mapping[str, int], total: int = 100) -> dict[str, int]:
    """Scale a split to `total`, in whole percents; where nobody had any, all get alike."""
    weights = dict(split) if sum(split.values()) else dict.fromkeys(split, 1)
    exact = {model: weight * total / sum(weights.values()) for model, weight in weights.items()}
    scaled = {model: int(share) for model, share in exact.items()}
    by_rest = sorted(exact, key=lambda model: scaled[model] - exact[model])
    for model in by_rest[: total - sum(scaled.values())]:
        scaled[model] += 1
    return scaled
