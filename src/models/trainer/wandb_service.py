"""The process beside the training that wandb sends with (`wandb-core`): how to end it in bounded time."""

import sys
import threading
from typing import Any, Final

GRACE: Final = 3.0
"""Seconds beyond wandb's own patience before its process is ended by force."""


def end(exit_code: int, run: Any = None, patience: float = 0.0) -> None:
    """Finish a run and end wandb's process; what wasn't sent by then stays in the run's folder.

    wandb bounds the end of a run with `finish_timeout`, but while an artifact is on its way that doesn't
    hold, and what remains would keep the interpreter from ending.

    Args:
        exit_code: 0: the run went well.
        run: what to finish; None: nothing.
        patience: seconds that wandb gives itself.

    Raises:
        TimeoutError: not everything was sent.
        Exception: whatever else wandb raised.
    """
    if "wandb" not in sys.modules:
        return
    import wandb

    failures: list[BaseException] = []

    def finish() -> None:
        try:
            if run is not None:
                run.finish(exit_code=exit_code)
        except BaseException as error:  # noqa: BLE001 - it is raised in the caller's thread
            failures.append(error)
        try:
            wandb.teardown(exit_code=exit_code)
        except BaseException as error:  # noqa: BLE001 - the same; wandb raises SystemExit there
            failures.append(error)

    process = _process(wandb)
    thread = threading.Thread(target=finish, name="wandb-finish", daemon=True)
    thread.start()
    thread.join(patience + GRACE)
    if thread.is_alive():
        if process is not None:
            process.kill()
        thread.join(GRACE)
        raise TimeoutError(f"not everything was sent in {patience:g} seconds")
    for failure in failures:
        if isinstance(failure, Exception):
            raise failure


def _process(wandb: Any) -> Any:
    """The process, where there is one; wandb gives no other way to it."""
    connection = wandb.setup()._connection
    return connection and connection._proc and connection._proc._process
