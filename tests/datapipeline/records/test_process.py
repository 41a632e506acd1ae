import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contracts import storage
from contracts.dataset import SPLITS, Example, Manifest
from contracts.errors import InputError, StageError
from contracts.lock import locked
from datapipeline.download.dataloader import dataloader
from datapipeline.records.build_records import BuildConfig, build_records
from datapipeline.records.examples import read_examples
from datapipeline.records.process import ProcessConfig, process
from datapipeline.records.worktable import WorkTable

CONFIG = ProcessConfig(workers=1)


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "interim" / "flowers"


def test_every_image_is_described_and_on_one_side(flowers, out):
    manifest = process(str(flowers), str(out), CONFIG)
    assert set(contents(out)) == {
        *("train.csv", "val.csv", "test.csv", "manifest.json"),
        *("rejected.csv", "duplicates.csv", "report.html"),
    }
    assert manifest.class_names == ("daisy", "rose", "tulip")
    assert Manifest.read(str(out)) == manifest
    rows = []
    for split in SPLITS:
        with (out / f"{split}.csv").open(newline="") as file:
            table = csv.DictReader(file)
            assert table.fieldnames == list(Example.model_fields)
            part = list(table)
        assert [row["path"] for row in part] == sorted(row["path"] for row in part)
        assert {row["split"] for row in part} == {split}
        rows += part
        for name in manifest.class_names:
            count = sum(row["class_name"] == name for row in part)
            assert manifest.counts[split][name] == count >= 1
    assert sorted(row["path"] for row in rows) == sorted(
        path.relative_to(flowers).as_posix() for path in flowers.rglob("*/*/*.*")
    )
    for row in rows:
        with Image.open(flowers / row["path"]) as image:
            assert (int(row["width"]), int(row["height"]), row["format"]) == (*image.size, image.format)
        assert manifest.class_names[int(row["label"])] == row["class_name"]


def test_any_number_of_processes_and_any_place_give_the_same(flowers, tmp_path, bucket):
    process(str(flowers), str(tmp_path / "interim/flowers"), CONFIG)
    process(str(flowers), str(tmp_path / "again/flowers"), ProcessConfig(workers=2))
    expected = contents(tmp_path / "interim/flowers")
    assert contents(tmp_path / "again/flowers") == expected
    names = [path.relative_to(flowers).as_posix() for path in flowers.rglob("*.*") if path.is_file()]
    storage.upload_many(flowers, names, f"{bucket}/raw/flowers")
    process(f"{bucket}/raw/flowers", f"{bucket}/interim/flowers", ProcessConfig(workers=2))
    remote = {name: storage.read_bytes(f"{bucket}/interim/flowers/{name}") for name in expected}
    manifests = [json.loads(files.pop("manifest.json")) for files in (remote, expected)]
    assert manifests[0].pop("raw") == "../../raw/flowers"
    manifests[1].pop("raw")
    assert manifests[0] == manifests[1]
    assert remote == expected


def test_copies_are_on_one_side_and_bad_files_are_named(raw, out):
    first = sorted((raw / "photos/rose").iterdir())[0]
    for number in range(5):
        shutil.copy(first, raw / f"photos/rose/copy{number}.png")
    shutil.copy(first, raw / "photos/tulip/mislabelled.png")
    (raw / "photos/rose/cut.jpg").write_bytes((raw / "photos/rose/001.jpg").read_bytes()[:500])
    (raw / "photos/rose/page.jpg").write_text("<html>")
    (raw / "photos/rose/nothing.jpg").write_bytes(b"")
    manifest = process(str(raw), str(out), CONFIG)
    examples = list(read_examples(str(out), manifest))
    same = [
        row
        for row in examples
        if row.sha256 == next(e.sha256 for e in examples if e.path.endswith("copy0.png"))
    ]
    assert len(same) == 7
    assert len({row.split for row in same}) == 1
    assert (out / "rejected.csv").read_text().splitlines() == [
        "path,reason",
        "photos/rose/cut.jpg,truncated",
        "photos/rose/nothing.jpg,empty",
        "photos/rose/page.jpg,not an image",
    ]
    assert manifest.rejected == 3
    report = (out / "report.html").read_text()
    assert "photos/rose/cut.jpg" in report
    assert "data:image/jpeg;base64," in report
    assert "http" not in report


def test_a_second_run_is_up_to_date_until_something_changes(raw, out, capsys):
    process(str(raw), str(out), CONFIG)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    capsys.readouterr()
    process(str(raw), str(out), CONFIG)
    assert "up to date" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before

    for change in (
        lambda: (raw / "photos/rose/000.png").unlink(),
        lambda: (out / "val.csv").write_text("path\n"),
        lambda: (out / "report.html").unlink(),
    ):
        change()
        process(str(raw), str(out), CONFIG)
        assert "up to date" not in capsys.readouterr().err
    assert process(str(raw), str(out), ProcessConfig(seed=1, workers=1)).seed == 1
    assert Manifest.read(str(out)).seed == 1


def test_an_interrupted_rerun_leaves_no_manifest_over_mixed_files(raw, out, monkeypatch):
    process(str(raw), str(out), CONFIG)
    (out / "rejected.csv").unlink()
    (out / "rejected.csv").mkdir()  # a disk that refuses one of the files
    with pytest.raises(OSError, match=r"rejected\.csv"):
        process(str(raw), str(out), ProcessConfig(seed=1, workers=1))
    assert Manifest.read_if_there(str(out)) is None


@pytest.mark.parametrize("split", [(0.5, 0.5, 0.5), (1, 0, 0), (0.8, 0.3, -0.1)])
def test_fractions_must_add_up(split):
    with pytest.raises(InputError, match="add up to 1"):
        ProcessConfig(split=split)


def few(tmp_path):
    for name, count in (("many", 5), ("few", 2)):
        (tmp_path / name).mkdir()
        for number in range(count):
            pixels = np.random.default_rng([number, len(name)]).integers(0, 256, (9, 9, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    shutil.copy(tmp_path / "few/0.png", tmp_path / "few/copy.png")


def one_class(tmp_path):
    few(tmp_path)
    shutil.rmtree(tmp_path / "few")


def broken_class(tmp_path):
    few(tmp_path)
    for file in (tmp_path / "few").iterdir():
        file.write_bytes(b"no image")


@pytest.mark.parametrize(
    ("prepare", "name", "message"),
    [
        (lambda folder: None, "missing", "doesn't exist"),
        (lambda folder: None, "", "holds no images in class folders"),
        (lambda folder: (folder / "a.zip").write_text("no"), "", "isn't an archive that can be read"),
        (lambda folder: (folder / "a.rar").write_text("no"), "a.rar", "neither a folder nor an archive"),
        (one_class, "", "holds one class only, 'many'"),
        (few, "", "of its own (one for each of train, val and test at least): 'few' has 2"),
        (
            broken_class,
            "",
            "usable images of its own (one for each of train, val and test at least): 'few' has 0",
        ),
        (lambda folder: Image.new("L", (9, 9)).save(folder / "a.png"), "", "a.png: in no class folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, out, command, prepare, name, message):
    raw = tmp_path / "raw"
    raw.mkdir()
    prepare(raw)
    done = command("process", "--input", raw / name, "--output", out, "--workers", 1)
    assert done.returncode == 2
    complaint = done.stderr.splitlines()[-1]
    assert complaint.startswith("python -m datapipeline.records.process: ")
    assert message in complaint
    assert "Traceback" not in done.stderr
    assert not out.exists() or not contents(out)


def test_the_command_line(flowers, out, command):
    done = command("process", "--input", flowers, "--output", out, "--split", 0.6, 0.2, 0.2, "--seed", 7)
    assert done.returncode == 0, done.stderr
    manifest = Manifest.read(str(out))
    assert (manifest.fractions, manifest.seed) == ((0.6, 0.2, 0.2), 7)


def test_a_stage_does_not_write_into_its_own_input(tmp_path, command):
    few(tmp_path)
    done = command("process", "--input", tmp_path, "--output", f"{tmp_path}/few/..", "--workers", 1)
    assert done.returncode == 2
    assert "is the --input" in done.stderr
    assert {file.name for file in tmp_path.iterdir()} == {"few", "many"}


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("raw/interim", "lies in the --input"),
        ("file", "can't be a folder"),
        ("file/sub", "can't be a folder"),
    ],
)
def test_an_output_that_is_no_place_to_write_is_refused(tmp_path, output, message):
    (tmp_path / "raw").mkdir()
    few(tmp_path / "raw")
    (tmp_path / "file").write_text("mine")
    for stage, config in ((process, CONFIG), (build_records, BuildConfig())):
        with pytest.raises(InputError, match=message):
            stage(str(tmp_path / "raw"), str(tmp_path / output), config)
    assert (tmp_path / "file").read_text() == "mine"
    assert not (tmp_path / "raw/interim").exists()


def test_a_finished_folder_answers_for_another_min_per_class(flowers, out):
    manifest = process(str(flowers), str(out), CONFIG)
    with pytest.raises(InputError, match=r"every class needs 41 .*: 'daisy' has 40, 'rose'"):
        process(str(flowers), str(out), ProcessConfig(min_per_class=41, workers=1))
    assert Manifest.read(str(out)) == manifest


def duplicates(folder) -> list[dict[str, str]]:
    with (folder / "duplicates.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def alike(tmp_path) -> Path:
    """Ten different pictures in each of two classes, and some again, smaller or in the other class."""
    folder = tmp_path / "alike"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            coarse = np.random.default_rng([number, len(name), ord(name[0])]).integers(
                0, 256, (5, 5, 3), np.uint8
            )
            Image.fromarray(coarse).resize((120, 120), Image.BICUBIC).save(folder / name / f"{number}.png")
    for number in range(10):
        with Image.open(folder / f"cat/{number}.png") as image:
            image.resize((60, 60)).save(folder / f"cat/{number} small.jpg", quality=80)
    with Image.open(folder / "dog/3.png") as image:
        image.resize((100, 100)).save(folder / "cat/a dog.png")
    return folder


def test_near_duplicates_are_on_one_side_and_named(alike, out):
    manifest = process(str(alike), str(out), CONFIG)
    sides = {row.path: row.split for row in read_examples(str(out), manifest)}
    assert len(sides) == 31
    assert all(sides[f"cat/{number}.png"] == sides[f"cat/{number} small.jpg"] for number in range(10))
    assert sides["cat/a dog.png"] == sides["dog/3.png"]
    assert (manifest.duplicates, manifest.conflicts) == (11, 1)
    assert manifest.different == {"cat": 10, "dog": 9}
    rows = duplicates(out)
    assert len(rows) == 22
    number = next(row["group"] for row in rows if row["path"] == "dog/3.png")
    assert {row["path"] for row in rows if row["group"] == number} == {"cat/a dog.png", "dog/3.png"}


def test_near_duplicates_are_dropped_or_ignored_when_asked(alike, out):
    dropped = process(str(alike), str(out), ProcessConfig(near_duplicates="drop", workers=1))
    assert (dropped.images, dropped.rejected, dropped.conflicts) == (21, 10, 1)
    assert "cat/3 small.jpg,looks the same as cat/3.png" in (out / "rejected.csv").read_text()
    ignored = process(str(alike), str(out), ProcessConfig(near_duplicates="ignore", workers=1))
    assert (ignored.images, ignored.duplicates, ignored.conflicts) == (31, 0, 0)
    assert duplicates(out) == []


def test_what_is_too_small_or_moves_is_rejected_when_asked(raw, out):
    Image.new("RGB", (7, 90)).save(raw / "photos/rose/thin.png")
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "blue", "green")]
    frames[0].save(raw / "photos/rose/moving.gif", save_all=True, append_images=frames[1:])
    (raw / "photos/rose/000.png").rename(raw / "photos/rose/NO SUFFIX")
    manifest = process(str(raw), str(out), CONFIG)
    assert (out / "rejected.csv").read_text().splitlines()[1:] == ["photos/rose/thin.png,too small: 7x90"]
    paths = {row.path for row in read_examples(str(out), manifest)}
    assert {"photos/rose/moving.gif", "photos/rose/NO SUFFIX"} <= paths
    process(str(raw), str(out), ProcessConfig(min_side=21, animated="reject", workers=1))
    reasons = dict(line.rsplit(",", 1) for line in (out / "rejected.csv").read_text().splitlines()[1:])
    assert reasons["photos/rose/moving.gif"] == "animated"
    assert reasons["photos/tulip/000.png"].startswith("too small")


def test_the_authors_split_is_kept_when_asked(flowers, tmp_path, out, command):
    raw = tmp_path / "kaggle"
    for number, file in enumerate(sorted(flowers.glob("photos/*/*"))):
        side = ("train", "train", "train", "Validation", "test")[number % 5]
        target = raw / side / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    shutil.copy(raw / "test/rose/034.png", raw / "train/rose/leak.png")
    done = command("process", "--input", raw, "--output", out, "--keep-split")
    assert done.returncode == 0, done.stderr
    manifest = Manifest.read(str(out))
    rows = list(read_examples(str(out), manifest))
    assert {(row.path.split("/")[0], row.split) for row in rows} == {
        ("train", "train"),
        ("Validation", "val"),
        ("test", "test"),
    }
    assert {row.class_name for row in rows} == {"daisy", "rose", "tulip"}
    assert (out / "rejected.csv").read_text().splitlines()[1:] == [
        'train/rose/leak.png,"looks the same as test/rose/034.png, which is in the given test"'
    ]
    mixed = process(str(raw), str(out), CONFIG)
    assert mixed.class_names == ("daisy", "rose", "tulip")
    assert mixed.images == 121


def test_small_classes_are_rejected_when_asked(raw, out):
    for name, count in (("two", 2), ("cover", 1)):
        (raw / name).mkdir()
        for number in range(count):
            shutil.copy(raw / f"photos/rose/00{number}.{('png', 'jpg')[number]}", raw / name)
    shutil.copy(raw / "photos/rose/002.png", raw / "two/a rose.png")
    with pytest.raises(InputError, match=r"'cover' has 0, 'two' has 0.*--small-classes reject"):
        process(str(raw), str(out), CONFIG)
    manifest = process(str(raw), str(out), ProcessConfig(small_classes="reject", workers=1))
    assert manifest.class_names == ("daisy", "rose", "tulip")
    assert manifest.different == {"daisy": 40, "rose": 40, "tulip": 40}
    assert (manifest.rejected, manifest.conflicts) == (4, 0)
    assert "two/a rose.png,its class has fewer than 3 different images" in (out / "rejected.csv").read_text()


def test_a_download_that_broke_off_is_not_taken_for_a_data_set(raw, out):
    (raw / ".source.json.partial").write_text("{}")
    with pytest.raises(InputError, match="its download broke off"):
        process(str(raw), str(out), CONFIG)


def test_images_that_change_sides_with_a_look_alike_are_counted(raw, out, capsys):
    process(str(raw), str(out), CONFIG)
    sides = {row.path: row.split for row in read_examples(str(out), Manifest.read(str(out)))}
    for file in sorted(raw.glob("photos/*/*.png")):
        with Image.open(file) as image:
            image.convert("RGB").resize((60, 60), Image.BICUBIC).save(file.with_suffix(".copy.png"))
    capsys.readouterr()
    manifest = process(str(raw), str(out), CONFIG)
    now = {row.path: row.split for row in read_examples(str(out), manifest)}
    moved = sum(now[path] != side for path, side in sides.items())
    assert moved
    assert f'"moved_to_another_side": {moved}' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("train.csv", "image_id,breed\n1,terrier\n"),
        ("rejected.csv", "image_path,reason,who\n"),
        ("duplicates.csv", ""),
        ("report.html", "<!doctype html>\n<title>mine</title>\n"),
        ("manifest.json", '{"schema_version": 3, "name": "my thing"}'),
    ],
)
def test_a_file_of_somebody_else_is_not_overwritten(flowers, out, name, text):
    out.mkdir(parents=True)
    (out / name).write_text(text)
    with pytest.raises(InputError, match=f"holds a {name} that this stage didn't write"):
        process(str(flowers), str(out), CONFIG)
    assert [file.name for file in out.iterdir()] == [name]
    (out / name).unlink()
    process(str(flowers), str(out), CONFIG)
    (out / "manifest.json").unlink()  # as a killed run leaves it
    process(str(flowers), str(out), CONFIG)


def test_a_folder_in_the_place_of_a_table_is_told_before_the_work(flowers, out):
    (out / "val.csv").mkdir(parents=True)
    with pytest.raises(InputError, match=r"holds a val\.csv that this stage didn't write"):
        process(str(flowers), str(out), CONFIG)


def test_two_at_once_in_one_folder_are_refused(flowers, out):
    with locked(str(out)), pytest.raises(StageError, match="another run is working"):
        process(str(flowers), str(out), CONFIG)
    assert not out.exists()


def test_files_that_change_places_are_noticed(flowers, tmp_path, out):
    raw = tmp_path / "raw"
    dataloader(str(flowers / "photos"), str(raw))
    process(str(raw), str(out), CONFIG)
    one, other = raw / "rose/000.png", raw / "tulip/000.png"
    size = max(file.stat().st_size for file in (one, other))
    for file in (one, other):  # of one size, and as old as before
        times = file.stat()
        file.write_bytes(file.read_bytes().ljust(size, b"\0"))
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    one.rename(raw / "between")
    other.rename(one)
    (raw / "between").rename(other)
    before = {row.path: row.sha256 for row in read_examples(str(out), Manifest.read(str(out)))}
    after = {row.path: row.sha256 for row in read_examples(str(out), process(str(raw), str(out), CONFIG))}
    assert after["rose/000.png"] != before["rose/000.png"]


def test_a_full_temporary_folder_is_one_line(tmp_path):
    with pytest.raises(StageError, match=r"database or disk is full\): make room"), WorkTable() as table:
        table.sql.execute("PRAGMA max_page_count = 20")
        for number in range(10_000):
            table.reject(f"{number}", "a reason")
