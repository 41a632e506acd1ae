"""A photo decoded and put through a LiteRT file, over and over, without HTTP: what no server can beat.

    PYTHONPATH=src python serving_bare.py BUNDLE PHOTO INTERPRETERS THREADS SECONDS

So many interpreters with so many threads each, and as many Python threads, which each decode for their own.
Stdout is one line of JSON, with the fields of `benchmarks.serving_load.Load`.
"""

import json
import sys
import threading
import time
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from contracts.bundle import LITERT_MODEL, ImageSpec, ModelBundle
from imaging import prepare


class Network:
    """One interpreter, and how bytes become its input."""

    def __init__(self, file: Path, threads: int, spec: ImageSpec) -> None:
        self.spec = spec
        self.interpreter = Interpreter(str(file), num_threads=threads)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]["index"]
        self.output = self.interpreter.get_output_details()[0]["index"]

    def ask(self, photo: bytes) -> None:
        """Decode, and take its answer."""
        self.interpreter.set_tensor(self.input, prepare(photo, self.spec)[None])
        self.interpreter.invoke()
        self.interpreter.get_tensor(self.output)


def main() -> None:
    """Do what the arguments say."""
    bundle, photo = sys.argv[1], Path(sys.argv[2]).read_bytes()
    interpreters, threads, seconds = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    spec = ModelBundle.read(bundle).image
    networks = [Network(Path(bundle) / LITERT_MODEL, threads, spec) for _ in range(interpreters)]
    for network in networks:
        network.ask(photo)
    milliseconds: list[float] = []
    began, used = time.perf_counter(), time.process_time()

    def work(network: Network) -> None:
        while time.perf_counter() < began + seconds:
            started = time.perf_counter()
            network.ask(photo)
            milliseconds.append(1000 * (time.perf_counter() - started))

    workers = [threading.Thread(target=work, args=[network]) for network in networks]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    load = {"milliseconds": milliseconds, "answers": len(milliseconds), "failures": 0}
    load |= {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}
    sys.stdout.write(json.dumps(load) + "\n")


if __name__ == "__main__":
    main()
