"""Runs the images that requests name, as Vertex AI would: its variables, its mounts, its signals.

A container gets what the request and Vertex AI give it and one variable more, the address of the bucket's
emulator (and of Secret Manager's stand-in where there is one). No capabilities, no new privileges, and the
image's own user.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from docker.errors import APIError, ImageNotFound

from rehearsal import model_server
from rehearsal.machines import Cluster, Machine
from rehearsal.metrics import Metrics
from rehearsal.model_server import ModelServer
from rehearsal.network import Network, published
from rehearsal.replicas import Replica, environment, replicas
from rehearsal.vertex_ai import JobFailedError

if TYPE_CHECKING:
    from rehearsal.vertex_ai import Deployment, Job

NOTICE_SECONDS: Final = 30
"""Between a spot machine's SIGTERM and its end."""


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
            metrics = Metrics(Path(folder))
            while True:
                job.tell("RUNNING")
                with self._started(job, everyone, metrics) as machines:
                    if self._is_over(job, machines, metrics):
                        return
                job.tell("PENDING")

    @contextmanager
    def _started(self, job: "Job", everyone: Sequence[Replica], metrics: Metrics) -> Iterator[list[Machine]]:
        with ExitStack() as stack:
            machines = []
            for replica in everyone:
                machines.append(Machine(replica, self._start_replica(job, replica, everyone, metrics)))
                stack.callback(machines[-1].container.remove, force=True)
            yield machines

    def _start_replica(
        self, job: "Job", replica: Replica, everyone: Sequence[Replica], metrics: Metrics
    ) -> Any:
        spec = replica.spec.container_spec
        mounts = [f"{self.network.name}:/gcs:ro"]
        if job.trial and replica.chief:
            mounts.append(metrics.mount)
        return self._start(
            spec,
            environment(job, replica, everyone),
            command=[*spec.args, *job.arguments()] or None,
            host=replica.host,
            volumes=mounts,
        )

    def _start(self, spec: Any, variables: dict[str, str], **options: Any) -> Any:
        given = {variable.name: variable.value for variable in spec.env}
        beyond = {"STORAGE_EMULATOR_HOST": self.network.storage, **self.extra}
        try:
            return self.network.start(
                spec.image_uri,
                entrypoint=list(spec.command) or None,
                environment={**given, **variables, **beyond},
                **options,
            )
        except ImageNotFound:
            raise JobFailedError(f"Failed to pull image {spec.image_uri}: not found.") from None
        except APIError as error:
            raise JobFailedError(f"Failed to start {spec.image_uri}: {error.explanation}") from error

    def _is_over(self, job: "Job", machines: Sequence[Machine], metrics: Metrics) -> bool:
        """Watch machines until the job is over; False where they were taken away and must start again."""

        def tell(replica: str, severity: str, line: str) -> None:
            job.log(line, severity, replica)
            self.said.append((job, replica, line))

        cluster = Cluster(machines, tell)
        while True:
            machine = cluster.ended()
            metrics.tell(job)
            if machine is not None and machine.code:
                who, code = machine.replica.name, machine.code
                raise JobFailedError(f"The replica {who} exited with a non-zero status of {code}.")
            # The job is done when its chief is, whatever the others still do.
            if job.cancelled.is_set() or (machine is not None and machine.replica.chief):
                cluster.stop()
                return True
            if taken := self._preemption(job, cluster.said()):
                for replica in taken.replicas:
                    job.log("preempted: SIGTERM", "WARNING", replica)
                cluster.take_away(taken.replicas, NOTICE_SECONDS)
                return False

    def _preemption(self, job: "Job", said: Sequence[str]) -> Preemption | None:
        waiting = next((one for one in self.preemptions if not one.done), None)
        if waiting is None or job.spec.scheduling.strategy.name != "SPOT" or not any(map(waiting.when, said)):
            return None
        waiting.done = True
        return waiting

    def serve(self, deployment: "Deployment") -> str:
        """Start a model's container, and wait until it says that it is healthy; its address.

        Raises:
            JobFailedError: it ended, or isn't healthy in time.
        """
        spec, port = deployment.model.container_spec, model_server.port(deployment)
        container = self._start(
            spec,
            model_server.environment(deployment),
            command=list(spec.args) or None,
            ports={f"{port}/tcp": ("127.0.0.1", None)},
        )
        server = ModelServer(container, published(container, port))
        deployment.stop = server.stop
        try:
            server.wait_until_healthy(spec.health_route)
        except JobFailedError:
            server.stop()
            raise
        return server.url
