"""Blessed bundles in a bucket, and the commands that put them into service."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
import requests

from contracts.bundle import BundleFile, Calibration, Golden, ImageSpec, LiteRT, ModelBundle
from contracts.console import exit_code
from contracts.verdict import Floors, Verdict
from vertex.__main__ import app

BUCKET = "my-bucket"


def verdict(*, blessed: bool) -> Verdict:
    return Verdict(
        blessed=blessed,
        reasons=("The accuracy is 0.5000; asked is at least 0.9.",),
        judged_at=datetime(2026, 11, 22, tzinfo=UTC),
        dataset_digest="0",
        floors=Floors(min_accuracy=0.9),
        confidence=0.95,
        compared_with=None,
        champion=blessed,
    )


def bundle(name: str, gate: Verdict | None) -> ModelBundle:
    """A bundle's document, the same in every run: registering reads nothing else."""
    return ModelBundle(
        name=name,
        architecture="vgg16",
        dataset="digits",
        dataset_digest="0" * 64,
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
        class_names=("0", "1"),
        image=ImageSpec(size=32, record_size=32, resize="shorter-side"),
        calibration=Calibration(temperature=1.5, examples=24),
        litert=LiteRT(quantization="int8-dynamic-range", agreement=1, examples=24),
        golden=(Golden(file="golden/0.png", probabilities=(0.9, 0.1)),),
        golden_tolerance=0.01,
        metrics={"accuracy": 0.9876, "loss": 0.05},
        gate=gate,
        config={},
        git_commit=None,
        packages={},
        wandb_run=None,
        files={"model.tflite": BundleFile(bytes=1, sha256=f"{name:0>64}")},
    )


@pytest.fixture
def models(gcs_emulator: str) -> str:
    """The folder of a data set's models in a bucket that is always called the same."""
    answer = requests.post(f"{gcs_emulator}/storage/v1/b", json={"name": BUCKET}, timeout=10)
    assert answer.ok or answer.status_code == requests.codes.conflict
    return f"gs://{BUCKET}/models/digits"


@pytest.fixture
def blessed(models: str) -> Callable[[str], str]:
    """Put a blessed bundle there: `blessed("a")` is its URI."""

    def put(name: str) -> str:
        bundle(name, verdict(blessed=True)).write(f"{models}/{name}")
        return f"{models}/{name}"

    return put


@pytest.fixture
def judged() -> Callable[[str], None]:
    """Bless the bundle of a URI."""

    def judge(uri: str) -> None:
        document = ModelBundle.read(uri)
        document.model_copy(update={"gate": verdict(blessed=True)}).write(uri)

    return judge


@pytest.fixture
def unblessed(models: str) -> None:
    """Put bundles there that mayn't be served: `unjudged` and `refused`."""
    bundle("unjudged", None).write(f"{models}/unjudged")
    bundle("refused", verdict(blessed=False)).write(f"{models}/refused")


class Registry:
    """An image registry on loopback: what it has by NAME:TAG, which a test pushes anew."""

    def __init__(self, loopback: Callable[..., str]) -> None:
        self.digests: dict[str, str] = {}
        host = loopback(self._answer).removeprefix("http://")
        self.images = f"{host}/my-project/chrysalis"

    def push(self, image: str, content: str) -> str:
        """Have `image` be one of `content` from now on: its digest."""
        self.digests[image] = f"sha256:{content:0>64}"
        return self.digests[image]

    def _answer(self, request: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        name, _, tag = request.path.removeprefix("/v2/my-project/chrysalis/").partition("/manifests/")
        digest = self.digests.get(f"{name}:{tag}")
        return (200, {"Docker-Content-Digest": digest}, b"") if digest else (404, {}, b"")


@pytest.fixture
def registry(loopback: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Push to, and deploy from, a registry of this test's own; it is empty."""
    registry = Registry(loopback)
    monkeypatch.setenv("CHRYSALIS_IMAGES", registry.images)
    return registry


class Done(NamedTuple):
    """What became of a command."""

    code: int
    out: str
    err: str

    @property
    def bodies(self) -> list[Any]:
        """The documents of JSON that it printed."""
        decoder, rest, found = json.JSONDecoder(), self.out.strip(), []
        while rest:
            document, end = decoder.raw_decode(rest)
            found.append(document)
            rest = rest[end:].strip()
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it logged."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]


@pytest.fixture
def vertex(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run `python -m vertex argument…` in this process."""
    monkeypatch.setattr("vertex.client.FIRST_LOOK_SECONDS", 0.02)
    for name in ("CHRYSALIS_SERVING_ACCOUNT", "CHRYSALIS_API_KEY_SECRET", "CHRYSALIS_ECR"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        code = exit_code(lambda: app([*arguments], standalone_mode=False), "python -m vertex")
        return Done(code, *capsys.readouterr())

    return run
