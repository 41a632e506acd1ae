"""What the service demands of a job, beyond its form."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from rehearsal.vertex_ai.errors import invalid, require
from vertex.jobs.scheduling import FLEXIBLE, NOT_STANDARD
from vertex.machines import accelerators

LONGEST_JOB: Final = timedelta(days=7)

_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_IMAGE = re.compile(r"[a-z0-9.-]+(?::\d+)?(?:/[a-z0-9._-]+)+(?::[\w.-]{1,128})?(?:@sha256:[0-9a-f]{64})?")
_SECRET_NAME = re.compile(r"(?:KEY|TOKEN|PASSWORD|SECRET|CREDENTIALS)$")
_SERVICE_ACCOUNT = re.compile(r"[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com")


def check_naming(message: Any) -> None:
    """Refuse a resource without a name for people, or with labels that the service doesn't take."""
    require(message.display_name, "Required field display_name is not set.")
    require(len(message.display_name) <= 128, "display_name: at most 128 characters")
    check_labels(message.labels)


def check_labels(labels: Mapping[str, str]) -> None:
    """Refuse labels that no resource may have."""
    require(len(labels) <= 64, "labels: at most 64")
    for key, value in labels.items():
        if not (_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
            raise invalid(
                f"Label {key!r}: {value!r} is invalid: lower-case letters, digits, _ and -, at most 63"
            )


def check_job_spec(spec: Any) -> None:
    """Refuse a CustomJobSpec that the service wouldn't start."""
    pools = list(spec.worker_pool_specs)
    require(pools, "Required field worker_pool_specs is not set.")
    require(len(pools) <= 4, "worker_pool_specs: at most 4 (chief, workers, parameter servers, evaluators)")
    require(pools[0].replica_count == 1, "worker_pool_specs[0].replica_count must be 1: it is the chief")
    for number, pool in enumerate(pools):
        where = f"worker_pool_specs[{number}]"
        if number and not pool.replica_count:
            require(not pool.container_spec.image_uri, f"{where}.replica_count must be set")
            continue  # an empty pool keeps the place of a kind that isn't used
        _check_pool(pool, where)
    _check_scheduling(spec.scheduling, pools[0].machine_spec)
    if spec.base_output_directory:
        check_bucket(spec.base_output_directory.output_uri_prefix, "base_output_directory.output_uri_prefix")
    if spec.service_account:
        check_service_account(spec.service_account)
    if spec.tensorboard:
        require(spec.service_account, "service_account is required where tensorboard is set")
        require(
            re.fullmatch(r"projects/[^/]+/locations/[^/]+/tensorboards/\d+", spec.tensorboard),
            "tensorboard: projects/P/locations/R/tensorboards/NUMBER",
        )
    if spec.network:
        require(
            re.fullmatch(r"projects/\d+/global/networks/[^/]+", spec.network),
            "network: projects/NUMBER/global/networks/NAME",
        )


def check_bucket(uri: str, field: str) -> None:
    """Refuse what isn't a folder in a bucket."""
    require(re.fullmatch(r"gs://[a-z0-9][\w.-]+(?:/.*)?", uri), f"{field}: expected gs://…, got {uri!r}")


def check_service_account(account: str) -> None:
    """Refuse what isn't a service account's e-mail."""
    require(_SERVICE_ACCOUNT.fullmatch(account), f"service_account: {account!r} is not a service account")


def check_container(container: Any, where: str) -> None:
    """Refuse an image's address that no registry has, and secrets in plain text.

    The service itself would take those: everyone who may list jobs would then read them.
    """
    require(container.image_uri, f"Required field {where}.image_uri is not set.")
    require(_IMAGE.fullmatch(container.image_uri), f"{where}.image_uri: {container.image_uri!r} is invalid")
    for variable in container.env:
        require(re.fullmatch(r"[A-Za-z_]\w*", variable.name), f"{where}.env: {variable.name!r} is invalid")
        if _SECRET_NAME.search(variable.name) and not variable.value.startswith("projects/"):
            raise invalid(f"{where}.env: {variable.name} looks like a secret; name Secret Manager's version")


def check_probe(probe: Any, where: str) -> None:
    """Refuse a probe that gives up before the next one is due."""
    if probe and probe.timeout_seconds:
        require(
            probe.timeout_seconds >= probe.period_seconds,
            f"{where}.timeout_seconds must be greater or equal to period_seconds",
        )


def check_machine(machine: Any, where: str) -> None:
    """Refuse accelerators without their count, and in a machine that can't hold them."""
    require(machine.machine_type, f"Required field {where}.machine_type is not set.")
    accelerator = machine.accelerator_type.name if machine.accelerator_type else ""
    require(
        bool(accelerator) == bool(machine.accelerator_count),
        f"{where}: accelerator_type and accelerator_count are set together or not at all",
    )
    require(
        not accelerator or accelerator in accelerators(machine.machine_type),
        f"{where}: {accelerator} is not supported on {machine.machine_type}",
    )


def _check_pool(pool: Any, where: str) -> None:
    check_machine(pool.machine_spec, f"{where}.machine_spec")
    check_container(pool.container_spec, f"{where}.container_spec")
    size = pool.disk_spec.boot_disk_size_gb
    require(not size or 100 <= size <= 64000, f"{where}.disk_spec.boot_disk_size_gb: 100 to 64000")


def _check_scheduling(scheduling: Any, machine: Any) -> None:
    timeout = scheduling.timeout or timedelta()
    require(timedelta() <= timeout <= LONGEST_JOB, "scheduling.timeout: at most 604800s")
    strategy = scheduling.strategy.name
    require(
        strategy != "FLEX_START" or machine.accelerator_type.name in FLEXIBLE,
        f"scheduling.strategy: FLEX_START is not supported on {machine.machine_type}",
    )
    require(
        machine.machine_type not in NOT_STANDARD or strategy in ("SPOT", "FLEX_START"),
        f"scheduling.strategy: {machine.machine_type} requires SPOT or FLEX_START",
    )
