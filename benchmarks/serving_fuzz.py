"""`make bench-serving-fuzz`: a running server is sent thousands of broken images, each in its own request.

Not a benchmark of speed: it shows that no image ends the server, is neither classified nor refused, or makes
it keep memory, into reports/benchmarks/serving_fuzz.md. The images are numbered and made from their numbers,
so one that did harm is sent again by `--first NUMBER --images 1`. Linux only, for /proc.
"""

import http.client
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Final

import typer

from benchmarks import commands, machine
from benchmarks.mutations import Case, make_case
from benchmarks.report import MB, Target, table, targets_table
from benchmarks.serving_process import CONTENT_TYPE, Question
from benchmarks.serving_under_attack import Watched, describe, make_small_bundle, watched
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


def fuzz(server: Watched, numbers: range) -> Iterator[Round]:
    """Send the cases of the numbers; it ends early where the server did."""
    step = max(1, len(numbers) // ROUNDS)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for start in range(numbers.start, numbers.stop, step):
            some = range(start, min(start + step, numbers.stop))
            shares = [some[share::AT_ONCE] for share in range(AT_ONCE)]
            answers = chain.from_iterable(threads.map(lambda share: _send_all(server.port, share), shares))
            ordered = sorted(answers, key=lambda answered: answered.case.number)
            yield Round(ordered, server.resident())
            if not server.lives:
                return


def _send_all(port: int, numbers: range) -> list[Answered]:
    """Send cases one after the other over a connection that is kept."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_TO_ANSWER)) as connection:
        return [_send(connection, make_case(number)) for number in numbers]


def _send(connection: http.client.HTTPConnection, case: Case) -> Answered:
    began = time.monotonic()
    try:
        body = Question.of(case.data, {}).body
        connection.request("POST", "/predict", body, {"Content-Type": CONTENT_TYPE})
        answer = connection.getresponse()
        status, said = answer.status, json.loads(answer.read()).get("error", "")
    except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
        connection.close()
        status, said = NO_ANSWER, repr(error)
    return Answered(case, status, said, time.monotonic() - began)


def rise(rounds: Sequence[Round]) -> float:
    """By how much the memory grew over the second half: the last quarter's median to the third's, less 1."""
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
            lived, noise = server.lives, server.noise()
            if not lived:
                typer.echo(
                    f"the server ended with {server.process.returncode}:\n{server.last_words()}", err=True
                )
            text = report(describe(model), rounds, first, lived, noise, time.monotonic() - began)
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


def report(model: str, rounds: Sequence[Round], first: int, lived: bool, noise: int, seconds: float) -> str:
    """The page."""
    answers = [answered for one in rounds for answered in one.answers]
    slowest = max(answers, key=lambda answered: answered.seconds)
    marks = [rounds[round(share * (len(rounds) - 1))].resident / MB for share in (0, 0.25, 0.5, 0.75, 1)]
    return "\n\n".join(
        [
            "# Broken images",
            f"`make bench-serving-fuzz` wrote this: {len(answers):,} images, from number {first}: whole ones "
            "of eight formats with bits flipped, parts cut, dropped, repeated and spliced, and with other "
            f"numbers in their headers. One `python -m serving` process got them, {AT_ONCE} at once, in "
            f"{seconds / 60:.1f} minutes. Model: {model}.",
            targets_table(targets(rounds, lived)),
            "## Answers",
            _answers_table(answers),
            f"The slowest took {slowest.seconds:.2f} s: number {slowest.case.number}, {slowest.case.format}, "
            f"{slowest.said or 'classified'}. Lines of the log that libraries wrote: {noise:,}.",
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
