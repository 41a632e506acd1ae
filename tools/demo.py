"""The end of `make demo`: serve the trained bundle, ask it about a photo it never saw, and sum up.

Host side: it reads the documents that the stages left under the root and starts `python -m serving`.
"""

import csv
import io
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import requests
import typer

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.console import run_app
from contracts.dataset import Manifest, ShardIndex
from contracts.errors import StageError
from datapipeline.records.raw import RawFolder

app = typer.Typer(add_completion=False, rich_markup_mode=None)

SECONDS_TO_START = 120


@contextmanager
def served(model):
    """Serve a bundle on a free port of this machine; yields the server's address when it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "serving", "--model", model, "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        try:
            wait_until_ready(server, address)
            yield address
        finally:
            server.terminate()
            server.communicate()


def wait_until_ready(server, address):
    """Return when `/readyz` says yes."""
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if requests.get(f"{address}/readyz", timeout=5).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    server.terminate()
    raise StageError(f"the server did not become ready: {server.communicate()[1].strip()[-300:]}")


def a_test_image(interim, manifest):
    """An image of the test split: its path, its bytes and its class's name."""
    rows = list(csv.DictReader(io.StringIO(storage.read_bytes(storage.join(interim, "test.csv")).decode())))
    row = rows[len(rows) // 2]
    with RawFolder(storage.resolve(manifest.raw, interim)) as raw:
        return row["path"], raw.read(row["path"]), row["class_name"]


def describe(model, manifest, index, bundle):
    """What there is, and where."""
    counts = {split: sum(classes.values()) for split, classes in manifest.counts.items()}
    shards = sum(len(shards) for shards in index.shards.values())
    offline = sorted(Path(model).glob("wandb/offline-run-*")) if not storage.is_remote(model) else []
    lines = {
        "dataset": f"{manifest.dataset}: {sum(counts.values()):,} images, {len(manifest.class_names)} classes"
        f" ({', '.join(f'{count:,} {split}' for split, count in counts.items())})",
        "shards": f"{shards}, of {index.image_size} pixels",
        "test accuracy": f"{bundle.metrics['accuracy']:.4f}",
        "gate": f"blessed: {' '.join(bundle.gate.reasons)}" if bundle.gate else "not judged",
        "bundle": model,
        "report": storage.join(model, "report/report.html"),
        "W&B": f".venv/bin/wandb sync {offline[-1]}" if offline else bundle.wandb_run or "off",
        "serve it": f"make serve DATASET={manifest.dataset}   then open http://127.0.0.1:8080",
    }
    return "\n" + "\n".join(f"  {name:15}  {text}" for name, text in lines.items())


@app.command()
def summarise(
    root: Annotated[str, typer.Option(help="The root that the stages wrote under.")],
    dataset: Annotated[str, typer.Option(help="The data set's name.")],
    run_id: Annotated[str, typer.Option(help="The training run's id.")],
) -> None:
    """Serve a finished run, ask it about a test image, and print what there is and where.

    Example: python tools/demo.py --root data --dataset digits --run-id vgg16
    """
    interim, processed = (storage.join(root, stage, dataset) for stage in ("interim", "processed"))
    model = storage.join(root, "models", dataset, run_id)
    manifest, index, bundle = Manifest.read(interim), ShardIndex.read(processed), ModelBundle.read(model)
    path, image, truth = a_test_image(interim, manifest)
    with served(model) as address:
        reply = requests.post(f"{address}/predict", files={"file": (path, image)}, timeout=60)
    if not reply.ok:
        raise StageError(f"the server answered {reply.status_code}: {reply.text[:200]}")
    best = reply.json()["predictions"][0]
    typer.echo(describe(model, manifest, index, bundle))
    typer.echo(f"  asked over HTTP  {path} is {truth}; it says {best['class']} ({best['probability']:.1%})")


run_app(app, "python tools/demo.py")
