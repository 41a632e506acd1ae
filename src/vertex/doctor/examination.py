"""All checks at once, each with an end: a service that hangs keeps none of the others from being told."""

import threading
import time
from collections.abc import Sequence
from typing import Final

from contracts.errors import InputError, StageError
from vertex.doctor.finding import Check, Finding, Status, failed, warning
from vertex.google_api import RefusedError, UnansweredError

PATIENCE_S: Final = 30.0


def examine(checks: Sequence[Check], patience_s: float = PATIENCE_S) -> list[Finding]:
    """Run `checks` beside each other; their findings, in the order of the checks."""
    found: dict[str, list[tuple[Status, str]]] = {}
    # Daemons, as one that hangs in a system's call must not outlive the patience.
    threads = [
        threading.Thread(target=lambda check=check: found.update({check.name: _look(check)}), daemon=True)
        for check in checks
    ]
    deadline = time.monotonic() + patience_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
    late = [warning(f"can't be known: no answer within {patience_s:.0f} s; check the network")]
    return [Finding(check.name, *line) for check in checks for line in found.get(check.name, late)]


def _look(check: Check) -> list[tuple[Status, str]]:
    try:
        return check.look()
    except RefusedError as error:
        return [warning(f"can't be known, as this account may not look: {error}")]
    except (UnansweredError, InputError, StageError, OSError) as error:
        return [failed(str(error))]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        return [
            warning(f"can't be known: the service's answer can't be read ({type(error).__name__}: {error})")
        ]
