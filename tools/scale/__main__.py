"""`make scale`: what 100 GB, 10 TB and 1,000 requests a second take, from the figures measured here."""

import re
from pathlib import Path
from typing import Annotated

import typer

from contracts.console import log, run_app
from contracts.errors import InputError
from tools.scale import sharding
from tools.scale.assumptions import HOSTS
from tools.scale.document import SIZES, document, the_jump
from tools.scale.measured import measured
from tools.scale.pictures import draw_jump, draw_records
from tools.scale.serving import replicas_for
from tools.scale.training import PARAMETERS, train

ROOT = Path(__file__).parents[2]
UNITS = {"GB": 1e9, "TB": 1e12}

EXAMPLES = """\b
Examples:
  python -m tools.scale --bytes 10TB --workers 40 --hosts 4
  python -m tools.scale --requests 1000"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def scale(
    size: Annotated[
        str | None, typer.Option("--bytes", help="Of the raw photos, as in 10TB or 300GB.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Of Dataflow, with four cores each.")] = 20,
    hosts: Annotated[int, typer.Option(min=1, help="That train, of each kind.")] = 1,
    requests: Annotated[float | None, typer.Option(min=1, help="A second, to the server.")] = None,
    output: Annotated[
        Path, typer.Option(help="The folder that scale.md is written to.", show_default="docs")
    ] = ROOT / "docs",
) -> None:
    """Estimate machines and hours. Without --bytes and --requests docs/scale.md is written anew."""
    if size is None and requests is None:
        write(output)
    if size is not None:
        _tell_bytes(read_bytes(size), workers, hosts)
    if requests is not None:
        seen = replicas_for(requests, measured())
        log("serving", replicas=seen.replicas, busy=round(seen.busy, 2), p99_ms=round(seen.p99))


def write(folder: Path) -> None:
    """Write the document and its pictures."""
    figures = measured()
    moments = the_jump(figures)
    folder.mkdir(parents=True, exist_ok=True)
    draw_records(folder / "scale-records.svg", SIZES["10 TB"], figures)
    draw_jump(folder / "scale-serving.svg", moments)
    (folder / "scale.md").write_text(document(figures, moments), encoding="utf-8")
    log("written", document=str(folder / "scale.md"))


def read_bytes(text: str) -> float:
    """Read 10TB or 300GB.

    Raises:
        InputError: it is neither.
    """
    found = re.fullmatch(r"([\d.]+) ?(GB|TB)", text)
    if not found:
        raise InputError(f"expected --bytes as in 300GB or 10TB; got {text!r}")
    return float(found[1]) * UNITS[found[2]]


def _tell_bytes(size: float, workers: int, hosts: int) -> None:
    figures = measured()
    run = sharding.simulate(size, workers, figures)
    log("records", images=run.images, shards=run.shards, shard_mb=round(run.shard_mb), workers=workers)
    log("records", hours=round(run.seconds / 3600, 2), machine_hours=round(run.worker_hours, 1))
    log("records", waiting_for_the_bucket=round(run.waited, 2), idle=round(run.idle, 2))
    for host in HOSTS:
        epoch = train(run.images, host, hosts, PARAMETERS, figures)
        log(
            "an epoch of VGG16",
            hosts=f"{hosts} x {host.name}",
            batch=epoch.batch,
            hours=round(epoch.hours, 2),
            efficiency=round(epoch.efficiency, 2),
        )


if __name__ == "__main__":
    run_app(app, "python -m tools.scale")
