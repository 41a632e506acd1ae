"""A managed data set of Vertex AI: lists in a bucket, images in two, and the split of the service."""

import csv
import io
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from contracts import storage
from contracts.dataset import Manifest, ShardIndex
from datapipeline.records.managed import read_lines

SRC = Path(__file__).parents[3] / "src"
CLASSES = ("daisy", "rose & thorn")
COUNTS = {"training": 8, "validation": 3, "test": 4}
LISTS = {
    "AIP_TRAINING_DATA_URI": "training",
    "AIP_VALIDATION_DATA_URI": "validation",
    "AIP_TEST_DATA_URI": "test",
}

Run = Callable[..., subprocess.CompletedProcess[str]]


def item(uri: str, label: str | None, use: str = "training") -> dict[str, Any]:
    """A line as Vertex AI writes it."""
    annotation = {"displayName": label, "annotationResourceLabels": {"env": "prod"}}
    return {
        "imageGcsUri": uri,
        **({"classificationAnnotation": annotation} if label is not None else {}),
        "dataItemResourceLabels": {"aiplatform.googleapis.com/ml_use": use},
    }


@pytest.fixture
def data(bucket: str, gcs_emulator: str) -> str:
    """The folder of the lists. The images lie in that bucket and in another one."""
    other = f"other-{uuid.uuid4().hex}"
    requests.post(f"{gcs_emulator}/storage/v1/b", json={"name": other}, timeout=10).raise_for_status()
    for use, count in COUNTS.items():
        lines = []
        for label, name in enumerate(CLASSES):
            for number in range(count):
                # Folders called otherwise than the side, as the service doesn't look at them.
                uri = f"{(bucket, f'gs://{other}')[label]}/photos/train/{use} {label}-{number}.jpg"
                rng = np.random.default_rng([label, number, count])
                image = Image.fromarray(rng.integers(0, 256, (24, 30 + label, 3), np.uint8))
                encoded = io.BytesIO()
                image.save(encoded, "JPEG")
                storage.write_bytes(uri, encoded.getvalue())
                lines.append(item(uri, name, use))
        half = len(lines) // 2
        for part, some in enumerate((lines[:half], lines[half:])):
            text = "".join(json.dumps(line) + "\n" for line in some)
            storage.write_bytes(f"{bucket}/export/{use}-{part:05d}-of-00002", text.encode())
    return f"{bucket}/export"


@pytest.fixture
def run(data: str, tmp_path: Path) -> Run:
    """Run a stage as a container on Vertex AI does."""

    def run(module: str, *arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
        given = {
            "STORAGE_EMULATOR_HOST": os.environ["STORAGE_EMULATOR_HOST"],
            "HOME": str(tmp_path),
            "CLOUD_ML_PROJECT_ID": "123",
            "CLOUD_ML_JOB_ID": "456",
            "AIP_DATA_FORMAT": "jsonl",
            "AIP_MODEL_DIR": f"{data.removesuffix('/export')}/interim/flowers/model/",
            **{name: f"{data}/{use}-*" for name, use in LISTS.items()},
        }
        return subprocess.run(
            [sys.executable, "-m", f"datapipeline.records.{module}", *map(str, arguments)],
            cwd=SRC,
            env=given | changes,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def rejected(interim: str) -> dict[str, str]:
    text = storage.read_bytes(f"{interim}/rejected.csv").decode()
    return {row["path"]: row["reason"] for row in csv.DictReader(io.StringIO(text))}


def test_it_becomes_records_with_the_split_that_vertex_gave(data: str, bucket: str, run: Run) -> None:
    broken = [
        item(f"{bucket}/photos/nobody.jpg", None),
        item(f"{bucket}/photos/missing.jpg", "daisy"),
        {
            **item(f"{bucket}/photos/two.jpg", None),
            "classificationAnnotations": [{"displayName": "daisy"}] * 2,
        },
    ]
    storage.write_bytes(f"{data}/training-extra", "\n".join(map(json.dumps, broken)).encode())
    storage.write_bytes(f"{data}/annotations.json", b"{}")
    interim = f"{bucket}/interim/flowers/model"

    done = run("process", "--workers", 1)
    assert done.returncode == 0, done.stderr
    manifest = Manifest.read(interim)
    assert manifest.dataset == "flowers"
    assert manifest.keep_split
    assert manifest.class_names == CLASSES
    assert [manifest.images_in(split) for split in ("train", "val", "test")] == [16, 6, 8]
    assert storage.resolve(manifest.raw, interim) == data
    assert rejected(interim) == {
        f"{bucket}/photos/nobody.jpg": "no label",
        f"{bucket}/photos/missing.jpg": "it isn't there",
        f"{bucket}/photos/two.jpg": "2 labels, and an image has one class here",
    }
    assert "up to date" in run("process").stdout

    processed = f"/gcs/{bucket.removeprefix('gs://')}/processed/flowers"
    done = run("build_records", "--input", interim, "--output", processed, "--workers", 1)
    assert done.returncode == 0, done.stderr
    index = ShardIndex.read(f"{bucket}/processed/flowers")
    assert (index.examples("train"), index.examples("val"), index.examples("test")) == (16, 6, 8)

    storage.delete(f"{data}/training-extra")  # any change of the lists is seen
    done = run("process", "--no-keep-split", "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert not Manifest.read(interim).keep_split
    assert rejected(interim) == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"AIP_DATA_FORMAT": "csv"}, "AIP_DATA_FORMAT=csv: expected jsonl"),
        ({"AIP_DATA_FORMAT": "bigquery"}, "AIP_DATA_FORMAT=bigquery: expected jsonl"),
        ({"AIP_DATA_FORMAT": ""}, "no --input"),
        (dict.fromkeys(LISTS, ""), "AIP_TRAINING_DATA_URI isn't"),
        (
            {**dict.fromkeys(LISTS, ""), "AIP_TEST_DATA_URI": "{data}/test-*"},
            "no image in a folder called train",
        ),
        ({**dict.fromkeys(LISTS, ""), "AIP_TRAINING_DATA_URI": "{data}/none-*"}, "expected lists of images"),
    ],
)
def test_what_cant_be_used_is_one_line(data: str, run: Run, changes: dict[str, str], said: str) -> None:
    done = run("process", "--workers", 1, **{name: text.format(data=data) for name, text in changes.items()})
    assert done.returncode == 2, done.stderr
    complaint = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(complaint) == 1
    assert said in complaint[0]


def test_a_bucket_that_there_isnt_is_told_with_the_line_that_names_it(data: str, run: Run) -> None:
    storage.write_bytes(
        f"{data}/training-x", b"\n" + json.dumps(item("gs://nobodys/1.jpg", "daisy")).encode()
    )
    done = run("process", "--workers", 1)
    assert done.returncode == 2, done.stderr
    (complaint,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert f"{data}/training-x:2: there is no bucket gs://nobodys" in complaint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "no JSON object with an imageGcsUri"),
        (b"[]", "no JSON object with an imageGcsUri"),
        (b"{}", "no JSON object with an imageGcsUri"),
        (b'{"imageGcsUri": 3}', "its imageGcsUri is no gs://bucket/name"),
        (b"[" * 100_000, "no JSON object with an imageGcsUri"),
        (b'{"imageGcsUri": "gs://b"}', "its imageGcsUri is no gs://bucket/name"),
        (b'{"imageGcsUri": "gs://b/"}', "its imageGcsUri is no gs://bucket/name"),
        (b'{"imageGcsUri": "gs://../1.jpg"}', "its imageGcsUri is no gs://bucket/name"),
        (b'{"imageGcsUri": "gs://No Bucket/1.jpg"}', "its imageGcsUri is no gs://bucket/name"),
        (b'{"imageGcsUri": "gs://b/\\ud800.jpg"}', "its imageGcsUri is no gs://bucket/name"),
        (b'{"imageGcsUri": "gs://b/1.jpg\\n"}', "its imageGcsUri is no gs://bucket/name"),
        (b'{"imageGcsUri": "/tmp/1.jpg"}', "its imageGcsUri is no gs://bucket/name"),
        (b'{"imageGcsUri": "gs://b/1.jpg", "classificationAnnotation": {"displayName": ""}}', "no label"),
        (b'{"imageGcsUri": "gs://b/1.jpg", "classificationAnnotation": "rose"}', "no label"),
        (b'{"imageGcsUri": "gs://b/1.jpg", "classificationAnnotations": []}', "no label"),
        (
            b'{"imageGcsUri": "gs://b/1.jpg", "classificationAnnotation": {"displayName": "a/b"}}',
            "its label 'a/b' can't be a class's name",
        ),
        (b'{"imageGcsUri": "gs://b/1.jpg", "classificationAnnotations": [{"displayName": "a"}]}', ""),
    ],
)
def test_a_line_that_names_no_labelled_image_says_why(text: bytes, reason: str) -> None:
    (line,) = read_lines("train", "gs://b/list", [b"\n", text])
    assert line.reason == reason
    assert line.uri in ("gs://b/1.jpg", "gs://b/list:2")
    assert bool(line.label) == (not reason)
