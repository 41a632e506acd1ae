"""Runs the images that requests name, as Vertex AI would: its variables, its mounts, its signals.

A container gets what the request and Vertex AI give it and one variable more, the bucket's emulator's address
(and the secrets' server's where there is one). No capabilities, no new privileges, and the image's own user.
"""

import json
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import requests
from docker.errors import APIError, ImageNotFound, NotFound

from rehearsal.network import HARDENED, Network, published
from rehearsal.replicas import METRICS, Replica, environment, replicas
from rehearsal.vertex_ai import JobFailedError

if TYPE_CHECKING:
    from rehearsal.vertex_ai import Deployment, Job

NOTICE_SECONDS: Final = 30
"""Between a spot machine's SIGTERM and its end."""

STOP_SECONDS: Final = 10
HEALTHY_SECONDS: Final = 120.0
SECONDS_BETWEEN_LOOKS: Final = 0.2


@dataclass
class Preemption:
    """Takes spot machines away, once: when a line of their output says that the moment is there."""

    when: Callable[[str], bool]
    replicas: Sequence[str]
    """Which get SIGTERM; all are started again with the environment that they had."""
    done: bool = False


@dataclass
class Containers:
    """Where jobs and deployments run."""

    network: Network
    extra: dict[str, str] = field(default_factory=dict)
    """Variables beyond Vertex AI's."""
    preemptions: list[Preemption] = field(default_factory=list)
    """For spot jobs, in turn."""
    said: list[tuple["Job", str, str]] = field(default_factory=list)
    """Each line that a job's replica wrote."""

    def run_job(self, job: "Job") -> None:
        """Run a job to its end.

        Raises:
            JobFailedError: a replica ended with an error, or its image isn't there.
        """
        everyone = replicas(job)
        with TemporaryDirectory() as folder:
            metrics = Path(folder)
            metrics.chmod(0o777)  # whatever user the image has
            while True:
                job.tell("RUNNING")
                with self._started(job, everyone, metrics) as running:
                    if self._done(job, running, metrics / Path(METRICS).name):
                        return
                job.tell("PENDING")

    @contextmanager
    def _started(self, job: "Job", everyone: Sequence[Replica], metrics: Path) -> Iterator[list["_Running"]]:
        with ExitStack() as stack:
            running = []
            for replica in everyone:
                running.append(_Running(replica, self._start(job, replica, everyone, metrics)))
                stack.callback(running[-1].container.remove, force=True)
            yield running

    def _start(self, job: "Job", replica: Replica, everyone: Sequence[Replica], metrics: Path) -> Any:
        spec = replica.spec.container_spec
        given = {variable.name: variable.value for variable in spec.env}
        arguments = [*spec.args, *job.arguments()]
        return self._run(
            spec.image_uri,
            entrypoint=list(spec.command) or None,
            command=arguments or None,
            environment={**given, **environment(job, replica, everyone), **self._beyond},
            hostname=replica.host,
            networking_config={
                self.network.name: self.network.engine.api.create_endpoint_config(aliases=[replica.host])
            },
            volumes=[
                f"{self.network.volume}:/gcs:ro",
                *([f"{metrics}:{Path(METRICS).parent}"] if job.trial and replica.chief else []),
            ],
        )

    def _run(self, image: str, **options: Any) -> Any:
        try:
            container = self.network.engine.containers.create(
                image,
                name=f"{self.network.name}-{uuid.uuid4().hex[:6]}",
                labels=self.network.labels,
                network=self.network.name,
                **HARDENED,
                **options,
            )
            container.start()
        except ImageNotFound:
            raise JobFailedError(f"Failed to pull image {image}: not found.") from None
        except APIError as error:
            raise JobFailedError(f"Failed to start {image}: {error.explanation}") from error
        return container

    @property
    def _beyond(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": self.network.storage, **self.extra}

    def _done(self, job: "Job", running: Sequence["_Running"], metrics: Path) -> bool:
        """Watch containers until the job is over; False where they were preempted and must start again."""
        ended: queue.Queue[_Running] = queue.Queue()
        lines: queue.Queue[str] = queue.Queue()

        def tell(replica: str, severity: str, line: str) -> None:
            job.log(line, severity, replica)
            self.said.append((job, replica, line))
            lines.put(line)

        for one in running:
            threading.Thread(target=one.follow, args=(tell, ended), daemon=True).start()
        told: set[str] = set()
        while True:
            one = _next(ended)
            _measure(job, metrics, told)
            if one is not None and one.code:
                raise JobFailedError(
                    f"The replica {one.replica.name} exited with a non-zero status of {one.code}."
                )
            if one is not None and one.replica.chief:
                _stop(running)
                return True
            if job.cancelled.is_set():
                _stop(running)
                return True
            if self._preempt(job, running, lines):
                return False

    def _preempt(self, job: "Job", running: Sequence["_Running"], lines: "queue.Queue[str]") -> bool:
        said = _drain(lines)
        waiting = next((one for one in self.preemptions if not one.done), None)
        if waiting is None or job.spec.scheduling.strategy.name != "SPOT":
            return False
        if not any(map(waiting.when, said)):
            return False
        waiting.done = True
        for one in running:
            if one.replica.name in waiting.replicas:
                job.log("preempted: SIGTERM", "WARNING", one.replica.name)
                one.container.kill("SIGTERM")
        _await(running, NOTICE_SECONDS)
        return True

    def serve(self, deployment: "Deployment") -> str:
        """Start a model's container, and wait until it says that it is healthy; its address.

        Raises:
            JobFailedError: it ended, or isn't healthy in time.
        """
        spec = deployment.model.container_spec
        port = spec.ports[0].container_port if spec.ports else 8080
        container = self._run(
            spec.image_uri,
            entrypoint=list(spec.command) or None,
            command=list(spec.args) or None,
            environment={
                **{variable.name: variable.value for variable in spec.env},
                **serving_environment(deployment, port),
                **self._beyond,
            },
            ports={f"{port}/tcp": ("127.0.0.1", None)},
        )
        serving = Serving(container, published(container, port))
        deployment.stop = serving.stop
        try:
            serving.wait_until_healthy(spec.health_route)
        except JobFailedError:
            serving.stop()
            raise
        return serving.url


def serving_environment(deployment: "Deployment", port: int) -> dict[str, str]:
    """What Vertex AI sets in a model's container."""
    spec = deployment.model.container_spec
    resources = deployment.deployed.dedicated_resources
    return {
        "AIP_MODE": "PREDICTION",
        "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": spec.health_route,
        "AIP_PREDICT_ROUTE": spec.predict_route,
        "AIP_STORAGE_URI": deployment.model.artifact_uri,
        "AIP_DEPLOYED_MODEL_ID": deployment.deployed_model_id,
        "AIP_ENDPOINT_ID": deployment.endpoint.rsplit("/", 1)[-1],
        "AIP_MACHINE_TYPE": resources.machine_spec.machine_type,
    }


@dataclass(frozen=True)
class Serving:
    """A model's running container."""

    container: Any
    url: str

    def wait_until_healthy(self, route: str) -> None:
        """Ask its health route until the answer is 200.

        Raises:
            JobFailedError: the container ended, or the time is up.
        """
        deadline = time.monotonic() + HEALTHY_SECONDS
        while time.monotonic() < deadline:
            self.container.reload()
            if self.container.status == "exited":
                said = self.container.logs(tail=1).decode(errors="replace").strip()
                raise JobFailedError(f"Model server exited unexpectedly: {said}")
            if _answers(f"{self.url}{route}"):
                return
            time.sleep(SECONDS_BETWEEN_LOOKS)
        raise JobFailedError(f"Model server never became ready: {route} isn't 200.")

    def stop(self) -> None:
        """End it, as at an undeployment; a second time it is gone already."""
        with suppress(NotFound):
            self.container.stop(timeout=STOP_SECONDS)
            self.container.remove(force=True)


@dataclass
class _Running:
    replica: Replica
    container: Any
    code: int = 0

    def follow(self, tell: Callable[[str, str, str], None], ended: "queue.Queue[_Running]") -> None:
        """Hand its output on, line by line (replica, severity, line), and itself when it has ended."""

        def read(severity: str, **stream: bool) -> None:
            for line in self._lines(**stream):
                tell(self.replica.name, severity, line)

        # As on Vertex AI: what goes to standard error is an error there.
        errors = threading.Thread(target=read, args=("ERROR",), kwargs={"stdout": False}, daemon=True)
        errors.start()
        read("INFO", stderr=False)
        errors.join()
        self.code = int(self.container.wait()["StatusCode"])
        ended.put(self)

    def _lines(self, **stream: bool) -> Iterator[str]:
        rest = b""
        for data in self.container.logs(stream=True, follow=True, **stream):
            *whole, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace").rstrip("\r") for line in whole)
        if rest:
            yield rest.decode(errors="replace")


def _next(ended: "queue.Queue[_Running]") -> _Running | None:
    try:
        return ended.get(timeout=SECONDS_BETWEEN_LOOKS)
    except queue.Empty:
        return None


def _drain(lines: "queue.Queue[str]") -> list[str]:
    return [lines.get() for _ in range(lines.qsize())]


def _await(running: Sequence[_Running], seconds: float) -> None:
    """Wait until all have ended, and end those that haven't by then."""
    deadline = time.monotonic() + seconds
    for one in running:
        while time.monotonic() < deadline:
            one.container.reload()
            if one.container.status == "exited":
                break
            time.sleep(SECONDS_BETWEEN_LOOKS)
    _stop(running, 0)


def _stop(running: Sequence[_Running], seconds: int = STOP_SECONDS) -> None:
    for one in running:
        one.container.stop(timeout=seconds)


def _measure(job: "Job", metrics: Path, told: set[str]) -> None:
    """Tell what a trial reported and wasn't told yet: a line for each value, the last hundred of them."""
    if not metrics.exists():
        return
    for line in metrics.read_text().splitlines():
        if line in told or not line.endswith("}"):  # half of a line is read again
            continue
        told.add(line)
        entry = json.loads(line)
        for name in entry.keys() - {"timestamp", "trial", "global_step", "checkpoint_path"}:
            job.measure(name, float(entry[name]), int(entry["global_step"]))


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == requests.codes.ok
    except requests.RequestException:
        return False
