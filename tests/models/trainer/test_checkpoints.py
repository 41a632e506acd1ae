"""Checkpoints: what goes in comes out, and a damaged file is one line that says what to do."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from contracts.errors import StageError
from models.trainer.checkpoints import Checkpoints, Progress

ROW = {"epoch": 1, "loss": 1.0, "learning_rate": 1e-05}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    values = np.arange(5_000, dtype=np.float32)
    network: Any = SimpleNamespace(variables=[SimpleNamespace(numpy=lambda: values)])
    progress = Progress(run="one", epoch=1, best=ROW, history=(ROW,))
    Checkpoints(str(tmp_path)).save("last", progress, network)
    return tmp_path / "last.npz"


def test_whole_numbers_stay_whole(saved: Path) -> None:
    found = Checkpoints(str(saved.parent)).load("last", "one")
    assert found is not None
    assert [repr(row) for row in found.progress.history] == [repr(ROW)]
    assert Checkpoints(str(saved.parent)).load("last", "another") is None


@pytest.mark.parametrize("size", [0, 2, 100, 10_000, -1])
def test_a_truncated_file_is_one_line(saved: Path, size: int) -> None:
    saved.write_bytes(saved.read_bytes()[:size])
    with pytest.raises(StageError, match=rf"^the checkpoint {saved} is damaged .*delete last\.npz"):
        Checkpoints(str(saved.parent)).load("last", "one")


def test_flipped_bits_are_harmless_or_one_line(saved: Path) -> None:
    whole = saved.read_bytes()
    refused = 0
    for position in range(0, len(whole), 97):
        saved.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            Checkpoints(str(saved.parent)).load("last", "one")
        except StageError:
            refused += 1
    assert refused > len(range(0, len(whole), 97)) * 0.9
