"""The project's side: who asks, which services are on, the region, and how many accelerators it may have."""

from itertools import chain
from typing import Any, Final

from contracts.errors import InputError
from vertex.doctor.finding import Status, failed, ok, warning
from vertex.doctor.question import Question
from vertex.google_api import Google, RefusedError, UnansweredError
from vertex.jobs.job_options import JobOptions
from vertex.jobs.scheduling import scheduling
from vertex.machines import machine

SERVICES: Final = (
    "aiplatform.googleapis.com",
    "artifactregistry.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "storage.googleapis.com",
)
"""What jobs, images and data need."""

SECRETS_API: Final = "secretmanager.googleapis.com"
SPARE: Final = {
    "RUN=dataflow": ("dataflow.googleapis.com", "compute.googleapis.com"),
    "TARGET=cloudrun or function": ("run.googleapis.com",),
}
"""By what alone needs them."""

UNLIMITED: Final = -1


def look_at_credentials(google: Google) -> list[tuple[Status, str]]:
    """Whether they still hold, and whose they are."""
    if google.endpoint and google.endpoint.startswith("http://"):
        return [ok(f"none are sent to {google.endpoint}")]
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.auth.transport.requests import Request

    found: Any = google.session.credentials
    try:
        found.refresh(Request())
    except TransportError as error:
        raise UnansweredError(
            f"Google doesn't answer, so whether they hold can't be known: check the network ({error})"
        ) from error
    except GoogleAuthError as error:
        raise InputError(
            f"there are some, but they don't hold ({error}): gcloud auth application-default login, or "
            "another key in GOOGLE_APPLICATION_CREDENTIALS"
        ) from error
    account = getattr(found, "service_account_email", None) or getattr(found, "account", None)
    return [ok(str(account or _user(google) or "valid; whose they are can't be told"))]


def _user(google: Google) -> str | None:
    try:
        email = google.get("openidconnect.googleapis.com", "/v1/userinfo").get("email")
    except RefusedError:  # the credentials don't open it, which says nothing of what they do open
        return None
    return str(email) if email else None


def look_at_services(google: Google, asked: Question) -> list[tuple[Status, str]]:
    """Whether the project is there, and its services are switched on."""
    needed = [*SERVICES, *((SECRETS_API,) if asked.wandb_secret else ())]
    names = [*needed, *chain(*SPARE.values())]
    parent = f"projects/{asked.project}"
    try:
        answer = google.get(
            "serviceusage.googleapis.com",
            f"/v1/{parent}/services:batchGet",
            names=[f"{parent}/services/{name}" for name in names],
        )
    except RefusedError as error:
        return [
            failed(
                f"{asked.project} doesn't answer this account ({error}): check CHRYSALIS_PROJECT, and that "
                "the account has the role Service Usage Consumer there"
            )
        ]
    on = {
        service["name"].rpartition("/")[2]
        for service in answer.get("services", [])
        if service.get("state") == "ENABLED"
    }
    lines = []
    if off := [name for name in needed if name not in on]:
        lines.append(failed(f"off in {asked.project}: {_enable(off, asked)}"))
    for what, spare in SPARE.items():
        if off := [name for name in spare if name not in on]:
            lines.append(warning(f"off, which only {what} needs: {_enable(off, asked)}"))
    return lines or [ok(f"{len(on)} are on in {asked.project}")]


def _enable(names: list[str], asked: Question) -> str:
    return f"gcloud services enable {' '.join(names)} --project {asked.project}"


def look_at_region(google: Google, asked: Question) -> list[tuple[Status, str]]:
    """Whether Vertex AI is in the region."""
    answer = google.get("aiplatform.googleapis.com", f"/v1/projects/{asked.project}/locations", pageSize=200)
    regions = sorted(place["locationId"] for place in answer.get("locations", []))
    if asked.region in regions:
        return [ok(f"{asked.region} has Vertex AI")]
    return [
        failed(f"Vertex AI isn't in {asked.region!r}: set CHRYSALIS_REGION to one of {', '.join(regions)}")
    ]


def look_at_quota(google: Google, asked: Question) -> list[tuple[Status, str]]:
    """Whether custom training may have the accelerators, or the CPUs, in the region."""
    resource, wanted = _wanted(asked)
    preemptible = asked.spot or asked.max_wait is not None
    metric = (
        f"aiplatform.googleapis.com/custom_model_training_{'preemptible_' if preemptible else ''}{resource}"
    )
    answer = google.get(
        "serviceusage.googleapis.com",
        f"/v1beta1/projects/{asked.project}/services/aiplatform.googleapis.com/consumerQuotaMetrics/"
        + metric.replace("/", "%2F"),
    )
    allowed = _limit(answer, asked.region)
    where = f"{metric.rpartition('/')[2]} in {asked.region}"
    if allowed is None:
        return [warning(f"can't be known: the service tells no limit of {where}")]
    if allowed != UNLIMITED and allowed < wanted:
        return [
            failed(
                f"{where}: {wanted} wanted, {allowed} allowed: ask for more on "
                f"https://console.cloud.google.com/iam-admin/quotas?project={asked.project} (it may take "
                "days), or take another --accelerator, region or fewer GPUs"
            )
        ]
    limit = "no limit" if allowed == UNLIMITED else f"{allowed} allowed"
    return [ok(f"{where}: {wanted} wanted, {limit}; how many are in use can't be known here")]


def _wanted(asked: Question) -> tuple[str, int]:
    """The quota's last part, and how much of it all hosts take.

    Raises:
        InputError: there is no such machine, or not under these terms.
    """
    host = machine(asked.gpus_in_the_cloud, asked.accelerator, asked.machine_type)
    scheduling(JobOptions(spot=asked.spot, max_wait=asked.max_wait), host, asked.workers)
    if host.accelerator:
        # NVIDIA_TESLA_T4 → nvidia_t4_gpus; the H100's quota doesn't tell its memory.
        name = host.accelerator.lower().replace("tesla_", "").replace("h100_80gb", "h100")
        return f"{name}_gpus", host.accelerator_count * asked.workers
    family = host.type.partition("-")[0]
    cores = host.type.rpartition("-")[2]
    if not cores.isdecimal():
        raise InputError(f"expected --machine-type as in n1-standard-8; got {host.type}")
    # N1 and E2 share a quota, which names neither.
    return "cpus" if family in ("n1", "e2") else f"{family}_cpus", int(cores) * asked.workers


def _limit(answer: dict[str, Any], region: str | None) -> int | None:
    """The region's limit; else the one that holds where no region has its own."""
    buckets = [
        bucket for limit in answer.get("consumerQuotaLimits", []) for bucket in limit.get("quotaBuckets", [])
    ]
    of_region = [each for each in buckets if each.get("dimensions", {}).get("region") == region]
    of_all = [each for each in buckets if not each.get("dimensions")]
    limits = [int(each["effectiveLimit"]) for each in of_region or of_all if "effectiveLimit" in each]
    return limits[0] if limits else None
