"""What an image shows, as people and programs read it: lines of a table, or a line of JSON."""

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from serving.predictor import Ranked

BAR: Final = 24
"""Characters of a certain class's bar."""
NOT_SURE: Final = "not sure"


class Prediction(NamedTuple):
    """The classes of one image."""

    top: Sequence[Ranked]
    """The likeliest first; at least one."""
    sure: bool
    """Whether the first is as probable as was asked for."""

    def table(self, uri: str) -> str:
        """The image's name, and under it a line for each class: name, percent, bar."""
        width = max(len(name) for name, _ in self.top)
        lines = [
            f"  {name:<{width}}  {probability:6.1%}  {'█' * round(probability * BAR)}".rstrip()
            for name, probability in self.top
        ]
        return "\n".join([uri if self.sure else f"{uri}  {NOT_SURE}", *lines])

    def json(self, uri: str) -> str:
        """A line of JSON, as `POST /predict` tells it, with the image's name before."""
        top = [{"class": name, "probability": probability} for name, probability in self.top]
        return json.dumps({"image": uri, **top[0], "sure": self.sure, "top": top})
