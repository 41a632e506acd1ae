"""Shared fixtures: a Cloud Storage emulator over HTTP, and a tiny data set with what is made from it."""

import gc
import importlib.util
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

CHROMIUM = Path("/usr/bin/chromium")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
QUIET += ("--disable-component-update", "--disable-sync")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's chromium, driven by Playwright; the test is skipped where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM} (Debian's package chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def emulator_url() -> Iterator[str]:
    """Start the emulator, in memory and in a process of its own, once for all tests that want it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = "-m gcp_storage_emulator start --in-memory --quiet --host 127.0.0.1"
    server = subprocess.Popen(
        [sys.executable, *command.split(), "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(server, url)
        yield url
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def gcs_emulator(emulator_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point this test's storage, and that of the processes it starts, at the emulator; its address."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator_url)
    return emulator_url


@pytest.fixture
def bucket(gcs_emulator: str) -> str:
    """A new empty bucket of the emulator: `gs://<name>`."""
    name = f"test-{uuid.uuid4().hex}"
    requests.post(f"{gcs_emulator}/storage/v1/b", json={"name": name}, timeout=10).raise_for_status()
    return f"gs://{name}"


@pytest.fixture
def faulty_gcs(gcs_emulator: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Put a network with faults before the emulator: `faulty_gcs(seed=0, rate=0.1)` gives the proxy's `.url`.

    From then on this test's storage, and that of the processes it starts, goes through it; `.met` counts the
    faults. What else it takes, and what it does: tests/faults.py. Mark the test with
    `filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")`: answers that fail are left unread.
    """
    spec = importlib.util.spec_from_file_location("faults", Path(__file__).with_name("faults.py"))
    assert spec and spec.loader
    faults = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(faults)
    proxies = []

    def start(**options: Any) -> Any:
        proxy = faults.FaultyProxy(gcs_emulator, **options)
        proxies.append(proxy)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        return proxy

    yield start
    for proxy in proxies:
        proxy.close()
    gc.collect()  # Google's client drops failed answers unread: their sockets warn here, not in another test


Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def loopback() -> Iterator[Callable[[Callable[[BaseHTTPRequestHandler, bytes], Answer]], str]]:
    """Serve HTTP from a function: `loopback(answer)` gives the server's address.

    `answer(request, body)` gives status, headers and body; a Content-Length of its own is sent as it is.
    """
    servers = []

    def serve(answer: Callable[[BaseHTTPRequestHandler, bytes], Answer]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, content = answer(self, body)
                self.send_response(status)
                for key, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(content)

            do_HEAD = do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Keep the test's output clean."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def strict_bucket(
    bucket: str, gcs_emulator: str, loopback: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> str:
    """A bucket that keeps to `ifGenerationMatch` as Cloud Storage does and the emulator doesn't.

    This test's storage, and that of the processes it starts, goes through a proxy that holds every other
    conditional write up while it looks at one.
    """
    one_at_a_time = threading.Lock()

    def forward(request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        answer = requests.request(
            request.command, gcs_emulator + request.path, headers=request.headers, data=body, timeout=10
        )
        kept = {"Content-Type", "X-Goog-Hash"}
        headers = {key: value for key, value in answer.headers.items() if key in kept}
        return answer.status_code, headers, answer.content

    def strictly(request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        wanted = re.search("ifGenerationMatch=([0-9]+)", request.path)
        if wanted is None:
            return forward(request, body)
        found = re.search(rb'"name": *"([^"]+)"', body)
        assert found
        name = urllib.parse.quote(found[1].decode(), safe="")
        with one_at_a_time:
            there = requests.get(f"{gcs_emulator}/storage/v1/b/{bucket[5:]}/o/{name}", timeout=10)
            if int(wanted[1]) != (int(there.json()["generation"]) if there.ok else 0):
                return 412, {}, b"{}"
            return forward(request, body)

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", loopback(strictly))
    return bucket


def _wait_for(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "the emulator ended at once: is gcp-storage-emulator installed?"
        try:
            requests.get(url, timeout=5)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"no emulator answers at {url}")


TINY_CLASSES = ("blue", "green", "red")
TINY_SIZE = 32
TINY_TEMPERATURE = 1.5


@pytest.fixture(scope="session")
def tiny_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A processed data set of 32-pixel JPEGs that a child could tell apart: its folder, with `index.json`."""
    import numpy as np
    import tensorflow as tf
    from PIL import Image

    from contracts import records, storage
    from contracts.dataset import SPLITS, Shard, ShardIndex
    from imaging import encode_jpeg

    folder = tmp_path_factory.mktemp("tiny") / "records"
    folder.mkdir()
    rng = np.random.default_rng(0)

    def example(split: str, number: int) -> bytes:
        label = number % len(TINY_CLASSES)
        pixels = rng.integers(0, 150, (TINY_SIZE, TINY_SIZE + 8, 3), np.uint8)
        pixels[..., 2 - label] += 100
        values: dict[str, bytes | int] = {
            records.ENCODED: encode_jpeg(Image.fromarray(pixels), 90),
            records.LABEL: label,
            records.TEXT: TINY_CLASSES[label].encode(),
            records.FORMAT: b"jpeg",
            records.FILENAME: f"{TINY_CLASSES[label]}/{split}-{number:03d}.png".encode(),
            records.HEIGHT: TINY_SIZE,
            records.WIDTH: TINY_SIZE + 8,
        }
        features = tf.train.Features()
        for key, value in values.items():
            if isinstance(value, bytes):
                features.feature[key].bytes_list.value.append(value)
            else:
                features.feature[key].int64_list.value.append(value)
        return bytes(tf.train.Example(features=features).SerializeToString())

    shards = {}
    for split, count in zip(SPLITS, (60, 24, 30), strict=True):
        path = folder / records.shard_name(split, 0, 1)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for number in range(count):
                writer.write(example(split, number))
        histogram = (count // len(TINY_CLASSES),) * len(TINY_CLASSES)
        shards[split] = (
            Shard(
                name=path.name,
                examples=count,
                bytes=path.stat().st_size,
                crc32c=storage.checksum(path),
                class_histogram=histogram,
            ),
        )
    ShardIndex(
        dataset="tiny",
        manifest_digest="0" * 64,
        class_names=TINY_CLASSES,
        image_size=TINY_SIZE,
        resize="shorter-side",
        quality=90,
        seed=0,
        shards=shards,
    ).write(str(folder))
    return folder


@pytest.fixture(scope="session")
def tiny_network(tiny_records: Path) -> Any:
    """A Keras network of a few layers, trained on `tiny_records`: uint8 [b, 32, 32, 3] to logits [b, 3]."""
    import keras
    import numpy as np

    from contracts.bundle import ImageSpec
    from models.trainer.examples import batches, read_examples

    keras.utils.set_random_seed(0)
    image = keras.Input((TINY_SIZE, TINY_SIZE, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    x = keras.layers.Conv2D(16, 3, strides=2, activation="relu")(x)  # LiteRT quantizes from 1,024 weights on
    x = keras.layers.GlobalAveragePooling2D()(x)
    network = keras.Model(image, keras.layers.Dense(len(TINY_CLASSES), name="logits")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(0.05), loss)
    spec = ImageSpec(size=TINY_SIZE, record_size=TINY_SIZE, resize="shorter-side")
    shard = str(tiny_records / "train-00000-of-00001.tfrecord")
    examples, pixels = next(batches(read_examples([shard]), spec, 60))
    network.fit(pixels, np.array([example.label for example in examples]), epochs=12, verbose=0)
    return network


@pytest.fixture(scope="session")
def tiny_bundle(tiny_export: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished bundle of `tiny_network`. Copy it before you change anything in it."""
    folder = tmp_path_factory.mktemp("bundles") / "tiny-run"
    tiny_export(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_export(tiny_network: Any, tiny_records: Path) -> Callable[..., Any]:
    """Call it with a folder to export `tiny_network` there; `val=` and `test=` replace records."""
    import keras
    import numpy as np

    from contracts.bundle import Calibration
    from contracts.dataset import ShardIndex
    from models.trainer.evaluation.calibration import tempered
    from models.trainer.evaluation.judgement import Judgement
    from models.trainer.evaluation.metrics import evaluate
    from models.trainer.evaluation.predictions import Predictions
    from models.trainer.examples import batches, read_examples
    from models.trainer.export import export_bundle
    from models.trainer.run_facts import RunFacts

    index = ShardIndex.read(str(tiny_records))
    run = RunFacts(
        name="tiny-run",
        architecture="tiny",
        index=index,
        image_size=TINY_SIZE,
        config={"epochs": 12, "optimizer": {"name": "adam", "learning_rate": 0.05}},
        command="python -m models.tiny.train_multi_gpu --input records --output tiny-run",
        output="models/tiny-run",
        history=[
            {
                "epoch": n,
                "loss": 1 / n,
                "val_loss": 1.2 / n,
                "accuracy": 1 - 0.5 / n,
                "val_accuracy": 1 - 0.6 / n,
            }
            for n in range(1, 13)
        ],
    )
    shards = {
        split: [str(tiny_records / shard.name) for shard in index.shards[split]] for split in index.shards
    }
    examples, pixels = next(batches(read_examples(shards["test"]), run.image, 30))
    answers = keras.ops.convert_to_numpy(keras.ops.softmax(tiny_network(pixels)))
    test = Predictions(
        filenames=[example.filename for example in examples],
        labels=np.array([example.label for example in examples]),
        probabilities=tempered(answers, TINY_TEMPERATURE),
    )
    metrics = evaluate(test.probabilities, test.labels, index.class_names, temperature=TINY_TEMPERATURE)

    def export(folder: Path, **replaced: list[str]) -> Any:
        return export_bundle(
            tiny_network,
            folder,
            run,
            judgement=Judgement("test", test, metrics),
            calibration=Calibration(temperature=TINY_TEMPERATURE, examples=24),
            shards={**shards, **replaced},
        )

    return export
