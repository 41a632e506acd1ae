"""`--weights`: published ones, or a file's, into a fresh network. Classes and image size may differ."""

import contextlib
import os
import re
import socket
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice, takewhile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from contracts import storage
from contracts.bundle import KERAS_MODEL, ModelBundle
from contracts.console import log
from contracts.errors import InputError
from models.trainer.architecture import Design
from models.trainer.config import FROM_SCRATCH, IMAGENET

SECONDS_TO_CONNECT = 20.0

Layer = tuple[str, list[NDArray[Any]]]
"""A layer's name and its weights, in Keras' order."""

# Keras keeps these under a name that isn't the URL's last part.
_KEPT_AS = {
    "NASNet-large-no-top.h5": "nasnet_large_no_top.h5",
    "NASNet-mobile-no-top.h5": "nasnet_mobile_no_top.h5",
}


def load_weights(network: keras.Model, weights: str, design: Design, architecture: str) -> None:
    """Fill a network's base, and its head where it has as many classes.

    Args:
        network: as `design.build` gives it.
        weights: `none`, `imagenet`, or a path or URI of a .keras, .weights.h5 or published .h5 file, or of a
            bundle.
        design: what the network is.
        architecture: its name, for what is said.

    Raises:
        InputError: there is no such file, or it isn't this architecture's.
    """
    if weights == FROM_SCRATCH:
        return
    if not _base(network, design):
        raise InputError(f"{architecture} is all head, which --weights doesn't fill: use --weights none")
    if weights == IMAGENET:
        _copy(_layers_of(_published(design, architecture)), network, design, IMAGENET, architecture)
    else:
        if not weights.endswith((".keras", ".h5")) and storage.exists(
            storage.join(weights, ModelBundle.file_name)
        ):
            weights = storage.join(weights, KERAS_MODEL)
        with storage.local_copy(weights) as path:
            _load(network, path, design, weights, architecture)
    log("weights loaded", weights=weights)


def _load(network: keras.Model, path: Path, design: Design, weights: str, architecture: str) -> None:
    try:
        source = _read(path)
        if source is None:
            _fill_in_keras_form(network, path, design)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{weights} can't be loaded as weights ({str(error).splitlines()[0][:200]}): expected a .keras, "
            f".weights.h5 or published .h5 file of {architecture}"
        ) from None
    if source is None:
        _check_filled(network, design, weights, architecture)
    else:
        _copy(source, network, design, weights, architecture)


def _read(path: Path) -> list[Layer] | None:
    """A file's layers in order; None of Keras 3's .weights.h5, which doesn't tell their order."""
    if path.suffix == ".keras":
        return _layers_of(keras.saving.load_model(path, compile=False))
    with h5py.File(path) as file:
        group = file.get("model_weights", file)
        return _layers_in(group) if _attribute(group, "layer_names") else None


def _layers_of(model: keras.Model) -> list[Layer]:
    return _weighted((layer.name, layer.get_weights()) for layer in model.layers)


def _layers_in(group: Any) -> list[Layer]:
    """The layers of Keras 2's form, in which Keras publishes its weights."""
    return _weighted(
        (name, [group[name][weight][()] for weight in _attribute(group[name], "weight_names")])
        for name in _attribute(group, "layer_names")
    )


def _attribute(group: Any, name: str) -> list[str]:
    """Names that a group lists; in parts where they are too long for one attribute."""
    parts = takewhile(group.attrs.__contains__, (f"{name}{number}" for number in count()))
    listed = [value for part in ([name] if name in group.attrs else parts) for value in group.attrs[part]]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in listed]


def _weighted(layers: Iterable[Layer]) -> list[Layer]:
    """Without the layers that have no weights, and a Normalization's: only it has a scalar among them.

    EfficientNet's is the one there is, and `models.trainer.applications` makes its weights constants.
    """
    return [(name, values) for name, values in layers if values and all(value.shape for value in values)]


def _copy(
    source: Sequence[Layer], network: keras.Model, design: Design, weights: str, architecture: str
) -> None:
    base = _base(network, design)
    found = _by_name(source, base) or _by_order(source, base)
    if found is None:
        raise _missing(_first_other(source, base), weights, architecture)
    for layer, values in zip(base, found, strict=True):
        layer.set_weights(values)
    there = dict(source)
    for layer in network.layers:
        if layer not in base and layer.weights and _fits(layer, there.get(layer.name, [])):
            layer.set_weights(there[layer.name])


def _by_name(source: Sequence[Layer], base: Sequence[Any]) -> list[list[NDArray[Any]]] | None:
    """What the base's layers are to hold, if the source begins with layers of their names and shapes.

    Not only has them: VGG19 has all of VGG16's.
    """
    there = dict(source[: len(base)])
    if not all(_fits(layer, there.get(layer.name, [])) for layer in base):
        return None
    return [there[layer.name] for layer in base]


def _by_order(source: Sequence[Layer], base: Sequence[Any]) -> list[list[NDArray[Any]]] | None:
    """What the base's layers are to hold, if the source begins with weights of their shapes.

    Some of Keras' networks have layers that a counter names, and some have models within the model.
    """
    values = (value for _, layer in source for value in layer)
    found = [list(islice(values, len(layer.get_weights()))) for layer in base]
    return found if all(_fits(*pair) for pair in zip(base, found, strict=True)) else None


def _fits(layer: Any, values: Sequence[NDArray[Any]]) -> bool:
    return [value.shape for value in values] == [value.shape for value in layer.get_weights()]


def _first_other(source: Sequence[Layer], base: Sequence[Any]) -> Any:
    """The first layer of the base for which the source has no weights under its name or in its place."""
    there = dict(source)
    named = [layer for layer in base if not _fits(layer, there.get(layer.name, []))]
    places = zip(base, [values for _, values in source][: len(base)], strict=False)
    placed = [layer for layer, values in places if not _fits(layer, values)]
    return (named or placed or [base[-1]])[0]


def _missing(layer: Any, weights: str, architecture: str) -> InputError:
    shape = list(layer.get_weights()[0].shape)
    return InputError(
        f"{weights} has no weights of shape {shape} for {layer.name}: expected a file of {architecture} "
        "with the same options"
    )


def _fill_in_keras_form(network: keras.Model, path: Path, design: Design) -> None:
    """Let Keras read its own form. What it doesn't fill is NaN then: it only warns of what doesn't fit."""
    for layer in _base(network, design):
        layer.set_weights([np.full_like(value, np.nan) for value in layer.get_weights()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a head of other classes
        network.load_weights(path, skip_mismatch=True)


def _check_filled(network: keras.Model, design: Design, weights: str, architecture: str) -> None:
    for layer in _base(network, design):
        if any(np.isnan(value).any() for value in layer.get_weights()):
            raise _missing(layer, weights, architecture)


def _base(network: keras.Model, design: Design) -> list[Any]:
    """The layers with weights up to the one that the head reads."""
    names = [layer.name for layer in network.layers]
    return [layer for layer in network.layers[: names.index(design.features) + 1] if layer.weights]


def _published(design: Design, architecture: str) -> keras.Model:
    if design.published is None:
        raise InputError(
            f"{architecture} with these options has no published weights: use --weights none or a file's path"
        )
    try:
        with _impatient(), contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a MobileNet's image size is taken for 224
            return design.published()  # which prints a bar
    except Exception as error:  # noqa: BLE001 - Keras raises a bare one when it can't reach the file
        raise InputError(_how_to_fetch(" ".join(str(error).split()), architecture)) from None


def _how_to_fetch(reason: str, architecture: str) -> str:
    said = f"Keras' weights for {architecture} can't be fetched"
    found = re.search(r"https?://\S+/([^/\s]+\.h5)", reason)
    if not found:
        return f"{said} ({reason[:200]}): give a file's path to --weights"
    why = reason.rpartition(f"{found[0]}: ")[2][:200]
    home = os.environ.get("KERAS_HOME", "~/.keras")
    place = f"{home}/models/{_KEPT_AS.get(found[1], found[1])}"
    return (
        f"{said} ({why}): where there is a network, download {found[0]} and put it at {place}, "
        "or give its path to --weights"
    )


@contextmanager
def _impatient() -> Iterator[None]:
    """Have sockets give up after a while: Keras would wait for ever."""
    kept = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS_TO_CONNECT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(kept)
