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

from contracts.bundle import ModelBundle
from contracts.errors import InputError
from models.trainer.applications import base_of, with_head
from models.trainer.architecture import Design
from models.trainer.weights import load_weights
from models.vgg16.model import ARCHITECTURE, Options, build

VGG16 = ARCHITECTURE.design(Options())


@pytest.fixture(scope="module")
def source() -> Any:
    keras.utils.set_random_seed(1)
    return build(7, 48)


@pytest.fixture(
    scope="module", params=["model.keras", "model.weights.h5", "published_notop.h5", "published.h5", "bundle"]
)
def file(request: pytest.FixtureRequest, source: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(tmp_path_factory.mktemp("weights"), request.param)
    if path.suffix == ".keras":
        source.save(path)
    elif path.name.endswith(".weights.h5"):
        source.save_weights(path)
    elif path.name == "bundle":
        path.mkdir()
        source.save(path / "model.keras")
        (path / ModelBundle.file_name).touch()
    else:
        layers = [layer for layer in source.layers if layer.name.startswith("block")]
        publish([*layers, *([] if "notop" in path.name else [source.get_layer("logits")])], path)
    return path


def publish(layers: Any, path: Path) -> None:
    """As Keras publishes its weights: Keras 2's form."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        file.attrs["backend"] = b"tensorflow"
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/weight{number}:0" for number, _ in enumerate(layer.get_weights())]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name, data=value)


def test_a_file_fills_the_base_of_another_size_and_other_classes(source: Any, file: Path) -> None:
    network = build(3, 32)
    head = network.get_layer("logits").get_weights()
    load_weights(network, str(file), VGG16, "vgg16")
    for layer in network.layers:
        if "_conv" in layer.name:
            same(layer, source.get_layer(layer.name))
    np.testing.assert_array_equal(network.get_layer("logits").get_weights()[0], head[0])


def same(layer: Any, other: Any) -> None:
    for mine, theirs in zip(layer.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
def test_a_head_of_as_many_classes_is_taken_along(name: str, source: Any, tmp_path: Path) -> None:
    source.save(tmp_path / name) if name.endswith(".keras") else source.save_weights(tmp_path / name)
    network = build(7, 32)
    load_weights(network, str(tmp_path / name), VGG16, "vgg16")
    same(network.get_layer("logits"), source.get_layer("logits"))


def other_network(image: Any) -> Any:
    return keras.layers.Dense(3)(keras.layers.Flatten()(image))


def vgg19(image: Any) -> Any:
    """It has all of VGG16's layers, and more between them."""
    return keras.applications.VGG19(include_top=False, weights=None, input_tensor=image).output


@pytest.mark.parametrize("stranger", [other_network, vgg19])
@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5", "published.h5"])
def test_another_networks_file_is_refused(stranger: Any, name: str, tmp_path: Path) -> None:
    image = keras.Input((32, 32, 3))
    other = keras.Model(image, stranger(image))
    if name == "published.h5":
        publish(other.layers, tmp_path / name)
    else:
        other.save(tmp_path / name) if name.endswith(".keras") else other.save_weights(tmp_path / name)
    with pytest.raises(InputError, match=rf"{name} (has no weights of|can't be).*expected a .*file of vgg16"):
        load_weights(build(3, 32), str(tmp_path / name), VGG16, "vgg16")


def test_a_broken_file_is_refused(source: Any, tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"not a zip")
    source.save_weights(tmp_path / "whole.weights.h5")
    (tmp_path / "half.weights.h5").write_bytes((tmp_path / "whole.weights.h5").read_bytes()[: 1 << 20])
    for name in ("model.keras", "half.weights.h5"):
        with pytest.raises(InputError, match=r"can't be loaded as weights .* file of vgg16"):
            load_weights(build(3, 32), str(tmp_path / name), VGG16, "vgg16")


@pytest.mark.parametrize("name", ["ConvNeXtTiny", "Xception"])
def test_a_published_file_loads_by_order_where_keras_names_change(name: str, tmp_path: Path) -> None:
    """Of a network with models within it, and of one whose layers a counter names."""
    keras.utils.set_random_seed(2)
    published = getattr(keras.applications, name)(
        include_top=False, weights=None, pooling="avg", input_shape=(71, 71, 3)
    )
    publish(published.layers, tmp_path / "published.h5")
    network = with_head(base_of(name, 71), 3, 0.0, name)
    design = Design(build, "features", "all", 71)
    load_weights(network, str(tmp_path / "published.h5"), design, name)
    images = np.random.default_rng(0).integers(0, 256, (2, 71, 71, 3), np.uint8)
    scaled = images / np.float32(127.5) - 1 if name == "Xception" else images.astype(np.float32)
    features = keras.Model(network.input, network.get_layer("features").output)(images)
    np.testing.assert_allclose(features, published(scaled), rtol=1e-4, atol=1e-4)


def test_imagenet_without_a_network_says_where_the_file_belongs(tmp_path: Path) -> None:
    code = (
        "from models.trainer.weights import load_weights; "
        "from models.vgg16.model import ARCHITECTURE, Options; "
        "design = ARCHITECTURE.design(Options()); "
        "load_weights(design.build(2, 32, 0.0), 'imagenet', design, 'vgg16')"
    )
    proxies = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    places = {"PYTHONPATH": "src", "HOME": str(tmp_path), "KERAS_HOME": f"{tmp_path}/keras"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**places, "PATH": os.environ["PATH"], **proxies},
        capture_output=True,
        text=True,
    )
    last = result.stderr.splitlines()[-1]
    assert last.startswith("contracts.errors.InputError")
    file = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert f"/{file} and put it at {tmp_path}/keras/models/{file}" in last
    assert result.stdout == ""


def test_imagenet_is_refused_where_nothing_is_published() -> None:
    design = ARCHITECTURE.design(Options(batch_norm=True))
    with pytest.raises(InputError, match="vgg16 with these options has no published weights: use --weights"):
        load_weights(design.build(2, 32, 0.0), "imagenet", design, "vgg16")
