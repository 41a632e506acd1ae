"""TensorBoard's curves hold every epoch once, wherever a process was killed while it wrote them."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from models.trainer.checkpoints import Row
from models.trainer.tracking import TensorBoard

HISTORY: list[Row] = [{"epoch": epoch, "loss": 1 / epoch, "accuracy": 0.5} for epoch in range(1, 5)]


def curves(folder: Path) -> dict[str, list[int]]:
    """The steps of each curve, as TensorBoard itself reads them."""
    seen = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    seen.Reload()
    return {tag: sorted(event.step for event in seen.Tensors(tag)) for tag in seen.Tags()["tensors"]}


WHOLE = {"loss": [1, 2, 3, 4], "accuracy": [1, 2, 3, 4], "test_accuracy": [0]}


@pytest.mark.parametrize("share", [0, 0.2, 0.4, 0.5, 0.6, 0.8, 0.95, 1])
def test_a_killed_process_leaves_neither_gap_nor_double(tmp_path: Path, share: float) -> None:
    first = TensorBoard(tmp_path)
    first.begin([])
    for row in HISTORY[:3]:
        first.epoch(row)
    first.result({"accuracy": 0.75}, [0], [0])
    first.close(failed=False)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])

    second = TensorBoard(tmp_path)
    second.begin(HISTORY[:2])  # the newest checkpoint was damaged: the third epoch is computed again
    second.epoch(HISTORY[2])
    second.epoch(HISTORY[3])
    for _ in range(2):
        second.result({"accuracy": 0.75}, [0], [0])
    second.close(failed=False)
    assert curves(tmp_path) == WHOLE


def test_bytes_that_are_no_events_hide_nothing(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1000000000.host.1.0.v2").write_bytes(b"\0" * 100)
    board = TensorBoard(tmp_path)
    board.begin(HISTORY)
    board.result({"accuracy": 0.75}, [0], [0])
    board.close(failed=False)
    assert curves(tmp_path) == WHOLE
