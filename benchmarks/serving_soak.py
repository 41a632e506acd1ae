"""`make bench-serving-soak`: a server under steady load for minutes, while other clients are killed.

Not a benchmark of speed: it shows that every well-formed request is answered, whoever breaks off beside it
and however often the model is replaced, into reports/benchmarks/serving_soak.md. Linux only, for /proc.
"""

import http.client
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from benchmarks import commands, images, machine, serving_bundle, serving_load
from benchmarks.report import MB, Target, table, targets_table
from benchmarks.serving_load import Load
from benchmarks.serving_process import CONTENT_TYPE, Question
from benchmarks.serving_rounds import quantile
from benchmarks.serving_turmoil import Rude, Twins, rude_clients
from benchmarks.serving_under_attack import Watched, describe, watched
from contracts.console import Bar

REPORT: Final = commands.ROOT / "reports/benchmarks/serving_soak.md"
CONCURRENCY: Final = 16
MINUTE: Final = 60.0


@dataclass(frozen=True)
class Part:
    """What the steady clients saw, and the server's memory at its end."""

    load: Load
    reload: str
    """What the server answered to it."""
    resident: int
    """Bytes."""


def soak(server: Watched, twins: Twins, body: Path, seconds: float) -> Iterator[Part]:
    """Load the server, and reload in the middle of each part; it ends early where the server did."""
    parts = max(2, round(seconds / MINUTE))
    length = seconds / parts
    for _ in range(parts):
        command = [commands.PYTHON, serving_load.__file__, str(server.port), "/predict"]
        command += [CONTENT_TYPE, str(CONCURRENCY), str(length)]
        with (
            body.open("rb") as request,
            subprocess.Popen(command, stdin=request, stdout=subprocess.PIPE, text=True) as clients,
        ):
            time.sleep(length / 2)
            twins.swap()
            status = _reload(server.port)
            said, _ = clients.communicate(timeout=length + MINUTE)
        yield Part(Load(**json.loads(said.splitlines()[-1])), status, server.resident())
        if not server.lives:
            return


def _reload(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=MINUTE)
    try:
        connection.request("POST", "/reload")
        answer = json.loads(connection.getresponse().read())
        return str(answer.get("status", answer))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return repr(error)
    finally:
        connection.close()


def main(
    seconds: Annotated[float, typer.Option(min=2, help="How long.")] = 600,
    model: Annotated[str, typer.Option(help="A bundle's folder; empty: VGG16, made for this.")] = "",
    photos: Annotated[Path | None, typer.Option(help="A zip of photos, for the one that is sent.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other moments of the rude clients.")] = 0,
    out: Annotated[Path, typer.Option(help="The report.")] = REPORT,
) -> None:
    """Load a server while clients are killed; writes reports/benchmarks/serving_soak.md."""
    found = images.photos(photos)
    with tempfile.TemporaryDirectory(prefix="chrysalis-soak-") as folder:
        work = Path(folder)
        body = work / "body"
        body.write_bytes(Question.of(found[0][1], {}).body)
        if not model:
            model = str(work / "bundle")
            serving_bundle.write(Path(model), "vgg16", found)
        twins, parts = Twins(Path(model), work), []
        with (
            watched(str(twins.served), work) as server,
            Bar(total=None, what="soaking", unit="answer") as bar,
        ):
            with rude_clients(server.port, body, work, seed) as rude:
                for part in soak(server, twins, body, seconds):
                    parts.append(part)
                    bar.advance(part.load.answers, failures=part.load.failures, reload=part.reload)
            bar.finish()
            complaints = server.complaints()
            if complaints or not server.lives:
                typer.echo("\n".join([*complaints[:20], server.last_words()]), err=True)
        outcome = targets(parts, complaints)
        text = report(describe(model), parts, rude, outcome)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)
    typer.echo(text)
    if not all(target.met for target in outcome):
        raise typer.Exit(1)


def targets(parts: Sequence[Part], complaints: Sequence[str]) -> list[Target]:
    """What must hold."""
    half = [part.resident for part in parts][len(parts) // 2 :]
    failures = sum(part.load.failures for part in parts)
    refused = sum(part.reload not in ("reloaded", "loading") for part in parts)
    return [
        Target("well-formed requests that failed", failures, 0, at_least=False, unit="times"),
        Target("reloads that failed", refused, 0, at_least=False, unit="times"),
        Target("warnings and errors in the log", len(complaints), 0, at_least=False, unit="times"),
        Target(
            "memory's growth over the second half",
            100 * (half[-1] / half[0] - 1),
            5,
            at_least=False,
            unit="%",
        ),
    ]


def report(model: str, parts: Sequence[Part], rude: Rude, outcome: Sequence[Target]) -> str:
    """The page."""
    answers = sum(part.load.answers for part in parts)
    seconds = sum(part.load.seconds for part in parts)
    return "\n\n".join(
        [
            "# Steady load, and clients that are killed",
            f"`make bench-serving-soak` wrote this: {answers:,} well-formed requests over {seconds:.0f} s, "
            f"{CONCURRENCY} at once, to one `python -m serving` process. Meanwhile other clients broke off "
            f"{rude.broken:,} connections at random points of their requests, and {rude.killed:,} of those "
            f"clients were killed; {len(parts)} times another bundle took the place of the one in service. "
            f"Model: {model}.",
            targets_table(outcome),
            f"In parts of {seconds / len(parts):.0f} s, with a reload in the middle of each:",
            table(
                ["part", "answers", "a second", "p50 ms", "p99 ms", "failed", "reload", "memory MB"],
                [_row(number, part) for number, part in enumerate(parts, 1)],
            ),
            machine.as_table({"versions": machine.versions(["pillow", "numpy", "starlette", "uvicorn"])}),
            "",
        ]
    )


def _row(number: int, part: Part) -> list[str]:
    load = part.load
    return [
        str(number),
        f"{load.answers:,}",
        f"{load.rate:.1f}",
        f"{quantile(load.milliseconds, 0.5):.0f}",
        f"{quantile(load.milliseconds, 0.99):.0f}",
        str(load.failures),
        part.reload,
        f"{part.resident / MB:.0f}",
    ]


if __name__ == "__main__":
    typer.run(main)
