"""How every command speaks: one clear line for an error, bars on a terminal and JSON lines elsewhere.

Exit codes: 0 done; 1 failed; 2 bad arguments or input; 130 and 143 interrupted by SIGINT and SIGTERM.
"""

import json
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, TypeVar

import typer

from contracts import vertex_environment
from contracts.errors import InputError, StageError

T = TypeVar("T")

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 128 + signal.SIGINT

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

SECONDS_BETWEEN_LINES = 10.0
"""How often `progress` writes a line where there is no terminal."""


class Terminated(BaseException):
    """SIGTERM arrived. A BaseException like KeyboardInterrupt, so that no `except Exception` swallows it."""


def log(event: str, **fields: Any) -> None:
    """Report something that happened, on standard error: a sentence on a terminal, a JSON line elsewhere.

    On Vertex AI on standard output: it files every line of the other as an ERROR.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm  # a process without a terminal needn't pay for it

        details = " ".join(f"{key}={value}" for key, value in fields.items())
        tqdm.write(printable(f"{event}  {details}".rstrip()), file=sys.stderr)
    else:
        # Bars of worker threads don't run without a terminal, so a plain write can't tear one.
        stream = sys.stdout if vertex_environment.on_vertex() else sys.stderr
        stream.write(json.dumps({"event": event, **fields}, default=str) + "\n")
        stream.flush()


def printable(text: str) -> str:
    """Text without what moves a terminal's cursor or changes its colours."""
    text = _COLOURS.sub("", text)
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def progress(items: Iterable[T], *, total: int | None, what: str, unit: str = "it") -> Iterator[T]:
    """Yield `items`, showing how far along they are.

    Args:
        items: what is worked through.
        total: how many there are, where it is known.
        what: the work's name, as in "reading images".
        unit: what one item is called.
    """
    with Bar(total=total, what=what, unit=unit) as bar:
        for item in items:
            yield item
            bar.advance()
        bar.finish()


class Bar:
    """How far a long work is: a bar on a terminal; elsewhere a JSON line now and then, and one at its end."""

    def __init__(self, *, total: int | None, what: str, unit: str = "it", done: int = 0) -> None:
        """Begin, with `done` of the items done before."""
        self._total, self._what, self._unit = total, what, unit
        self._done = self._before = done
        self._figures: dict[str, Any] = {}
        self._started = self._last = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            tqdm.monitor_interval = 0  # its thread would keep pools of processes from forking
            self._bar = tqdm(
                total=total, initial=done, desc=what, unit=f" {unit}", file=sys.stderr, dynamic_ncols=True
            )

    def advance(self, count: int = 1, **figures: Any) -> None:
        """Tell that `count` more items are done, and what is known by now."""
        self._done += count
        self._figures = figures
        if self._bar is not None:
            self._bar.set_postfix(figures, refresh=False)
            self._bar.update(count)
        elif time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            left = {} if self._total is None else {"seconds_left": self._seconds_left(self._total)}
            self._log(**left)

    def finish(self) -> None:
        """Tell that everything is done."""
        if self._bar is None:
            self._log(finished=True)

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _seconds_left(self, total: int) -> float:
        seconds = time.monotonic() - self._started
        return round(seconds / max(self._done - self._before, 1) * (total - self._done), 1)

    def _log(self, **fields: Any) -> None:
        seconds = round(time.monotonic() - self._started, 1)
        known = {"total": self._total, "unit": self._unit, "seconds": seconds}
        log(self._what, done=self._done, **known, **fields, **self._figures)


def run_app(app: typer.Typer, prog_name: str) -> NoReturn:
    """Run a typer application as a process: every failure is one line on standard error and an exit code.

    SIGTERM raises `Terminated` in the main thread, so that `finally` clauses clean up as they do for Ctrl-C.
    """
    signal.signal(signal.SIGTERM, _raise_terminated)
    sys.exit(exit_code(lambda: app(prog_name=prog_name, standalone_mode=False), prog_name))


def exit_code(command: Callable[[], Any], prog_name: str) -> int:
    """Call `command` and turn what it raises into an exit code, with one line on standard error."""
    try:
        result = command()
    except typer.Exit as done:
        return done.exit_code
    except typer.TyperException as error:
        return _complain(prog_name, f"{_message(error)} See {_command(error, prog_name)} --help.", BAD_INPUT)
    except InputError as error:
        return _complain(prog_name, str(error), BAD_INPUT)
    except (StageError, OSError, MemoryError) as error:
        return _complain(prog_name, f"failed: {describe(error)}", FAILED)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(prog_name)
    except Terminated:
        return _complain(prog_name, "terminated; the same command again carries on", 128 + signal.SIGTERM)
    if result == INTERRUPTED:  # typer's answer to a KeyboardInterrupt
        return _interrupted(prog_name)
    return result if isinstance(result, int) else 0


def describe(error: Exception) -> str:
    """What an error says; where it says nothing, as MemoryError, its type's name."""
    return str(error) or type(error).__name__


def _interrupted(prog_name: str) -> int:
    return _complain(prog_name, "interrupted; the same command again carries on", INTERRUPTED)


def _message(error: typer.TyperException) -> str:
    describe = getattr(error, "format_message", None)
    text = " ".join(str(describe() if describe else error).split()).replace("Value error, ", "")
    return text if text.endswith((".", "?")) else f"{text}."


def _command(error: typer.TyperException, prog_name: str) -> str:
    """Whose usage it is: the program's, or one of its sub-commands'."""
    context = getattr(error, "ctx", None)
    if context is None:
        return prog_name
    # By typer the program goes by its file, unless told otherwise.
    return prog_name + str(context.command_path.removeprefix(context.find_root().command_path))


def _complain(prog_name: str, message: str, code: int) -> int:
    sys.stderr.write(f"{prog_name}: {printable(' '.join(message.split()))}\n")
    return code


def _raise_terminated(_signal: int, _frame: Any) -> NoReturn:
    raise Terminated
