"""How fast files cross to and from Cloud Storage: this project against Google's own ways and a bare stream.

Every contest runs against one bare loopback server (`benchmarks.loopback_gcs`), its ways in rotated order; a
way's time is the median of its runs. `PYTHONPATH=src:. python -m benchmarks.transfers` prints a table.
"""

import argparse
import http.client
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from google.cloud.storage import Client, transfer_manager

from benchmarks.loopback_gcs import serving
from contracts import storage

MIB = 1 << 20
THREADS = {"worker_type": transfer_manager.THREAD, "max_workers": 8, "raise_exception": True}
Ways = dict[str, Callable[[Path], object]]
"""What is compared, by name; each is called with an empty folder to write to."""


@dataclass(frozen=True)
class Sizes:
    """What is transferred: `small` files of `small_bytes`, and one file of `large_bytes`."""

    small: int = 2000
    small_bytes: int = 15_000
    slow_small: int = 400
    large_bytes: int = 500_000_000
    repeats: int = 3


def measure(sizes: Sizes | None = None) -> list[dict[str, Any]]:
    """Run every contest.

    Returns:
        A row a contest and peer: `transfer`, `peer`, `ours_s`, `peer_s` (medians), `ratio` (peer / ours: how
        many times as fast we are), `target` (the least ratio wanted, against the best peer).
    """
    sizes = sizes or Sizes()
    rows = []
    with tempfile.TemporaryDirectory(prefix="transfers-") as folder:
        work = Path(folder)
        names = _make(work / "small", sizes.small, sizes.small_bytes)
        large = _make(work / "large", 1, sizes.large_bytes)[0]
        with _server(0.0):
            what = f"{sizes.small:,} files of {sizes.small_bytes / 1000:.0f} KB"
            rows += _contest(f"{what}, up", _small_up(work / "small", names), work, sizes.repeats, 1.3)
            rows += _contest(f"{what}, down", _small_down(names), work, sizes.repeats, 1.3)
            what = f"one file of {sizes.large_bytes / 1e6:.0f} MB"
            rows += _contest(f"{what}, up", _large_up(work / "large" / large), work, sizes.repeats, 0.7)
            rows += _contest(f"{what}, down", _large_down(large), work, sizes.repeats, 0.9)
        with _server(0.02):
            some, what = names[: sizes.slow_small], f"{sizes.slow_small:,} files, 20 ms of latency"
            up, down = _small_up(work / "small", some), _small_down(some)
            rows += _contest(f"{what}, up", up, work, sizes.repeats, 5.0)
            rows += _contest(f"{what}, down", down, work, sizes.repeats, 5.0)
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    """Put the rows into a table."""
    lines = [
        "| transfer | against | ours, s | theirs, s | times as fast | wanted |",
        "|---|---|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row['transfer']} | {row['peer']} | {row['ours_s']:.2f} | {row['peer_s']:.2f} "
        f"| {row['ratio']:.2f} | {row['target']} |"
        for row in rows
    ]
    return "\n".join(lines)


def _small_up(source: Path, names: list[str]) -> Ways:
    def sequential(_: Path) -> None:
        bucket = Client(project=None).bucket("sequential")
        for name in names:
            bucket.blob(name).upload_from_filename(str(source / name))

    def manager(_: Path) -> None:
        bucket = Client(project=None).bucket("manager")
        transfer_manager.upload_many_from_filenames(bucket, names, str(source), **THREADS)

    # A new prefix every time: what is there already would be skipped.
    fresh = count()
    return {
        "ours": lambda _: storage.upload_many(source, names, f"gs://ours/{next(fresh)}"),
        "sequential client calls": sequential,
        "transfer_manager": manager,
    }


def _small_down(names: list[str]) -> Ways:
    def sequential(into: Path) -> None:
        bucket = Client(project=None).bucket("sequential")
        for name in names:
            bucket.blob(name).download_to_filename(str(into / name))

    def manager(into: Path) -> None:
        bucket = Client(project=None).bucket("manager")
        transfer_manager.download_many_to_path(bucket, names, str(into), **THREADS)

    return {
        "ours": lambda into: storage.download_many("gs://ours/0", names, into),
        "sequential client calls": sequential,
        "transfer_manager": manager,
    }


def _large_up(path: Path) -> Ways:
    def raw(_: Path) -> None:
        target = f"/upload/storage/v1/b/raw/o?uploadType=media&name={path.name}"
        with _connection() as connection, path.open("rb") as file:
            connection.request("POST", target, file, {"Content-Length": str(path.stat().st_size)})
            _checked(connection.getresponse()).read()

    return {"ours": lambda _: storage.upload(path, f"gs://ours/{path.name}"), "a raw HTTP stream": raw}


def _large_down(name: str) -> Ways:
    def raw(into: Path) -> None:
        with _connection() as connection, (into / name).open("wb") as file:
            connection.request("GET", f"/download/storage/v1/b/raw/o/{name}?alt=media")
            shutil.copyfileobj(_checked(connection.getresponse()), file, MIB)

    def synced(into: Path) -> None:
        raw(into)
        with (into / name).open("rb") as file:
            os.fsync(file.fileno())

    return {
        "ours": lambda into: storage.download(f"gs://ours/{name}", into / name),
        "a raw HTTP stream": raw,
        "a raw HTTP stream, then fsync": synced,
    }


def _contest(transfer: str, ways: Ways, work: Path, repeats: int, target: float) -> list[dict[str, Any]]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for turn in range(repeats):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            seconds[name].append(_timed(ways[name], work / "into"))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    ours = medians.pop("ours")
    return [
        {
            "transfer": transfer,
            "peer": peer,
            "ours_s": ours,
            "peer_s": theirs,
            "ratio": theirs / ours,
            "target": target,
        }
        for peer, theirs in medians.items()
    ]


def _timed(way: Callable[[Path], object], into: Path) -> float:
    into.mkdir()
    _touch_memory(into / "touched")
    os.sync()  # nobody pays for what the one before left to the disk
    start = time.perf_counter()
    way(into)
    seconds = time.perf_counter() - start
    shutil.rmtree(into)
    return seconds


def _touch_memory(path: Path) -> None:
    """Have a virtual machine's host find the memory that files are written to: it takes long, once."""
    with path.open("wb") as file:
        for _ in range(512):
            file.write(bytes(MIB))
    path.unlink()


def _make(folder: Path, files: int, size: int) -> list[str]:
    folder.mkdir()
    names = [f"{number:05d}.jpg" for number in range(files)]
    for name in names:
        with (folder / name).open("wb") as file:
            for start in range(0, size, MIB):
                file.write(os.urandom(min(MIB, size - start)))
    return names


@contextmanager
def _server(latency: float) -> Iterator[None]:
    with serving(latency) as address:
        os.environ["STORAGE_EMULATOR_HOST"] = address
        try:
            yield
        finally:
            del os.environ["STORAGE_EMULATOR_HOST"]


@contextmanager
def _connection() -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(os.environ["STORAGE_EMULATOR_HOST"].removeprefix("http://"))
    connection.blocksize = MIB
    try:
        yield connection
    finally:
        connection.close()


def _checked(response: http.client.HTTPResponse) -> http.client.HTTPResponse:
    if response.status != http.client.OK:
        raise RuntimeError(f"expected 200 OK, got {response.status} {response.reason}")
    return response


def main() -> None:
    """Print the table; `--quick` transfers a tenth."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    sizes = Sizes(small=200, slow_small=50, large_bytes=50_000_000) if quick else Sizes()
    machine = f"{os.cpu_count()} CPUs, {platform.system()}, Python {platform.python_version()}"
    print(f"Medians of {sizes.repeats} rotated runs on {machine}.\n\n{markdown(measure(sizes))}")  # noqa: T201


if __name__ == "__main__":
    main()
