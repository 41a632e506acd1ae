"""What the project holds: the bucket, the images, the account that jobs run as, and the secret."""

import os
from typing import Any, Final

from vertex.doctor.finding import Status, failed, ok, warning
from vertex.doctor.google_api import NOT_FOUND, Google, RefusedError
from vertex.doctor.question import Question
from vertex.images import of_the_chain

OBJECT_PERMISSIONS: Final = tuple(f"storage.objects.{verb}" for verb in ("create", "delete", "get", "list"))
MANIFESTS: Final = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)
MULTI_REGIONS: Final = {"US": "us-", "EU": "europe-", "ASIA": "asia-"}


def look_at_bucket(google: Google, asked: Question) -> list[tuple[Status, str]]:
    """Whether it is there, near the jobs, and open to this account."""
    name = asked.bucket_name
    if not name:
        return [failed("no bucket: set CHRYSALIS_BUCKET, or give ROOT=gs://bucket/prefix")]
    try:
        permissions = _storage(google, f"/b/{name}/iam/testPermissions", permissions=OBJECT_PERMISSIONS)
    except RefusedError as error:
        if error.code != NOT_FOUND:
            raise
        return [
            failed(
                f"gs://{name} doesn't exist: gcloud storage buckets create gs://{name} --project "
                f"{asked.project} --location {asked.region} --uniform-bucket-level-access, or terraform"
            )
        ]
    lacking = [each for each in OBJECT_PERMISSIONS if each not in permissions.get("permissions", [])]
    if lacking:
        return [
            failed(
                f"gs://{name}: this account lacks {', '.join(lacking)}: gcloud storage buckets "
                f"add-iam-policy-binding gs://{name} --member=user:EMAIL --role=roles/storage.objectUser"
            )
        ]
    return [ok(f"gs://{name} may be read and written"), _place(google, name, asked)]


def _place(google: Google, name: str, asked: Question) -> tuple[Status, str]:
    try:
        place = str(_storage(google, f"/b/{name}", fields="location").get("location", ""))
    except RefusedError as error:
        return warning(f"where gs://{name} is can't be known, as this account may not look: {error}")
    region = asked.region or ""
    if place.lower() == region or (place in MULTI_REGIONS and region.startswith(MULTI_REGIONS[place])):
        return ok(f"gs://{name} is in {place}, as the jobs are")
    return warning(
        f"gs://{name} is in {place}, and jobs run in {region}: every byte crosses, which is slow and costs; "
        "take CHRYSALIS_REGION or a bucket so that they meet"
    )


def _storage(google: Google, path: str, **query: Any) -> dict[str, Any]:
    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    services = Google(google.session, emulator) if emulator else google
    return services.get("storage.googleapis.com", f"/storage/v1{path}", **query)


def look_at_images(google: Google, asked: Question) -> list[tuple[Status, str]]:
    """Whether the registry has those of the chain."""
    if not asked.images:
        return [failed("no registry: set CHRYSALIS_IMAGES, as in REGION-docker.pkg.dev/PROJECT/chrysalis")]
    codes = {name: _manifest(google, asked.images, name, asked.tag) for name in of_the_chain(asked.model)}
    if refused := {name: code for name, code in codes.items() if code not in (200, NOT_FOUND)}:
        name, code = next(iter(refused.items()))
        return [
            failed(
                f"{asked.images}/{name}:{asked.tag}: HTTP {code}: check CHRYSALIS_IMAGES, that the "
                "repository is there, and that this account has the role Artifact Registry Reader"
            )
        ]
    if missing := [name for name, code in codes.items() if code == NOT_FOUND]:
        return [
            failed(
                f"{asked.images} has no {', '.join(missing)} tagged {asked.tag}: make push "
                f"MODEL={asked.model}, or set CHRYSALIS_TAG"
            )
        ]
    return [ok(f"{', '.join(codes)} are in {asked.images}, tagged {asked.tag}")]


def _manifest(google: Google, images: str, name: str, tag: str) -> int:
    """The status that the registry gives for an image's manifest."""
    host, _, repository = images.partition("/")
    scheme = "http" if host.split(":")[0] in ("localhost", "127.0.0.1") else "https"
    address = f"{scheme}://{host}/v2/{f'{repository}/' if repository else ''}{name}/manifests/{tag}"
    return google.send("HEAD", address, headers={"Accept": MANIFESTS}).status_code


def look_at_service_account(google: Google, asked: Question) -> list[tuple[Status, str]]:
    """Whether the account that jobs run as is there, and this one may use it."""
    email = asked.service_account
    if not email:
        return [
            warning("none is set (CHRYSALIS_SERVICE_ACCOUNT): jobs run as Vertex AI's own, which may more")
        ]
    project = email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    if "." in project:  # Compute Engine's own, which has its project's number in front
        project = str(asked.project)
    path = f"/v1/projects/{project}/serviceAccounts/{email}"
    try:
        account = google.get("iam.googleapis.com", path)
    except RefusedError as error:
        if error.code != NOT_FOUND:
            raise
        return [
            failed(
                f"{email} doesn't exist: check CHRYSALIS_SERVICE_ACCOUNT, or make it with deploy/terraform"
            )
        ]
    if account.get("disabled"):
        return [failed(f"{email} is disabled: gcloud iam service-accounts enable {email}")]
    act_as = "iam.serviceAccounts.actAs"
    allowed = google.post("iam.googleapis.com", f"{path}:testIamPermissions", {"permissions": [act_as]})
    if act_as not in allowed.get("permissions", []):
        return [
            failed(
                f"this account may not start jobs as {email}: gcloud iam service-accounts "
                f"add-iam-policy-binding {email} --member=user:EMAIL --role=roles/iam.serviceAccountUser"
            )
        ]
    return [ok(f"{email} is there, and jobs may run as it; what it may do can't be known here")]


def look_at_secret(google: Google, asked: Question) -> list[tuple[Status, str]]:
    """Whether the key of Weights & Biases is in Secret Manager. Its value isn't asked for."""
    if not asked.wandb_secret:
        return [ok("none is set (CHRYSALIS_WANDB_SECRET): jobs log to Weights & Biases offline")]
    name, _, version = asked.wandb_secret.partition(":")
    path = f"projects/{asked.project}/secrets/{name}/versions/{version or 'latest'}"
    services = Google(google.session, asked.secrets_endpoint) if asked.secrets_endpoint else google
    try:
        state = services.get("secretmanager.googleapis.com", f"/v1/{path}").get("state")
    except RefusedError as error:
        if error.code != NOT_FOUND:
            raise
        return [
            failed(
                f"{path} doesn't exist: gcloud secrets create {name} --project {asked.project}, then gcloud "
                f"secrets versions add {name} --data-file=FILE --project {asked.project}"
            )
        ]
    if state != "ENABLED":
        return [failed(f"{path} is {state}: gcloud secrets versions enable, or add one")]
    return [ok(f"{path} is there; whether jobs may read it can't be known here")]
