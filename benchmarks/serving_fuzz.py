"""`make bench-serving-fuzz`: a running server is sent broken images, thousands of them, each in its own request.

Not a benchmark of speed: it shows that no image ends the server, gets another answer than that it is classified
or refused, or makes it keep memory, into reports/benchmarks/serving_fuzz.md. The images are numbered and made
from their numbers, so one that did harm is sent again by `--first NUMBER --images 1`. Linux only, for /proc.
"""

import http.client
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from benchmarks import commands, machine
from benchmarks.mutations import Case, make_case
from benchmarks.report import MB, Target, table, targets_table
from benchmarks.serving_process import CONTENT_TYPE
from benchmarks.serving_under_attack import Watched, describe, form, make_small_bundle, watched
from contracts.console import Bar

REPORT: Final = commands.ROOT / "reports/benchmarks/serving_fuzz.md"
AT_ONCE: Final = 4
"""Requests; a process that dies leaves no more cases than these to be tried one by one."""
ROUNDS: Final = 100
"""After each of them nothing is under way, and the memory is looked at."""
SECONDS_TO_ANSWER: Final = 60.0
FINE: Final = {200: "classified", 422: "refused", 413: "refused: too many pixels"}
"""The answers that a broken image may get."""
NO_ANSWER: Final = 0


@dataclass(frozen=True)
class Answered:
    """A case and what became of it."""

    case: Case
    status: int
    said: str
    """The answer's error, or why there was none."""
    seconds: float


@dataclass(frozen=True)
class Round:
    """Some cases, and the server's memory after them."""

    answers: Sequence[Answered]
    resident: int
    """Bytes."""


class Client(threading.local):
    """A connection that is kept, for each thread its own."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_TO_ANSWER)

    def send(self, case: Case) -> Answered:
        """Send one image."""
        began = time.monotonic()
        try:
            self._connection.request("POST", "/predict", form(case.data), {"Content-Type": CONTENT_TYPE})
            answer = self._connection.getresponse()
            status, said = answer.status, json.loads(answer.read()).get("error", "")
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            self._connection.close()
            status, said = NO_ANSWER, repr(error)
        return Answered(case, status, said, time.monotonic() - began)


def fuzz(server: Watched, numbers: range) -> Iterator[Round]:
    """Send the cases of the numbers; it ends early where the server did."""
    client = Client(server.port)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for start in range(numbers.start, numbers.stop, step := max(1, len(numbers) // ROUNDS)):
            some = range(start, min(start + step, numbers.stop))
            answers = list(threads.map(lambda number: client.send(make_case(number)), some))
            yield Round(answers, server.resident())
            if not server.lives:
                return


def rise(rounds: Sequence[Round]) -> float:
    """By how much the memory grew over the second half: the last quarter's median over the third's, less 1."""
    half = [one.resident for one in rounds][len(rounds) // 2 :]
    if len(half) < 2:
        return 0.0
    third, fourth = sorted(half[: len(half) // 2]), sorted(half[len(half) // 2 :])
    return fourth[len(fourth) // 2] / third[len(third) // 2] - 1


def main(
    count: Annotated[int, typer.Option("--images", min=1, help="How many.")] = 50_000,
    first: Annotated[int, typer.Option(min=0, help="The first one's number; others, other images.")] = 0,
    model: Annotated[str, typer.Option(help="A bundle; empty: a small one, trained for this.")] = "",
    out: Annotated[Path, typer.Option(help="The report.")] = REPORT,
) -> None:
    """Send broken images to a server; writes reports/benchmarks/serving_fuzz.md."""
    rounds = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chrysalis-fuzz-") as folder:
        model = model or make_small_bundle(Path(folder))
        with watched(model, Path(folder)) as server, Bar(total=count, what="fuzzing", unit="image") as bar:
            for one in fuzz(server, range(first, first + count)):
                rounds.append(one)
                _tell(one)
                bar.advance(len(one.answers), memory_mb=round(one.resident / MB))
            bar.finish()
            lived = server.lives
            if not lived:
                typer.echo(
                    f"the server ended with {server.process.returncode}:\n{server.last_words()}", err=True
                )
            text = report(describe(model), rounds, first, lived, time.monotonic() - began)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)
    typer.echo(text)
    if not all(target.met for target in targets(rounds, lived)):
        raise typer.Exit(1)


def _tell(one: Round) -> None:
    for answered in one.answers:
        if answered.status not in FINE:
            case = answered.case
            typer.echo(
                f"image {case.number} ({case.format}, {', '.join(case.mutations)}): {answered.status} "
                f"{answered.said}; again: --first {case.number} --images 1",
                err=True,
            )


def targets(rounds: Sequence[Round], lived: bool) -> list[Target]:
    """What must hold."""
    wrong = sum(answered.status not in FINE for one in rounds for answered in one.answers)
    return [
        Target("ends of the server", float(not lived), 0, at_least=False, unit="times"),
        Target("answers other than 200, 413 and 422", wrong, 0, at_least=False, unit="times"),
        Target("memory's growth over the second half", 100 * rise(rounds), 5, at_least=False, unit="%"),
    ]


def report(model: str, rounds: Sequence[Round], first: int, lived: bool, seconds: float) -> str:
    """The page."""
    answers = [answered for one in rounds for answered in one.answers]
    slowest = max(answers, key=lambda answered: answered.seconds)
    marks = [rounds[round(share * (len(rounds) - 1))].resident / MB for share in (0, 0.25, 0.5, 0.75, 1)]
    return "\n\n".join(
        [
            "# Broken images",
            f"`make bench-serving-fuzz` wrote this: {len(answers):,} images (numbers from {first}), whole ones of "
            "eight formats with bits flipped, parts cut, dropped, repeated and spliced, and other numbers in "
            f"their headers, sent to one `python -m serving` process, {AT_ONCE} at once, in {seconds / 60:.1f} "
            f"minutes. Model: {model}.",
            targets_table(targets(rounds, lived)),
            "## Answers",
            _answers_table(answers),
            f"The slowest took {slowest.seconds:.2f} s: number {slowest.case.number}, {slowest.case.format}, "
            f"{slowest.said or 'classified'}.",
            "## Memory",
            table(
                ["", "at first", "a quarter", "half", "three quarters", "at the end", "most"],
                [["MB", *(f"{mark:.0f}" for mark in [*marks, max(one.resident for one in rounds) / MB])]],
            ),
            "Resident, while nothing is under way.",
            machine.as_table({"versions": machine.versions(["pillow", "numpy", "starlette", "uvicorn"])}),
            "",
        ]
    )


def _answers_table(answers: Sequence[Answered]) -> str:
    counts = Counter((answered.case.format, answered.status) for answered in answers)
    statuses = sorted({status for _, status in counts})
    header = ["format", *(f"{status} {FINE.get(status, 'wrong')}" for status in statuses)]
    return table(
        header,
        [
            [kind, *(f"{counts[kind, status]:,}" for status in statuses)]
            for kind in sorted({k for k, _ in counts})
        ],
    )


if __name__ == "__main__":
    typer.run(main)
