"""A LiteRT file: uint8 [1, 224, 224, 3] in, float32 [5] of probabilities out."""

import os

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray


class Network:
    """An interpreter of its own; THREADS says with how many threads."""

    def __init__(self) -> None:
        self.interpreter = Interpreter(
            f"{os.environ['BUNDLE']}/model.tflite", num_threads=int(os.environ["THREADS"])
        )
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]["index"]
        self.output = self.interpreter.get_output_details()[0]["index"]

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Ask it."""
        self.interpreter.set_tensor(self.input, pixels)
        self.interpreter.invoke()
        return np.asarray(self.interpreter.get_tensor(self.output)[0])
