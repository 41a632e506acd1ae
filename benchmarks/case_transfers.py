"""Files to and from Cloud Storage, as `benchmarks.transfers` measures them."""

from typing import Any

from benchmarks import transfers
from benchmarks.report import Section, Target


def run(repeats: int) -> Section:
    """Every contest, against one bare loopback server."""
    rows = transfers.measure(transfers.Sizes(repeats=repeats))
    about = (
        f"Whole transfers against one bare server on the loopback interface, medians of {repeats} runs in "
        "rotated order. The targets are against the best of Google's own ways; with latency, against calls "
        "one after another; for a large file, against one bare stream. Before each run as much memory as "
        "the large file takes is written to and freed, so that none waits for a virtual machine's host to "
        "find it."
    )
    return Section("Transfers", [about, transfers.markdown(rows)], targets(rows))


def targets(rows: list[dict[str, Any]]) -> list[Target]:
    """One of each transfer: against the best of the peers that its target names."""
    best: dict[str, dict[str, Any]] = {}
    for row in filter(_is_wanted, rows):
        if row["transfer"] not in best or row["ratio"] < best[row["transfer"]]["ratio"]:
            best[row["transfer"]] = row
    return [
        Target(f"{name}: speed against {row['peer']}", row["ratio"], row["target"])
        for name, row in best.items()
    ]


def _is_wanted(row: dict[str, Any]) -> bool:
    if "latency" in row["transfer"] and row["peer"] == "transfer_manager":
        return False
    return "fsync" not in row["peer"]
