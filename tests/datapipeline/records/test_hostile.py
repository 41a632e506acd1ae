"""Everything hostile in one data set, among good images: each file has its fate, and the stage survives."""

import csv
import importlib.util
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from contracts.dataset import SPLITS, Manifest, ShardIndex

SRC = Path(__file__).parents[3] / "src"
GOOD = 12


def _hostile():
    spec = importlib.util.spec_from_file_location("hostile", Path(__file__).with_name("hostile.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hostile = _hostile()


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    """The raw folder, and the fate of each path in it: [(path, fate)]."""
    raw = tmp_path_factory.mktemp("hostile") / "raw"
    (raw / "rose").mkdir(parents=True)
    (raw / "tulip").mkdir()
    fates = []

    def put(name, data, fate):
        (raw / os.fsdecode(name)).write_bytes(data)
        fates.append((name, fate))

    for number in range(GOOD):
        put(b"tulip/%d.png" % number, hostile.photo(900 + number, "PNG"), hostile.Kept())
    for name, data, fate in hostile.files():
        put(f"rose/{name}".encode(), data, fate)
    for number, (name, fate) in enumerate(hostile.names()):
        put(b"rose/" + name, hostile.photo(400 + number), fate)
    for name, make in (("hostile.zip", hostile.hostile_zip), ("hostile.tar", hostile.hostile_tar)):
        data, members = make("rose")
        (raw / name).write_bytes(data)
        fates += [(f"{name}::".encode() + member, fate) for member, fate in members]
    fates.append((b"hostile.zip::rose/inside another.jpg", hostile.Refused("overlaps another member")))
    return raw, [(shown(name), fate) for name, fate in fates]


def shown(name):
    """As the tables have it: what is no text as escapes."""
    text = os.fsdecode(name).encode(errors="backslashreplace").decode()
    return "".join(repr(one)[1:-1] if unicodedata.category(one) == "Cc" else one for one in text)


def run(module, folder, *arguments):
    """A stage, with a Ghostscript that would tell of its being run."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("gs", "gswin32c"):
        (tools / name).write_text(f"#!/bin/sh\ntouch '{folder}/ghostscript'\n")
        (tools / name).chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", f"datapipeline.records.{module}", *map(str, arguments)],
        cwd=SRC,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    assert not (folder / "ghostscript").exists()
    return done


@pytest.fixture(scope="module")
def interim(data_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("interim")
    run("process", folder, "--input", data_set[0], "--output", folder / "out", "--workers", 2)
    return folder / "out"


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_there_are_many_kinds(data_set):
    assert len(list(hostile.files())) + len(list(hostile.names())) >= 100
    assert len(data_set[1]) >= 400


def test_every_file_has_its_fate(data_set, interim):
    fates = data_set[1]
    kept = {
        row["path"]: hostile.Kept(int(row["width"]), int(row["height"]))
        for split in SPLITS
        for row in rows(interim / f"{split}.csv")
    }
    assert kept == {path: fate for path, fate in fates if isinstance(fate, hostile.Kept)}
    refused = [(path, fate.reason) for path, fate in fates if isinstance(fate, hostile.Refused)]
    found = [(row["path"], row["reason"]) for row in rows(interim / "rejected.csv")]
    assert Counter(path for path, _ in found) == Counter(path for path, _ in refused)
    wrong = [
        (path, reason, pattern)
        for (path, reason), (_, pattern) in zip(sorted(found), sorted(refused), strict=True)
        if not re.match(pattern, reason)
    ]
    assert not wrong
    assert all(len(reason) <= 150 and reason.isprintable() for _, reason in found)
    assert Manifest.read(str(interim)).rejected == len(refused)


def test_a_carriage_return_in_a_name_ends_no_row(tmp_path):
    for number in range(6):
        folder = tmp_path / "raw" / ("rose", "tulip")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(hostile.photo(number, "PNG"))
    (folder / "a\rb.png").write_bytes(hostile.photo(6, "PNG"))
    run("process", tmp_path, "--input", tmp_path / "raw", "--output", tmp_path / "out", "--workers", 1)
    assert [row["reason"] for row in rows(tmp_path / "out/rejected.csv")] == [
        "a name with control characters"
    ]


def test_a_name_is_no_markup_in_the_report(interim):
    assert "<script>alert(1)" not in (interim / "report.html").read_text()


def test_what_is_kept_becomes_records(data_set, interim, tmp_path):
    run("build_records", tmp_path, "--input", interim, "--output", tmp_path / "out", "--workers", 2)
    index = ShardIndex.read(str(tmp_path / "out"))
    kept = sum(isinstance(fate, hostile.Kept) for _, fate in data_set[1])
    assert sum(index.examples(split) for split in SPLITS) == kept


def test_another_number_of_processes_gives_the_same(data_set, interim, tmp_path):
    run("process", tmp_path, "--input", data_set[0], "--output", tmp_path / "out", "--workers", 1)
    for name in ("train.csv", "val.csv", "test.csv", "rejected.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (interim / name).read_bytes()


def test_animations_and_small_images_by_option(data_set, tmp_path):
    options = ("--animated", "reject", "--min-side", hostile.HEIGHT)
    run("process", tmp_path, "--input", data_set[0], "--output", tmp_path / "out", *options)
    found = rows(tmp_path / "out/rejected.csv")
    animated = {row["path"].rpartition("/")[2] for row in found if row["reason"].startswith("animated")}
    kinds = {f"animated.{kind}" for kind in ("gif", "webp", "png", "avif")}
    assert animated == {*kinds, "many frames.gif"}
    assert {"path": "rose/8x8.png", "reason": "too small: 8x8"} in found


@pytest.mark.parametrize("name", ["hostile.zip", "hostile.tar"])
def test_an_archive_whose_directory_lies_is_one_line(data_set, tmp_path, name):
    raw = tmp_path / "raw"
    raw.mkdir()
    data = bytearray((data_set[0] / name).read_bytes())
    if name.endswith(".zip"):
        end = data.rindex(b"PK\5\6")
        data[end + 10 : end + 12] = b"\xff\x03"  # its count
    else:
        data[124:136] = b"\xff" * 12  # a size of -1
        data[148:156] = b"%06o\0 " % (sum(data[:148]) + 256 + sum(data[156:512]))
    (raw / name).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-m", "datapipeline.records.process", "--input", raw, "--output", tmp_path / "out"],
        cwd=SRC,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"{name} isn't an archive that can be read" in done.stderr
