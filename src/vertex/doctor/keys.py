"""The keys in Secret Manager. Their values aren't asked for."""

from vertex.doctor.finding import Status, failed, ok, warning
from vertex.doctor.question import Question
from vertex.google_api import NOT_FOUND, Google, RefusedError


def look_at_wandb_secret(google: Google, asked: Question) -> list[tuple[Status, str]]:
    """Whether the key of Weights & Biases is there."""
    if not asked.wandb_secret:
        return [ok("none is set (CHRYSALIS_WANDB_SECRET): jobs log to Weights & Biases offline")]
    lacking = _lacking(google, asked, asked.wandb_secret)
    return [failed(lacking) if lacking else _there(asked.wandb_secret, "jobs")]


def look_at_api_key(google: Google, asked: Question) -> list[tuple[Status, str]]:
    """Whether the key is there that a server on Cloud Run asks for: only there it keeps it from starting."""
    if not asked.key_secret:
        return [ok("none is set (CHRYSALIS_API_KEY_SECRET): TARGET=cloudrun takes chrysalis-api-key")]
    lacking = _lacking(google, asked, asked.key_secret)
    if lacking:
        return [warning(f"TARGET=cloudrun needs it: {lacking}")]
    return [_there(asked.key_secret, "servers")]


def _there(secret: str, who: str) -> tuple[Status, str]:
    return ok(f"{secret} has its value; whether {who} may read it can't be known here")


def _lacking(google: Google, asked: Question, secret: str) -> str | None:
    """What `secret`, as SECRET or SECRET:VERSION, lacks, and the command that mends it; None: nothing."""
    name, _, version = secret.partition(":")
    path = f"projects/{asked.project}/secrets/{name}"
    services = Google(google.session, asked.secrets_endpoint) if asked.secrets_endpoint else google
    host = "secretmanager.googleapis.com"
    add = f"gcloud secrets versions add {name} --data-file=FILE --project {asked.project}"
    try:
        state = services.get(host, f"/v1/{path}/versions/{version or 'latest'}").get("state")
    except RefusedError as error:
        if error.code != NOT_FOUND:
            raise
        if _exists(services, host, f"/v1/{path}"):
            return f"{path} is there, and has no {f'version {version}' if version else 'value'}: {add}"
        return f"{path} doesn't exist: gcloud secrets create {name} --project {asked.project}, then {add}"
    if state == "ENABLED":
        return None
    return f"{path}/versions/{version or 'latest'} is {state}: gcloud secrets versions enable, or {add}"


def _exists(services: Google, host: str, path: str) -> bool:
    try:
        services.get(host, path)
    except RefusedError as error:
        # One that may not be looked at is taken to be there.
        return error.code != NOT_FOUND
    return True
