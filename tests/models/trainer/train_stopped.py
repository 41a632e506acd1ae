"""Train the small network as `train_small.py` does, with something that happens at a stated moment.

Arguments: those of train_small.py, and what happens, as JSON [file name, n, what]: when the file is about to
get its final name for the n-th time, this very process gets the signals that `what` lists, or can write no
file of more than a few bytes any more, as on a full disk, where `what` is "full".
"""

import json
import os
import resource
import runpy
import sys
from pathlib import Path
from typing import Any

SMALL = 512
"""Bytes."""


def main() -> None:
    name, number, what = json.loads(sys.argv.pop())
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event == "os.rename" and Path(str(arguments[1])).name == name:
            seen += 1
            if seen == number:
                happen(what)

    sys.addaudithook(hook)
    runpy.run_path(str(Path(__file__).with_name("train_small.py")), run_name="__main__")


def happen(what: list[int] | str) -> None:
    if what == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    else:
        for number in what:
            os.kill(os.getpid(), int(number))


if __name__ == "__main__":
    main()
