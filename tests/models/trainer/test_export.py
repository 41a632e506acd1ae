"""A bundle of a real, tiny network: its three forms answer alike, and it is whole."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import imaging
from contracts import storage
from contracts.bundle import ImageSpec, ModelBundle, open_bundle
from contracts.dataset import ResizeMode
from contracts.errors import InputError, StageError
from models.trainer import litert
from models.trainer.examples import batches, read_examples
from models.trainer.export import publish_bundle
from models.trainer.litert import LiteRTModel, convert, write_litert
from models.trainer.precision import in_precision
from models.trainer.saved_model import prepare


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> ModelBundle:
    return ModelBundle.read(str(tiny_bundle))


@pytest.fixture(scope="module")
def pixels(tiny_records: Path, bundle: ModelBundle) -> NDArray[np.uint8]:
    """The test split, uint8 [30, 32, 32, 3]."""
    shard = str(tiny_records / "test-00000-of-00001.tfrecord")
    return next(batches(read_examples([shard]), bundle.image, 30))[1]


@pytest.fixture(scope="module")
def probabilities(tiny_network: Any, pixels: NDArray[np.uint8], bundle: ModelBundle) -> NDArray[np.float32]:
    """What the network itself says at the bundle's temperature."""
    return np.asarray(tf.nn.softmax(tiny_network(pixels) / bundle.calibration.temperature))


def photo(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Something as smooth as a photo: uint8 [height, width, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encoded(pixels: NDArray[np.uint8], kind: str, **how: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **how)
    return buffer.getvalue()


def test_every_file_is_listed_and_verifies(tiny_bundle: Path) -> None:
    with open_bundle(str(tiny_bundle)) as (folder, bundle):
        on_disk = {file.name for file in storage.list_files(str(folder))}
    assert on_disk == {*bundle.files, "bundle.json"}
    for name in ("model.keras", "model.tflite", "labels.csv", "model_card.md", "saved_model/saved_model.pb"):
        assert name in bundle.files


def test_a_failed_export_leaves_no_final_name_and_the_next_one_is_whole(
    tiny_export: Callable[..., ModelBundle], tmp_path: Path
) -> None:
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden" / "99.jpg").write_bytes(b"of an export that was killed while it moved files")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last").write_bytes(b"the trainer's own")
    # The golden images come after the models, so by then half of the bundle is written.
    with pytest.raises(InputError):
        tiny_export(tmp_path, test=[str(tmp_path / "gone.tfrecord")])
    assert (tmp_path / ".export" / "model.tflite").is_file()
    assert not (tmp_path / "model.tflite").exists()
    assert not (tmp_path / "bundle.json").exists()
    bundle = tiny_export(tmp_path)
    on_disk = {file.name for file in storage.list_files(str(tmp_path))}
    assert on_disk == {*bundle.files, "bundle.json", "checkpoints/last"}
    with open_bundle(str(tmp_path)):
        pass


def test_labels_are_the_classes_in_order(tiny_bundle: Path, bundle: ModelBundle) -> None:
    rows = list(csv.DictReader((tiny_bundle / "labels.csv").read_text(encoding="utf-8").splitlines()))
    assert [(int(row["index"]), row["class_name"]) for row in rows] == list(enumerate(bundle.class_names))


def test_litert_answers_as_the_network(
    tiny_bundle: Path, pixels: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> None:
    answers = LiteRTModel(tiny_bundle / "model.tflite").probabilities(pixels)
    np.testing.assert_allclose(answers, probabilities, atol=0.02)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_litert_holds_int8_weights_and_agrees(tiny_bundle: Path, bundle: ModelBundle) -> None:
    interpreter = Interpreter(str(tiny_bundle / "model.tflite"))
    assert np.int8 in {tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    assert bundle.litert.quantization == "int8-dynamic-range"
    assert bundle.litert.agreement >= litert.LEAST_AGREEMENT
    assert bundle.litert.examples == 24


def test_float16_is_taken_where_int8_disagrees(pixels: NDArray[np.uint8], tmp_path: Path) -> None:
    # The weights span so much that 8 bits lose the small ones, which alone tell the classes apart.
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    network = keras.Model(image, keras.layers.Dense(3)(x))
    kernel = np.random.default_rng(0).normal(0, 1e-3, (3072, 3)).astype(np.float32)
    kernel[:2] = [[30.0] * 3, [-30.0] * 3]
    network.set_weights([kernel, np.zeros(3, np.float32)])
    flat = pixels.copy()
    flat[:, 0, 0, 0] = flat[:, 0, 0, 1] = 128
    made = write_litert(network, tmp_path / "model.tflite", [flat])
    assert made.quantization == "float16"
    assert made.agreement >= litert.LEAST_AGREEMENT


def test_a_file_that_is_not_the_network_is_refused(
    tiny_network: Any, pixels: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = keras.models.clone_model(tiny_network)
    other.set_weights([-weights for weights in tiny_network.get_weights()])
    wrong = convert(other)
    monkeypatch.setattr(litert, "convert", lambda *_, **__: wrong)
    with pytest.raises(StageError, match="the conversion is wrong"):
        write_litert(tiny_network, tmp_path / "model.tflite", [pixels])


def test_an_answer_that_is_no_number_is_refused(
    tiny_network: Any, pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    broken = keras.models.clone_model(tiny_network)
    broken.set_weights([np.full_like(weights, np.nan) for weights in tiny_network.get_weights()])
    (tmp_path / "model.tflite").write_bytes(convert(broken, tf.float16))
    with pytest.raises(StageError, match="NaN"):
        LiteRTModel(tmp_path / "model.tflite").probabilities(pixels)


def test_golden_images_replay(tiny_bundle: Path, bundle: ModelBundle) -> None:
    model = LiteRTModel(tiny_bundle / "model.tflite")
    assert 4 <= len(bundle.golden) <= 8
    named = set()
    for golden in bundle.golden:
        answer = model.probabilities(
            imaging.prepare((tiny_bundle / golden.file).read_bytes(), bundle.image)[None]
        )
        np.testing.assert_allclose(answer[0], golden.probabilities, atol=1e-5)
        named.add(int(answer.argmax()))
    assert named == {0, 1, 2}


def test_saved_model_answers_pixels_and_bytes(
    tiny_bundle: Path, bundle: ModelBundle, pixels: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> None:
    served = tf.saved_model.load(str(tiny_bundle / "saved_model"))
    answer = served.signatures["pixels"](pixels=tf.constant(pixels))
    np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-5)
    images = [(tiny_bundle / golden.file).read_bytes() for golden in bundle.golden]
    images.append(encoded(photo(90, 61), "PNG"))
    answer = served.signatures["serving_default"](image_bytes=tf.constant(images))
    prepared = np.stack([imaging.prepare(image, bundle.image) for image in images])
    expected = served.signatures["pixels"](pixels=tf.constant(prepared))
    np.testing.assert_allclose(answer["probabilities"], expected["probabilities"], atol=0.02)
    assert [name.decode() for name in answer["class_names"].numpy()[-1]] == list(bundle.class_names)


def test_keras_file_loads_and_gives_logits(
    tiny_bundle: Path, tiny_network: Any, pixels: NDArray[np.uint8]
) -> None:
    network = keras.models.load_model(tiny_bundle / "model.keras")
    np.testing.assert_allclose(network(pixels), tiny_network(pixels), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(8, 200),
    width=st.integers(8, 200),
    sizes=st.sampled_from([(32, 32), (24, 32), (40, 32)]),
    mode=st.sampled_from(["shorter-side", "crop", "pad", "stretch"]),
    kind=st.sampled_from(["JPEG", "PNG", "BMP", "GIF"]),
)
def test_tensorflow_prepares_as_imaging_does(
    height: int, width: int, sizes: tuple[int, int], mode: ResizeMode, kind: str
) -> None:
    spec = ImageSpec(size=sizes[0], record_size=sizes[1], resize=mode)
    data = encoded(photo(height, width), kind)
    ours, graph = (
        imaging.prepare(data, spec).astype(int),
        prepare(tf.constant(data), spec).numpy().astype(int),
    )
    assert np.abs(ours - graph).max() <= 3
    assert np.abs(ours - graph).mean() <= 0.6


def test_tensorflow_lays_transparency_on_white_too() -> None:
    rgba = np.dstack([photo(50, 40), np.linspace(0, 255, 2000).reshape(50, 40).astype(np.uint8)])
    data, spec = encoded(rgba, "PNG"), ImageSpec(size=32, record_size=32, resize="crop")
    difference = imaging.prepare(data, spec).astype(int) - prepare(tf.constant(data), spec).numpy()
    assert np.abs(difference).max() <= 3


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_exported_in_float32(
    policy: str, pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255, dtype=policy)(image)
    x = keras.ops.flip(x, axis=-1)  # as in VGG16: an operation of the graph that is no layer
    x = keras.layers.Conv2D(16, 3, dtype=policy)(x)
    x = keras.layers.BatchNormalization(dtype=policy)(x)
    x = keras.layers.GlobalAveragePooling2D(dtype=policy)(x)
    network = keras.Model(image, keras.layers.Dense(3, dtype="float32")(x))
    exported = in_precision(network, "float32")
    assert {layer.compute_dtype for layer in exported.layers[1:]} == {"float32"}
    np.testing.assert_allclose(exported(pixels), np.asarray(network(pixels)), atol=0.05)
    write_litert(exported, tmp_path / "model.tflite", [pixels])


def test_publishing_writes_the_document_last_and_nothing_else(
    tiny_bundle: Path, tmp_path: Path, bucket: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(tiny_bundle, folder)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last").write_bytes(b"not part of the bundle")
    uri = f"{bucket}/models/run"
    publish_bundle(folder, uri)
    assert "checkpoints/last" not in {file.name for file in storage.list_files(uri)}
    with open_bundle(uri) as (_, published):
        assert published == ModelBundle.read(str(folder))
    before = (folder / "bundle.json").stat().st_mtime_ns
    publish_bundle(folder, str(folder))
    assert (folder / "bundle.json").stat().st_mtime_ns == before


def test_report_tells_what_the_bundle_does(tiny_bundle: Path, bundle: ModelBundle) -> None:
    metrics = json.loads((tiny_bundle / "report/metrics.json").read_text())
    assert metrics["accuracy"] == bundle.metrics["accuracy"]
