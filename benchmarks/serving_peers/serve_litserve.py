"""LitServe with a LiteRT file: `python serve_litserve.py PORT`."""

import os
import sys

import litserve
import numpy as np
from fastapi import Request
from litert import Network
from numpy.typing import NDArray
from photo import CLASSES, prepare


class Flowers(litserve.LitAPI):
    """The steps that LitServe wants."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe hands it over
        """Load, in each worker."""
        self.network = Network()

    def decode_request(self, request: Request) -> NDArray[np.uint8]:
        """A form's file: LitServe hands the form over, whatever the annotation."""
        return prepare(request["file"].file)

    def predict(self, x: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Ask the network."""
        return self.network(x)

    def encode_response(self, output: NDArray[np.float32]) -> dict[str, float]:
        """Name the classes' probabilities."""
        return dict(zip(CLASSES, output.tolist(), strict=True))


if __name__ == "__main__":
    server = litserve.LitServer(
        Flowers(api_path="/predict"), accelerator="cpu", workers_per_device=int(os.environ["WORKERS"])
    )
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
