"""docs/scale.md: its tables and pictures come from the model, its sentences from scale.md.j2 beside this."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tools.scale import sharding, training
from tools.scale.assumptions import CPU_TARGET, HOSTS, HOSTS_SOURCE, LISTED, WORKER_GBIT
from tools.scale.measured import Measured
from tools.scale.serving import Latency, Moment, jump, replicas_for, serve
from tools.scale.training import OF_THE_PAPER, PARAMETERS

SIZES: Final = {"100 GB": 100e9, "10 TB": 10e12}
WORKERS: Final = (5, 10, 20, 50, 100)
HOST_COUNTS: Final = (1, 2, 4, 8, 16)
CORES: Final = (8, 32, 96)
REQUESTS: Final = 1000.0
BEFORE: Final = 200.0

REPLICAS_BEYOND: Final = (1.0, 1.1, 1.25)
"""Times the fewest that the throughput asks for; the autoscaling's target comes behind them."""


def document(figures: Measured, moments: Sequence[Moment]) -> str:
    """Write the whole text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    files = FileSystemLoader(Path(__file__).parent)
    # It is Markdown: nothing is to be escaped.
    templates = Environment(loader=files, undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    return templates.get_template("scale.md.j2").render(
        figures=figures,
        measured=measured_table(figures),
        assumed=assumed_table(),
        sharding=sharding_table(figures),
        process=process_table(figures),
        training=training_table(figures),
        serving=serving_table(figures),
        needed=replicas_for(REQUESTS, figures),
        reads=sharding.simulate(SIZES["10 TB"], 20, figures).reads,
        worker_gbit=sharding.core_rate(figures) * sharding.CORES * figures.photo_kb * 8 / 1e6,
        network_gbit=WORKER_GBIT.value,
        moments=moments,
        told=_of_the_jump(moments),
        cpu_target=CPU_TARGET.value,
    )


def the_jump(figures: Measured) -> list[Moment]:
    """The traffic that the document tells of: from 200 to 1,000 requests a second."""
    return jump(BEFORE, REQUESTS, figures)


def measured_table(figures: Measured) -> str:
    """What was measured, and in which report it stands."""
    p50, p90, p99 = figures.answer_ms
    return table(
        ("figure", "value", "report"),
        [
            ("a photo", f"{figures.photo_kb} KB", "data.md"),
            ("its record, 224x224, JPEG quality 90", f"{figures.record_kb} KB", "training.md"),
            ("`build_records`, one core", f"{figures.shard_rate:.0f} images/s", "data.md"),
            ("spread of its repeats", f"{figures.shard_spread:.0%}", "data.md"),
            ("a small file from a bucket, at most", f"{figures.request_s * 1000:.2f} ms", "data.md"),
            ("`process`, one core", f"{figures.process_rate:.0f} images/s", "data.md"),
            ("augmented batches, one core", f"{figures.input_rate:.0f} images/s", "training.md"),
            ("the server on two cores", f"{figures.answer_rate} answers/s", "serving.md"),
            ("one answer: p50, p90, p99", f"{p50}, {p90}, {p99} ms", "serving.md"),
            ("the server's start", f"{figures.start_s} s", "serving.md"),
        ],
    )


def assumed_table() -> str:
    """What isn't measured here."""
    rows = [(each.what, f"{each.value:,g} {each.unit}".strip(), each.source) for each in LISTED]
    hosts = [
        (host.name, f"{host.tflops:g} TFLOP/s a GPU, {host.cores} cores, {host.gbit:g} Gbit/s", HOSTS_SOURCE)
        for host in HOSTS
    ]
    return table(("assumption", "value", "from"), rows + hosts)


def sharding_table(figures: Measured) -> str:
    """Both sizes with several numbers of workers."""
    runs = [
        (name, sharding.simulate(size, workers, figures))
        for name, size in SIZES.items()
        for workers in WORKERS
    ]
    return table(
        (
            *("raw photos", "images", "shards", "MB each", "workers", "hours", "machine hours"),
            *("cores wait for the bucket", "cores without work"),
        ),
        [
            (
                *(name, f"{run.images:,}", f"{run.shards:,}", f"{run.shard_mb:.0f}", run.workers),
                *(f"{run.seconds / 3600:.2f}", f"{run.worker_hours:.1f}"),
                *(f"{run.waited:.0%}", f"{run.idle:.0%}"),
            )
            for name, run in runs
        ],
    )


def process_table(figures: Measured) -> str:
    """`process` on one machine."""

    def hours(size: float, cores: int) -> str:
        seconds = sharding.process_seconds(sharding.images_of(size, figures), cores, figures)
        return f"{seconds / 3600:.2f}"

    return table(
        ("raw photos", *(f"{cores} cores, hours" for cores in CORES)),
        [(name, *(hours(size, cores) for cores in CORES)) for name, size in SIZES.items()],
    )


def training_table(figures: Measured) -> str:
    """An epoch of 100 GB of photos on several hosts."""
    images = sharding.images_of(SIZES["100 GB"], figures)
    rows = []
    for host in HOSTS:
        for hosts in HOST_COUNTS:
            ours, paper = (
                training.train(images, host, hosts, size, figures) for size in (PARAMETERS, OF_THE_PAPER)
            )
            rows.append(
                (
                    *(f"{hosts} x {host.name}", f"{ours.batch:,}"),
                    *(f"{ours.step_ms:.0f}", f"{ours.reduce_ms:.0f}", f"{ours.efficiency:.0%}"),
                    *(f"{paper.efficiency:.0%}", f"{ours.images_a_second:,.0f}", f"{ours.input_share:.0%}"),
                    f"{ours.hours * 60:.1f}",
                )
            )
    return table(
        (
            *("hosts", "batch", "step, ms", "sum, ms", "efficiency", "with the paper's head", "images/s"),
            *("of the cores for input", "minutes an epoch"),
        ),
        rows,
    )


def serving_table(figures: Measured) -> str:
    """1,000 requests a second to several numbers of replicas."""
    fewest = replicas_for(REQUESTS, figures).replicas
    counts = [round(fewest * beyond) for beyond in REPLICAS_BEYOND]
    counts.append(round(REQUESTS / figures.answer_rate / CPU_TARGET.value))
    return table(
        ("replicas of two cores", "busy", "p50, ms", "p99, ms", "refused"),
        [_latency_row(serve(REQUESTS, count, figures)) for count in (fewest - 3, *counts)],
    )


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown; the first column is text, the others stand to the right.

    Raises:
        ValueError: a row has more or fewer cells than the header.
    """
    lines = [header, ("---", *["---:"] * (len(header) - 1)), *rows]
    if odd := [line for line in lines if len(line) != len(header)]:
        raise ValueError(f"expected {len(header)} cells under {header}, got {odd[0]}")
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def _latency_row(seen: Latency) -> tuple[object, ...]:
    return (
        *(seen.replicas, f"{seen.busy:.0%}", f"{seen.p50:.0f}", f"{seen.p99:.0f}"),
        f"{seen.refused:.1%}",
    )


def _of_the_jump(moments: Sequence[Moment]) -> dict[str, str]:
    refused = sum(moment.refused for moment in moments)
    last = max((moment.second for moment in moments if moment.refused), default=0)
    return {
        "before": str(moments[0].replicas),
        "after": str(moments[-1].replicas),
        "refused": f"{refused / sum(moment.requests for moment in moments):.0%}",
        "minutes": f"{(last - 60) / 60:.0f}",
    }
