"""BentoML with a LiteRT file: `bentoml serve serve_bentoml:Flowers`."""

import os

import bentoml
from litert import Network
from photo import CLASSES, crop
from PIL.Image import Image


@bentoml.service(workers=int(os.environ["WORKERS"]))
class Flowers:
    """One in each worker."""

    def __init__(self) -> None:
        self.network = Network()

    @bentoml.api(route="/predict")
    def predict(self, file: Image) -> dict[str, float]:
        """Name the classes' probabilities."""
        return dict(zip(CLASSES, self.network(crop(file)).tolist(), strict=True))
