"""What the project holds: the bucket, and the images."""

import os
from typing import Any, Final

from vertex.doctor.finding import Status, failed, ok, warning
from vertex.doctor.question import Question
from vertex.google_api import NOT_FOUND, Google, RefusedError
from vertex.images import of_the_chain
from vertex.registry import manifest

OBJECT_PERMISSIONS: Final = tuple(f"storage.objects.{verb}" for verb in ("create", "delete", "get", "list"))
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
    codes = {
        name: manifest(google, asked.images, name, asked.tag).status_code
        for name in of_the_chain(asked.model)
    }
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
