"""TensorFlow's start: quiet, and with Keras on it. Nothing here imports either before it is asked to."""

import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import InputError

_DRIVERS = ("nvidia[0-9]*", "dxg", "kfd")
"""In /dev: an NVIDIA driver's cards, Windows' Subsystem for Linux, AMD."""


def check_driver(gpu: str) -> None:
    """Refuse GPUs at once where Linux has no driver for any: TensorFlow takes seconds to say the same.

    Raises:
        InputError: GPUs are wanted and there is no driver.
    """
    if gpu != "0" and sys.platform == "linux" and not any(any(Path("/dev").glob(name)) for name in _DRIVERS):
        raise InputError(
            f"--gpu {gpu} wants more than this machine has: there is no GPU driver; use --gpu 0 (the CPU)"
        )


def load_tensorflow() -> None:
    """Import TensorFlow and Keras without their chatter; call it before any module that imports them.

    TF_CPP_MIN_LOG_LEVEL is kept where it is set, and then nothing is held back.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        _import()
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # 2 still lets "failed call to cuInit" through
    with _stderr_held_back():
        _import()
    # Through absl, since Keras sets the level and puts back what absl thought that it was.
    importlib.import_module("absl.logging").set_verbosity("error")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _import() -> None:
    for name in ("tensorflow", "keras"):
        importlib.import_module(name)


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Keep what native code writes to standard error, unless the block fails.

    oneDNN's notice comes before TensorFlow reads its log level, so no variable stops it.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
