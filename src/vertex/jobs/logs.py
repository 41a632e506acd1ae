"""What a job's hosts say, read from Cloud Logging while it runs.

The stages write JSON lines (`contracts.console`); here they are sentences again. Reading them is a courtesy:
where it isn't possible, one warning says so, and the job is followed all the same.
"""

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from contracts.console import log, printable
from vertex.client import LONGEST_REASON, brief, credentials
from vertex.jobs.kinds import PIPELINES
from vertex.jobs.service import created
from vertex.settings import Settings

if TYPE_CHECKING:
    from google.cloud.logging import Client

    from vertex.jobs.kinds import Job

READ_SECONDS: Final = 5.0
"""How often the log is read: a project may do so 60 times a minute."""
LATE_SECONDS: Final = 2.0
"""How long after a job's end its last lines may arrive."""
PAGE: Final = 1000
OVERLAP: Final = timedelta(minutes=1)
"""How much later than a newer line an older one may arrive."""
TRIAL: Final = "ml.googleapis.com/trial_id"
"""The label that says of which trial a line is."""

OF_THE_AGENT: Final = ("levelname", "attrs")
"""What the service's agent adds to the fields of a line."""

FORBIDDEN: Final = (401, 403, 404)
"""What stays so, however often it is asked."""

_COMPLAINT = re.compile(r"python -m [\w.]+: ")
"""How the line begins in which a stage says why it ends (`contracts.console`)."""


class Logs:
    """The log of one job, line by line, each once."""

    def __init__(self, settings: Settings, job: "Job") -> None:
        self._settings = settings
        _, self._project, _, _, collection, self._number = str(job.name).split("/")
        self._complaints: dict[str | None, str] = {}
        self._several = collection != "customJobs" or len(job.job_spec.worker_pool_specs) > 1
        self._newest = created(job)
        self._seen: set[str] = set()
        self._next = 0.0
        self._warned = False
        self._stopped = collection == PIPELINES  # its steps are jobs with logs of their own
        self._client: Client | None = None

    def show_new(self) -> None:
        """Print what has come since the last time, if that is long enough ago."""
        if time.monotonic() >= self._next:
            self._show()
            self._next = time.monotonic() + READ_SECONDS

    def show_last(self) -> None:
        """Print what is left once the job has ended."""
        self._show()
        if not self._stopped:
            time.sleep(LATE_SECONDS)
            self._show()

    def complaint(self, job: "Job") -> str:
        """What the stage said of its own failure: on the host that the service blames, if it names one."""
        blamed = [who for who in self._complaints if who and who in job.error.message]
        return self._complaints[blamed[0]] if blamed else next(reversed(self._complaints.values()), "")

    def _show(self) -> None:
        import requests
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError

        if self._stopped:
            return
        try:
            for entry in self._entries():
                self._print(entry)
        except (
            *(exceptions.GoogleAPICallError, GoogleAuthError, requests.RequestException),
            *(
                ArithmeticError,
                AttributeError,
                KeyError,
                RecursionError,
                TypeError,
                ValueError,
            ),  # an answer of another form
        ) as error:
            self._stopped = getattr(error, "code", None) in FORBIDDEN
            if not self._warned:
                self._warned = True
                advice = "reading logs needs roles/logging.viewer" if self._stopped else "trying again"
                log(
                    "the job's log can't be read; the job is followed all the same",
                    reason=brief(error),
                    advice=advice,
                )

    def _entries(self) -> Iterator[Any]:
        """Those that weren't there before. Lines arrive late, and the hosts' out of order."""
        since = self._newest - OVERLAP
        entries = self._connected().list_entries(  # type: ignore[no-untyped-call]
            resource_names=[f"projects/{self._project}"],
            filter_=(
                f'resource.type="ml_job" AND resource.labels.job_id="{self._number}" '
                f'AND timestamp>="{since.isoformat()}"'
            ),
            order_by="timestamp asc",
            page_size=PAGE,
        )
        for entry in entries:
            if entry.insert_id not in self._seen:
                self._seen.add(entry.insert_id)
                if entry.timestamp:
                    # A host whose clock is ahead hides no other's lines.
                    self._newest = max(self._newest, min(entry.timestamp, datetime.now(UTC)))
                yield entry

    def _connected(self) -> "Client":
        from google.cloud.logging import Client

        if self._client is None:
            address = self._settings.api_endpoint
            # A stand-in on http:// plays every service; a private endpoint of Vertex AI's doesn't.
            options = {"api_endpoint": address} if address.startswith("http://") else None
            self._client = Client(  # type: ignore[no-untyped-call]
                project=self._settings.project,
                credentials=credentials(address),
                client_options=options,
                _use_grpc=False,
            )
        return self._client

    def _print(self, entry: Any) -> None:
        replica = (entry.resource.labels if entry.resource else {}).get("task_name")
        trial = (entry.labels or {}).get(TRIAL) or None
        who = " ".join(part for part in (f"trial {trial}" if trial else None, replica) if part)
        for line in sentence(entry.payload).splitlines():
            if _COMPLAINT.match(line):
                self._complaints.pop(replica, None)  # the newest one is last
                self._complaints[replica] = line[:LONGEST_REASON]
            if sys.stderr.isatty():
                log(f"{who}: {line}" if who and self._several else line)
            else:
                known = {"replica": replica, "trial": trial, "severity": entry.severity, "message": line}
                log("log", **{name: value for name, value in known.items() if value is not None})


def sentence(payload: Any) -> str:
    """Write a payload as people read it: text as it is, a stage's JSON as its event and its fields."""
    if isinstance(payload, Mapping):
        fields = {name: value for name, value in payload.items() if name not in OF_THE_AGENT}
        if "event" in fields:
            return _event(fields)
        payload = fields.get("message", fields)
    event = _json_object(payload)
    if "event" in event:
        return _event(event)
    return printable(str(payload).rstrip())


def _json_object(text: Any) -> dict[str, Any]:
    """A line that is a JSON object: the service's agent leaves it as text."""
    try:
        fields = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        fields = None
    return fields if isinstance(fields, dict) else {}


def _event(fields: Mapping[str, Any]) -> str:
    rest = " ".join(
        f"{name}={value}" for name, value in fields.items() if name != "event" and value is not None
    )
    return printable(f"{fields['event']}  {rest}".rstrip())
