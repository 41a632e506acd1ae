"""Cloud Logging's entries:list, for what jobs write."""

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rehearsal.vertex_ai.errors import invalid, require
from rehearsal.vertex_ai.filters import SEVERITIES, matcher

DEFAULT_PAGE: Final = 50
LONGEST_PAGE: Final = 1000


class Logs:
    """Entries in the order in which they were written, no two at the same microsecond."""

    def __init__(self, project: str = "project") -> None:
        self.project = project
        self.entries: list[dict[str, Any]] = []
        self._last = datetime.fromtimestamp(0, UTC)
        self._lock = threading.Lock()

    def write(self, number: str, message: str, *, severity: str, replica: str, trial: str | None) -> None:
        """Add a line as the service's agent does: JSON stays text (python-aiplatform#629)."""
        if severity not in SEVERITIES:
            raise ValueError(f"expected a severity of {', '.join(SEVERITIES)}; got {severity!r}")
        labels = {"ml.googleapis.com/job_id/log_area": "root", "ml.googleapis.com/trial_id": trial or ""}
        with self._lock:
            self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
            time = f"{self._last:%Y-%m-%dT%H:%M:%S.%f}Z"
            self.entries.append(
                {
                    "insertId": uuid.uuid4().hex[:16],
                    "logName": f"projects/{self.project}/logs/{replica}",
                    "resource": {
                        "type": "ml_job",
                        "labels": {"job_id": number, "task_name": replica, "project_id": self.project},
                    },
                    "labels": labels,
                    "jsonPayload": {"message": message, "levelname": severity, "attrs": {"tag": replica}},
                    "severity": severity,
                    "timestamp": time,
                    "receiveTimestamp": time,
                }
            )

    def list(self, request: Any) -> dict[str, Any]:
        """Answer a ListLogEntriesRequest."""
        require(request.resource_names, "resource_names: at least one is required")
        keep = matcher(request.filter)
        if request.order_by not in ("", "timestamp asc", "timestamp desc"):
            raise invalid(f'order_by: "timestamp asc" or "timestamp desc", got "{request.order_by}"')
        with self._lock:
            found = [entry for entry in self.entries if keep(entry)]
        if request.order_by == "timestamp desc":
            found.reverse()
        token = request.page_token or "0"
        require(token.isdecimal() and request.page_size >= 0, "page_token or page_size is invalid")
        first, size = int(token), min(request.page_size or DEFAULT_PAGE, LONGEST_PAGE)
        answer: dict[str, Any] = {"entries": found[first : first + size]}
        if first + size < len(found):
            answer["nextPageToken"] = str(first + size)
        return answer
