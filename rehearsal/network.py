"""A network of containers with one emulated bucket in it: the rehearsal's cloud.

Everything made here carries a label with the process that made it. What a killed rehearsal left behind, its
containers, networks and volumes, is removed by the next one.
"""

import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import docker
import requests
from docker.errors import APIError

from contracts.errors import StageError
from rehearsal.relay import relayed

LABEL: Final = "chrysalis.rehearsal"
EMULATOR: Final = "chrysalis/emulator"
HARDENED: Final[dict[str, Any]] = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
ROOT: Final = Path(__file__).parents[1]

_STORAGE_PORT: Final = 9023
_START_SECONDS: Final = 60


@dataclass
class Network:
    """A running network and where its bucket is."""

    engine: docker.DockerClient
    name: str
    """Also of the volume with the buckets' files, each at BUCKET/object: what Vertex AI mounts at /gcs."""
    labels: dict[str, str]
    storage: str = f"http://storage:{_STORAGE_PORT}"
    """The bucket's emulator's address for containers."""
    storage_here: str = ""
    """The same for this machine."""

    def reachable(self, url: str) -> AbstractContextManager[str]:
        """Make a server on this machine's loopback reachable for the containers; its address for them."""
        gateway = self.engine.networks.get(self.name).attrs["IPAM"]["Config"][0]["Gateway"]
        return relayed(url, gateway)

    def start(self, image: str, host: str = "", **options: Any) -> Any:
        """Start a container in the network: `host` is its name there, `options` are the engine's.

        Raises:
            docker.errors.ImageNotFound: the engine hasn't got the image; nothing is pulled.
        """
        aliases = [host] if host else []
        container = self.engine.containers.create(
            image,
            name=f"{self.name}-{uuid.uuid4().hex[:6]}",
            hostname=host or None,
            labels=self.labels,
            network=self.name,
            networking_config={self.name: self.engine.api.create_endpoint_config(aliases=aliases)},
            **HARDENED,
            **options,
        )
        container.start()
        return container


@contextmanager
def network(bucket: str) -> Iterator[Network]:
    """Make a network whose `bucket` is empty; in the end all of it goes, the containers in it included."""
    with ExitStack() as stack:
        engine = docker.from_env(timeout=600)
        stack.callback(engine.close)
        sweep(engine)
        name = f"chrysalis-rehearsal-{uuid.uuid4().hex[:8]}"
        labels = {LABEL: str(os.getpid()), f"{LABEL}.name": name}
        stack.callback(remove, engine, name)
        engine.volumes.create(name, labels=labels)
        engine.networks.create(name, driver="bridge", labels=labels)
        made = Network(engine, name, labels)
        storage = made.start(
            EMULATOR,
            host="storage",
            command=["--default-bucket", bucket],
            environment={"STORAGE_DIR": "."},  # the buckets at the volume's top
            ports={f"{_STORAGE_PORT}/tcp": ("127.0.0.1", None)},
            volumes=[f"{name}:/storage"],
        )
        made.storage_here = published(storage, _STORAGE_PORT)
        _await(made.storage_here)
        yield made


def published(container: Any, port: int) -> str:
    """Where a container's port is on this machine."""
    container.reload()
    return f"http://127.0.0.1:{container.ports[f'{port}/tcp'][0]['HostPort']}"


def answers(url: str) -> bool:
    """Whether a server answers with 200."""
    try:
        return bool(requests.get(url, timeout=5).status_code == requests.codes.ok)
    except requests.RequestException:
        return False


def sweep(engine: docker.DockerClient) -> None:
    """Remove what rehearsals left whose process is gone."""
    made = [*engine.containers.list(all=True, filters={"label": LABEL}), *_folders(engine, {"label": LABEL})]
    for labels in map(_labels, made):
        if not _alive(int(labels[LABEL])):
            remove(engine, labels[f"{LABEL}.name"])


def remove(engine: docker.DockerClient, name: str) -> None:
    """Remove everything of the network called `name`; what is gone already is no error."""
    ours: dict[str, Any] = {"label": f"{LABEL}.name={name}"}
    for container in engine.containers.list(all=True, filters=ours, ignore_removed=True):
        _gone(container.remove, force=True)
    for thing in _folders(engine, ours):
        _gone(thing.remove)


def _folders(engine: docker.DockerClient, filters: dict[str, Any]) -> Iterable[Any]:
    return [*engine.networks.list(filters=filters), *engine.volumes.list(filters=filters)]


def _labels(thing: Any) -> dict[str, str]:
    found: dict[str, str] = thing.labels if hasattr(thing, "labels") else thing.attrs["Labels"]
    return found


def _gone(remove: Any, **options: bool) -> None:
    try:
        remove(**options)
    except APIError as error:
        if error.status_code not in (requests.codes.not_found, requests.codes.conflict):  # it is going
            raise


def _await(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not answers(url):
        if time.monotonic() > deadline:
            raise StageError(f"the emulated bucket doesn't answer within {_START_SECONDS} s")
        time.sleep(0.1)


def _alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()
