"""This machine: its GPUs, its container engine, its disk, and its key of Weights & Biases."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Final

from contracts import storage
from contracts.dataset import ShardIndex, Source
from contracts.secrets import secret
from vertex.doctor.finding import Status, failed, ok, warning
from vertex.doctor.question import Question
from vertex.images import ROOT

SECONDS: Final = 20.0

WANDB_KEY: Final = "WANDB_API_KEY"
WANDB_KEY_LENGTH: Final = 40
"""Weights & Biases' keys have no fewer characters."""

RUN_BYTES: Final = 3 << 30
"""What a training keeps beside its data: checkpoints with the optimizer's state, and the exported bundle."""


def look_at_gpus(asked: Question, *, needed: bool) -> list[tuple[Status, str]]:
    """Whether there are as many as asked for; `needed` says whether the training is to run here."""
    try:
        listed = _output("nvidia-smi", "-L")
    except FileNotFoundError:
        listed = ""
    except OSError as error:
        return [failed(f"nvidia-smi is here and doesn't work ({error}): mend the driver")]
    have = sum(line.startswith("GPU ") for line in listed.splitlines())
    if asked.gpu is None or asked.gpu <= have:
        return [ok(f"{have} on this machine")]
    short = f"{asked.gpu} asked for, {have} on this machine"
    if needed:
        return [failed(f"{short}: GPU={have}, or RUN=vertex, where there are more")]
    return [ok(f"{short}: RUN=vertex has them")]


def look_at_docker() -> list[tuple[Status, str]]:
    """Whether images can be built and run here."""
    only = "RUN=docker and make push need it"
    try:
        version = _output("docker", "version", "--format", "{{.Server.Version}}").strip()
    except FileNotFoundError:
        return [warning(f"not installed; {only}: see docs.docker.com")]
    except OSError as error:
        return [warning(f"the engine doesn't answer ({error}); {only}: start it, or set DOCKER_HOST")]
    try:
        _output("docker", "buildx", "version")
    except OSError:
        return [warning(f"Docker {version} without buildx, which builds the images: install docker-buildx")]
    return [ok(f"Docker {version} with buildx")]


def look_at_disk(asked: Question) -> list[tuple[Status, str]]:
    """Whether what the stages are going to write has room."""
    if storage.is_remote(asked.place):
        place = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        wanted, what = _index_bytes(asked), "a copy of the shards, where the training runs here"
    else:
        place = Path(asked.place)
        wanted, what = _unwritten_bytes(asked) + RUN_BYTES, f"{asked.dataset} and a training of it"
    place = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    line = f"{_gigabytes(free)} free at {place}, about {_gigabytes(wanted)} wanted for {what}"
    if free < wanted:
        return [failed(f"{line}: free some, or ROOT=another folder or gs://bucket/prefix")]
    return [warning(line)] if free < 2 * wanted else [ok(line)]


def _unwritten_bytes(asked: Question) -> int:
    """The raw files where they aren't there yet, and as many bytes of shards where those aren't."""
    source = Source.read_if_there(asked.folder("raw"))
    raw = sum(file.bytes for file in source.files) if source else _catalogued_bytes(asked.dataset)
    return (0 if source else raw) + (0 if ShardIndex.read_if_there(asked.folder("processed")) else raw)


def _catalogued_bytes(dataset: str) -> int:
    file = ROOT / "data/sources" / f"{dataset}.toml"
    if not file.is_file():
        return 0
    return int(tomllib.loads(file.read_text(encoding="utf-8")).get("bytes", 0))


def _index_bytes(asked: Question) -> int:
    index = ShardIndex.read_if_there(asked.folder("processed"))
    return sum(shard.bytes for shards in index.shards.values() for shard in shards) if index else 0


def look_at_wandb(asked: Question) -> list[tuple[Status, str]]:
    """Whether a training that runs here finds a key; it is told nowhere."""
    key = secret(WANDB_KEY)
    places = (WANDB_KEY, f"{WANDB_KEY}_FILE", f"{WANDB_KEY}_SECRET")
    place = next((name for name in places if os.environ.get(name)), None)
    if key is None and place:
        return [failed(f"{place} leads to nothing: put the key there, or unset it")]
    if key is None:
        jobs = f"; jobs have {asked.wandb_secret}" if asked.wandb_secret else ""
        return [warning(f"no key: runs stay offline until `wandb sync`; or set {WANDB_KEY}{jobs}")]
    if len(key) < WANDB_KEY_LENGTH:
        short = f"the key of {place} has {len(key)} characters, and should have {WANDB_KEY_LENGTH} or more"
        return [failed(f"{short}: copy it again from https://wandb.ai/authorize")]
    return [ok(f"a key by {place}")]


def _output(*command: str) -> str:
    """What a command prints.

    Raises:
        FileNotFoundError: it isn't installed.
        OSError: it fails, or takes too long.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL, check=True
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"no answer within {SECONDS:.0f} s") from None
    except subprocess.CalledProcessError as error:
        said = " ".join((error.stderr or error.stdout or "").split())
        raise OSError(said or f"exit code {error.returncode}") from None
    return done.stdout


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
