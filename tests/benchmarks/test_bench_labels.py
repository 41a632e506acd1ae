"""The copy with changed labels, and what is counted of a run on it."""

import zipfile
from pathlib import Path

from benchmarks.bench_labels import Reported, found_table, mislabel, target


def test_a_share_of_the_images_lies_in_another_class(tmp_path: Path) -> None:
    archive = tmp_path / "some.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for number in range(100):
            opened.writestr(f"{'abc'[number % 3]}/{number}.png", bytes([number]))
    data = mislabel(archive, tmp_path / "raw", share=0.1, seed=0)
    assert len(data.truth) == 100
    assert len(data.changed) == 10
    assert {str(file.relative_to(data.folder)) for file in data.folder.glob("*/*")} == set(data.truth)
    for name, truth in data.truth.items():
        assert "abc"[(data.folder / name).read_bytes()[0] % 3] == truth
    again = mislabel(archive, tmp_path / "again", share=0.1, seed=0)
    assert again.truth == data.truth

    hits = sorted(data.changed)[:8]
    other = next(name for name in data.truth if name not in data.changed)
    suggestions = {name: data.truth[name] for name in hits} | {other: "z"}
    suggestions[hits[0]] = "z"
    run = Reported("cnn", dict.fromkeys(data.truth, "train"), suggestions)
    rows = found_table(data, run).splitlines()
    assert rows[-1] == "| all | 100 | 10 | 9 | 8 | 80.0% | 88.9% | 87.5% |"
    assert rows[3] == "| val | 0 | 0 | 0 | 0 | none | none | none |"
    assert (target(data, run).measured, target(data, run).met) == (80, True)
