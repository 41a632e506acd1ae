"""A network of containers with one emulated bucket in it: the rehearsal's cloud.

Everything made here carries a label with the process that made it. What a killed rehearsal left behind, its
containers, networks and volumes, is removed by the next one.
"""

import os
import socket
import socketserver
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import docker
from docker.errors import NotFound

LABEL: Final = "chrysalis.rehearsal"
EMULATOR: Final = "chrysalis/emulator"
HARDENED: Final = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
ROOT: Final = Path(__file__).parents[1]

_STORAGE_PORT: Final = 9023
_CHUNK: Final = 65_536


@dataclass(frozen=True)
class Network:
    """A running network and where its bucket is."""

    engine: docker.DockerClient
    name: str
    volume: str
    """Holds the buckets' files, each at BUCKET/object: mounted at /gcs, it is what Vertex mounts there."""
    bucket: str
    storage: str
    """The emulator's address for containers."""
    storage_here: str
    """The same for this machine."""
    labels: dict[str, str]

    @contextmanager
    def reachable(self, url: str) -> Iterator[str]:
        """Make a server on this machine's loopback reachable for the containers; its address for them."""
        gateway = self.engine.networks.get(self.name).attrs["IPAM"]["Config"][0]["Gateway"]
        parts = urlsplit(url)
        with _Relay((gateway, 0), (str(parts.hostname), parts.port or 80)) as relay:
            thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.1})
            thread.start()
            try:
                yield f"http://{gateway}:{relay.server_address[1]}"
            finally:
                relay.shutdown()
                thread.join()


@contextmanager
def network(bucket: str) -> Iterator[Network]:
    """Make a network whose `bucket` is empty; in the end all of it goes, the containers in it included."""
    with ExitStack() as stack:
        engine = docker.from_env(timeout=600)
        stack.callback(engine.close)
        sweep(engine)
        labels = {LABEL: str(os.getpid())}
        name = f"chrysalis-rehearsal-{uuid.uuid4().hex[:8]}"
        stack.callback(remove, engine, name)
        engine.volumes.create(name, labels={**labels, f"{LABEL}.name": name})
        engine.networks.create(name, driver="bridge", labels={**labels, f"{LABEL}.name": name})
        labels[f"{LABEL}.name"] = name
        storage = engine.containers.run(
            EMULATOR,
            ["--default-bucket", bucket],
            detach=True,
            name=f"{name}-storage",
            hostname="storage",
            labels=labels,
            network=name,
            networking_config={name: engine.api.create_endpoint_config(aliases=["storage"])},
            ports={f"{_STORAGE_PORT}/tcp": ("127.0.0.1", None)},
            volumes=[f"{name}:/storage"],
            **HARDENED,
        )
        yield Network(
            engine=engine,
            name=name,
            volume=name,
            bucket=bucket,
            storage=f"http://storage:{_STORAGE_PORT}",
            storage_here=published(storage, _STORAGE_PORT),
            labels=labels,
        )


def published(container: Any, port: int) -> str:
    """Where a container's port is on this machine."""
    container.reload()
    return f"http://127.0.0.1:{container.ports[f'{port}/tcp'][0]['HostPort']}"


def sweep(engine: docker.DockerClient) -> None:
    """Remove what rehearsals left whose process is gone."""
    made = [*engine.containers.list(all=True, filters={"label": LABEL}), *_folders(engine, {"label": LABEL})]
    for labels in map(_labels, made):
        if not _alive(int(labels[LABEL])):
            remove(engine, labels[f"{LABEL}.name"])


def remove(engine: docker.DockerClient, name: str) -> None:
    """Remove everything of the network called `name`; what is gone already is no error."""
    ours = {"label": f"{LABEL}.name={name}"}
    for container in engine.containers.list(all=True, filters=ours, ignore_removed=True):
        _gone(container.remove, force=True)
    for thing in _folders(engine, ours):
        _gone(thing.remove)


def _folders(engine: docker.DockerClient, filters: dict[str, str]) -> Iterable[Any]:
    return [*engine.networks.list(filters=filters), *engine.volumes.list(filters=filters)]


def _labels(thing: Any) -> dict[str, str]:
    found: dict[str, str] = thing.labels if hasattr(thing, "labels") else thing.attrs["Labels"]
    return found


def _gone(remove: Any, **options: bool) -> None:
    try:
        remove(**options)
    except NotFound:
        return


def _alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


class _Relay(socketserver.ThreadingTCPServer):
    """Hands every connection on to a server that only listens on loopback."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, here: tuple[str, int], there: tuple[str, int]) -> None:
        self.there = there
        super().__init__(here, _Connection)


class _Connection(socketserver.BaseRequestHandler):
    server: _Relay

    def handle(self) -> None:
        with socket.create_connection(self.server.there) as onward:
            back = threading.Thread(target=_pump, args=(onward, self.request), daemon=True)
            back.start()
            _pump(self.request, onward)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(_CHUNK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        target.close()  # one side is gone, so the other has nobody to talk to
