"""What a rehearsal needs before its first act: images, a network, a Vertex AI and a checkout."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from rehearsal.checkout import Commands, checkout
from rehearsal.containers import Containers
from rehearsal.network import EMULATOR, ROOT, network
from rehearsal.play import Play
from rehearsal.project import BUCKET, IMAGES, PROJECT, REGION, WANDB_SECRET
from rehearsal.vertex_ai import VertexAI

MODEL: Final = "cnn"
BUILT: Final = ("download", "records", MODEL, "serving")
LOG: Final = "commands.log"


@contextmanager
def scene(report: Path, announce: Callable[[str], None]) -> Iterator[Play]:
    """Set everything up; in the end all of it is gone but the images' layers and the files in `report`."""
    report.mkdir(parents=True, exist_ok=True)
    for old in report.iterdir():
        old.unlink()
    key = f"rehearsal-{secrets.token_hex(20)}"
    with ExitStack() as stack:
        started, here = time.monotonic(), Commands(ROOT, report / LOG)
        tag = build(here, key)
        images = [f"{IMAGES}/{name}:{tag}" for name in BUILT]
        # The layers stay in the builder's cache.
        stack.callback(here, "docker", "image", "rm", *images)
        announce(f"{time.monotonic() - started:6.1f} s  the images {', '.join(BUILT)}: tagged {tag}")
        cloud = stack.enter_context(network(BUCKET))
        vertex = stack.enter_context(VertexAI(secrets={WANDB_SECRET: key}))
        address = stack.enter_context(cloud.reachable(vertex.url))
        containers = Containers(cloud, {"CHRYSALIS_SECRETS_ENDPOINT": address})
        vertex.run, vertex.serve = containers.run_job, containers.serve
        settings = {
            "CHRYSALIS_PROJECT": PROJECT,
            "CHRYSALIS_REGION": REGION,
            "CHRYSALIS_BUCKET": BUCKET,
            "CHRYSALIS_IMAGES": IMAGES,
            "CHRYSALIS_TAG": tag,
            "CHRYSALIS_WANDB_SECRET": WANDB_SECRET,
            "CHRYSALIS_VERTEX_ENDPOINT": vertex.url,
            "STORAGE_EMULATOR_HOST": cloud.storage_here,
        }
        folder = stack.enter_context(checkout(settings))
        stack.callback(_keep, report, containers, vertex)
        yield Play(Commands(folder, report / LOG), vertex, containers, key, images, announce)


def build(commands: Commands, key: str) -> str:
    """Build the images under the names that requests will give, with a key lying about; their tag."""
    commands("docker", "build", "--quiet", "--tag", EMULATOR, "--file", "deploy/emulator/Dockerfile", ".")
    commands.python(
        *("-m", "vertex", "push", "--build-only", "--dirty", *BUILT),
        CHRYSALIS_IMAGES=IMAGES,
        WANDB_API_KEY=key,
    )
    built = [line for line in commands.said.splitlines() if '"event": "built"' in line]
    tag: str = json.loads(built[-1])["tags"][0]
    return tag


def _keep(report: Path, containers: Containers, vertex: VertexAI) -> None:
    """Leave what was said and asked for whoever reads the rehearsal."""
    with (report / "jobs.log").open("w", encoding="utf-8") as file:
        for job, replica, line in containers.said:
            file.write(f"{job.display_name} {replica}: {line}\n")
    with (report / "requests.jsonl").open("w", encoding="utf-8") as file:
        for request in vertex.requests:
            shown = {name: getattr(request, name) for name in ("method", "path", "query", "body")}
            file.write(json.dumps(shown) + "\n")
