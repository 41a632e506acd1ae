"""`--weights`: published ones, or a file's, into a fresh network. Classes and image size may differ."""

import contextlib
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from contracts import storage
from contracts.bundle import KERAS_MODEL, ModelBundle
from contracts.console import log
from contracts.errors import InputError
from models.trainer.architecture import Architecture, Pretrained
from models.trainer.config import FROM_SCRATCH, IMAGENET

SECONDS_TO_CONNECT = 20.0


def load_weights(network: keras.Model, weights: str, architecture: Architecture) -> None:
    """Fill a network's base, and its head where the shapes agree.

    Args:
        network: as `architecture.build` gives it.
        weights: `none`, `imagenet`, or a path or URI of a .keras, .weights.h5 or published notop .h5 file, or
            of a bundle.
        architecture: what the network is.

    Raises:
        InputError: there is no such file, or it isn't this architecture's.
    """
    if weights == FROM_SCRATCH:
        return
    if weights == IMAGENET:
        _fill(network, _published(architecture), architecture)
        return
    if not weights.endswith((".keras", ".h5")) and storage.exists(
        storage.join(weights, ModelBundle.file_name)
    ):
        weights = storage.join(weights, KERAS_MODEL)
    with storage.local_copy(weights) as path:
        _fill(network, path, architecture)
    log("weights loaded", weights=weights)


def _fill(network: keras.Model, path: Path, architecture: Architecture) -> None:
    base = _base(network, architecture)
    before = [np.asarray(layer.get_weights()[0]) for layer in base]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the head that doesn't fit; what must fit is checked below
            _read(network, path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} can't be loaded as weights ({str(error).splitlines()[0][:200]}): expected a .keras, "
            f".weights.h5 or notop .h5 file of {architecture.name}"
        ) from None
    for layer, kernel in zip(base, before, strict=True):
        if np.array_equal(layer.get_weights()[0], kernel):
            raise InputError(
                f"{path} has no weights of shape {list(kernel.shape)} for {layer.name}: expected a file of "
                f"{architecture.name}"
            )


def _read(network: keras.Model, path: Path) -> None:
    if path.suffix == ".keras":
        source = keras.saving.load_model(path, compile=False)
        _copy_by_name(source, network)
    elif _is_published_form(path):
        network.load_weights(path, by_name=True, skip_mismatch=True)
    else:
        network.load_weights(path, skip_mismatch=True)


def _copy_by_name(source: keras.Model, network: keras.Model) -> None:
    there = {layer.name: layer.get_weights() for layer in source.layers}
    for layer in network.layers:
        values = there.get(layer.name, [])
        if [value.shape for value in values] == [value.shape for value in layer.get_weights()]:
            layer.set_weights(values)


def _is_published_form(path: Path) -> bool:
    """Whether an .h5 file has Keras 2's form, whose layers have names, rather than Keras 3's."""
    with h5py.File(path) as file:
        return "layer_names" in file.attrs or "model_weights" in file


def _base(network: keras.Model, architecture: Architecture) -> list[Any]:
    """The layers with weights that lie before the head."""
    names = [layer.name for layer in network.layers]
    return [
        layer for layer in network.layers[: names.index(architecture.features)] if layer.trainable_weights
    ]


def _published(architecture: Architecture) -> Path:
    published = architecture.pretrained
    if published is None:
        raise InputError(
            f"{architecture.name} has no published weights: use --weights none, or a file's path"
        )
    try:
        with _impatient(), contextlib.redirect_stdout(sys.stderr):  # Keras prints a bar
            return Path(_download(published))
    except Exception as error:  # noqa: BLE001 - Keras raises a bare one when it can't reach the file
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"Keras' weights for {architecture.name} can't be fetched ({reason}): where there is a network, "
            f"download {published.url} and put it at {_keras_home()}/models/{published.file}"
        ) from None


def _download(published: Pretrained) -> str:
    return str(
        keras.utils.get_file(published.file, published.url, cache_subdir="models", file_hash=published.md5)
    )


def _keras_home() -> str:
    return os.environ.get("KERAS_HOME", "~/.keras")


@contextmanager
def _impatient() -> Iterator[None]:
    """Have sockets give up after a while: Keras would wait for ever."""
    kept = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS_TO_CONNECT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(kept)
