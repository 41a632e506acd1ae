"""Opening a bundle: whole, in part, from a bucket, and the messages where it is broken."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts import storage
from contracts.bundle import BundleFile, Calibration, Golden, ImageSpec, LiteRT, ModelBundle, open_bundle
from contracts.errors import InputError

FILES = {"model.tflite": b"weights", "golden/00.jpg": b"an image", "report/report.html": b"<p>"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "bundle"
    for name, data in FILES.items():
        storage.write_bytes(str(root / name), data)
    ModelBundle(
        name="run",
        architecture="cnn",
        dataset="digits",
        dataset_digest="0",
        created_at=datetime.now(UTC),
        class_names=("a", "b"),
        image=ImageSpec(size=8, record_size=8, resize="crop"),
        calibration=Calibration(temperature=1.2, examples=1),
        litert=LiteRT(quantization="float16", agreement=1, examples=1),
        golden=(Golden(file="golden/00.jpg", probabilities=(0.5, 0.5)),),
        golden_tolerance=0.02,
        metrics={"accuracy": 1},
        config={},
        git_commit=None,
        packages={},
        wandb_run=None,
        files={name: BundleFile.of(root / name) for name in FILES},
    ).write(str(root))
    return root


def test_a_local_bundle_is_used_where_it_is(folder: Path) -> None:
    with open_bundle(str(folder)) as (path, bundle):
        assert path == folder
        assert bundle.files["model.tflite"].bytes == len(b"weights")


def test_only_what_is_wanted_is_verified_and_all_must_be_there(folder: Path) -> None:
    (folder / "report/report.html").write_text("changed")
    with open_bundle(str(folder), ["model.tflite", "golden"]) as (_, bundle):
        assert bundle.names(["model.tflite", "golden"]) == ["model.tflite", "golden/00.jpg"]
    (folder / "report/report.html").unlink()
    with pytest.raises(InputError, match=r"lacks report/report\.html"), open_bundle(str(folder), ["golden"]):
        pass


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "model.tflite").unlink()
    with pytest.raises(InputError, match=r"lacks model\.tflite"), open_bundle(str(folder)):
        pass


def test_a_changed_file_is_named(folder: Path) -> None:
    (folder / "model.tflite").write_bytes(b"Weights")
    with pytest.raises(InputError, match=r"model\.tflite isn't the file"), open_bundle(str(folder)):
        pass


def test_what_the_bundle_never_had_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match="lists no saved_model"), open_bundle(str(folder), ["saved_model"]):
        pass


def test_a_folder_without_a_document_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no bundle\.json"), open_bundle(str(tmp_path)):
        pass


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "created_at: .*years"),
        ({"class_names": ["a", "b", "a"]}, "class_names: .*'a' 2 times"),
        ({"golden_tolerance": "Infinity"}, "golden_tolerance"),
        ({"golden_tolerance": -1}, "golden_tolerance"),
        ({"image": {"size": 10**9, "record_size": 8, "resize": "crop"}}, "image.size"),
        ({"image": {"size": 8, "record_size": 10**9, "resize": "crop"}}, "image.record_size"),
    ],
)
def test_what_no_trainer_writes_is_refused(folder: Path, change: dict[str, object], said: str) -> None:
    document = json.loads((folder / "bundle.json").read_text()) | change
    with pytest.raises(InputError, match=said):
        ModelBundle.parse(json.dumps(document).encode(), "bundle.json")
