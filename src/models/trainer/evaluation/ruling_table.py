"""A ruling as a small table of text: the floors, and the champion beside the candidate."""

from collections.abc import Iterator

from models.trainer.evaluation.ruling import Rival, Ruling


def table(ruling: Ruling) -> str:
    """Several lines, without the verdict itself."""
    return "\n".join([*_floors(ruling), *(_beside(ruling.rival) if ruling.rival else ())])


def _floors(ruling: Ruling) -> Iterator[str]:
    yield _row("floor", "found", "", "asked")
    for check in ruling.checks:
        yield _row(check.name, f"{check.found:.4f}", "met" if check.met else "missed", check.asked)


def _beside(rival: Rival) -> Iterator[str]:
    of = rival.comparison
    low, high = of.interval
    yield ""
    yield _row(f"on the same {of.images} images", "it", rival.name)
    yield _row("accuracy", f"{of.accuracy:.4f}", f"{of.champion_accuracy:.4f}")
    yield _row("log loss", f"{of.log_loss:.4f}", f"{of.champion_log_loss:.4f}")
    yield _row("right alone", f"{of.gained}", f"{of.lost}")
    yield _row("difference", f"{of.difference:+.4f}", f"{of.percent} interval {low:+.4f} to {high:+.4f}")
    yield _row("p, if as good", f"{of.p_value:.2g}", f"worse below {1 - of.confidence:.4g}")


def _row(name: str, *cells: str) -> str:
    first, *rest = cells
    return f"{name:<26} {first:>9}   {'   '.join(f'{cell:<6}' for cell in rest)}".rstrip()
