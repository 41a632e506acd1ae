"""An endpoint's traffic split: percents by deployed model, and whose turn it is."""

from collections.abc import Collection, Mapping

from rehearsal.vertex_ai.errors import require


def check_split(split: Mapping[str, int], known: Collection[str]) -> None:
    """Refuse a split that isn't one of 100 % over what is there; an empty one takes no traffic."""
    for number, percent in split.items():
        require(number in known, f"traffic_split: there is no deployed model {number!r}")
        require(0 <= percent <= 100, f"traffic_split: {percent} is no percentage")
    require(not split or sum(split.values()) == 100, "traffic_split: the percentages must add up to 100")


class Turns:
    """Smooth weighted round robin: of 100 requests each model gets exactly its share, spread evenly."""

    def __init__(self) -> None:
        self._credit: dict[str, int] = {}

    def next(self, split: Mapping[str, int]) -> str:
        """The deployed model that answers now."""
        self._credit = {number: self._credit.get(number, 0) + share for number, share in split.items()}
        chosen = max(self._credit, key=lambda number: self._credit[number])
        self._credit[chosen] -= sum(split.values())
        return chosen
