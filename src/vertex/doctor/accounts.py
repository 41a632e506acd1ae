"""The accounts that jobs and servers run as."""

from vertex.doctor.finding import Status, failed, ok, warning
from vertex.doctor.question import Question
from vertex.google_api import NOT_FOUND, Google, RefusedError


def look_at_service_account(google: Google, asked: Question) -> list[tuple[Status, str]]:
    """Whether the account that jobs run as is there, and this one may use it."""
    if not asked.service_account:
        return [
            warning(
                "none is set (CHRYSALIS_SERVICE_ACCOUNT): custom jobs run as Vertex AI's Custom Code Service "
                "Agent, pipelines as Compute Engine's default account, which may do far more"
            )
        ]
    return [_look(google, asked, asked.service_account, "CHRYSALIS_SERVICE_ACCOUNT", "jobs")]


def look_at_serving_account(google: Google, asked: Question) -> list[tuple[Status, str]]:
    """Likewise the account that servers run as."""
    if not asked.serving_account:
        return [ok("none is set (CHRYSALIS_SERVING_ACCOUNT): endpoints run as Vertex AI's own")]
    return [_look(google, asked, asked.serving_account, "CHRYSALIS_SERVING_ACCOUNT", "servers")]


def _look(google: Google, asked: Question, email: str, setting: str, what: str) -> tuple[Status, str]:
    project = email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    if "." in project:  # Compute Engine's own, which has its project's number in front
        project = str(asked.project)
    path = f"/v1/projects/{project}/serviceAccounts/{email}"
    try:
        account = google.get("iam.googleapis.com", path)
    except RefusedError as error:
        if error.code != NOT_FOUND:
            raise
        return failed(f"{email} doesn't exist: check {setting}, or make it with deploy/terraform")
    if account.get("disabled"):
        return failed(f"{email} is disabled: gcloud iam service-accounts enable {email}")
    act_as = "iam.serviceAccounts.actAs"
    allowed = google.post("iam.googleapis.com", f"{path}:testIamPermissions", {"permissions": [act_as]})
    if act_as not in allowed.get("permissions", []):
        return failed(
            f"this account may not start {what} as {email}: gcloud iam service-accounts "
            f"add-iam-policy-binding {email} --member=user:EMAIL --role=roles/iam.serviceAccountUser"
        )
    return ok(f"{email} is there, and {what} may run as it; what it may do can't be known here")
