"""--weights: every form of file fills the base, the head only where it fits, and a stranger is refused."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from contracts.errors import InputError
from models.trainer.weights import load_weights
from models.vgg16.model import ARCHITECTURE, build


@pytest.fixture(scope="module")
def source() -> Any:
    keras.utils.set_random_seed(1)
    return build(7, 48)


@pytest.fixture(scope="module", params=["model.keras", "model.weights.h5", "published_notop.h5"])
def file(request: pytest.FixtureRequest, source: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(tmp_path_factory.mktemp("weights"), request.param)
    if path.suffix == ".keras":
        source.save(path)
    elif path.name.endswith(".weights.h5"):
        source.save_weights(path)
    else:
        _publish(source, path)
    return path


def _publish(network: Any, path: Path) -> None:
    """As Keras publishes its weights: Keras 2's form, without the head."""
    layers = [layer for layer in network.layers if "_conv" in layer.name or "_pool" in layer.name]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        file.attrs["backend"] = b"tensorflow"
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{kind}:0" for kind in ("kernel", "bias")] if layer.weights else []
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name, data=value)


def test_a_file_fills_the_base_of_another_size_and_other_classes(source: Any, file: Path) -> None:
    network = build(3, 32)
    head = network.get_layer("logits").get_weights()
    load_weights(network, str(file), ARCHITECTURE)
    for layer in network.layers:
        if "_conv" in layer.name:
            for mine, theirs in zip(
                layer.get_weights(), source.get_layer(layer.name).get_weights(), strict=True
            ):
                np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(network.get_layer("logits").get_weights()[0], head[0])


def test_a_head_of_as_many_classes_is_taken_along(source: Any, tmp_path: Path) -> None:
    source.save(tmp_path / "model.keras")
    network = build(7, 32)
    load_weights(network, str(tmp_path / "model.keras"), ARCHITECTURE)
    np.testing.assert_array_equal(
        network.get_layer("logits").get_weights()[0], source.get_layer("logits").get_weights()[0]
    )


@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
def test_another_networks_file_is_refused(name: str, tmp_path: Path) -> None:
    image = keras.Input((32, 32, 3))
    other = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(image)))
    other.save(tmp_path / name) if name.endswith(".keras") else other.save_weights(tmp_path / name)
    with pytest.raises(InputError, match=r"expected a .*file of vgg16"):
        load_weights(build(3, 32), str(tmp_path / name), ARCHITECTURE)


def test_imagenet_without_a_network_says_where_the_file_belongs(tmp_path: Path) -> None:
    code = (
        "from models.trainer.weights import load_weights; from models.vgg16.model import ARCHITECTURE as a; "
        "load_weights(a.build(2, 32, 0.0), 'imagenet', a)"
    )
    proxies = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": "src", "HOME": str(tmp_path), "PATH": os.environ["PATH"], **proxies},
        capture_output=True,
        text=True,
    )
    last = result.stderr.splitlines()[-1]
    assert last.startswith("contracts.errors.InputError")
    assert f"put it at ~/.keras/models/{ARCHITECTURE.pretrained.file}" in last  # type: ignore[union-attr]
