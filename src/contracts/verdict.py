"""What the gate asks of a bundle, and what it said of one."""

from pydantic import AwareDatetime, Field

from contracts.documents import Part


def _share(description: str) -> float | None:
    share: float | None = Field(default=None, ge=0, le=1, description=description)
    return share


class Floors(Part):
    """What a bundle must reach on the test split, whoever is the champion; None: nothing is asked."""

    min_accuracy: float | None = _share("None: more than always naming the most frequent class would have")
    min_class_recall: float | None = _share("of the class with the lowest")
    max_ece: float | None = _share("expected calibration error of the probabilities that are served")
    max_litert_disagreement: float | None = _share("validation images that LiteRT and the network see apart")


class Verdict(Part):
    """What the gate said of a bundle, as of `judged_at`."""

    blessed: bool
    reasons: tuple[str, ...] = Field(description="a sentence each")
    judged_at: AwareDatetime
    dataset_digest: str = Field(description="of the data whose test split it was judged on")
    floors: Floors
    confidence: float = Field(ge=0.5, le=1, description="that a worse candidate is refused with")
    compared_with: str | None = Field(description="the champion's name; None: there was no other")
    champion: bool = Field(description="whether the next ones are compared with it")
