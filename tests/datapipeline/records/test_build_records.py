import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from contracts import records, storage
from contracts.dataset import SPLITS, Manifest, ShardIndex
from contracts.errors import InputError, StageError
from contracts.lock import locked
from datapipeline.records.build_records import BuildConfig, build_records, default_image_size
from datapipeline.records.examples import read_examples
from datapipeline.records.process import ProcessConfig, process
from imaging import decode, encode_jpeg, resize

CONFIG = BuildConfig(shards=4, workers=1)

KEYS = {
    **dict.fromkeys((records.ENCODED, records.TEXT, records.FORMAT, records.FILENAME), tf.string),
    **dict.fromkeys((records.LABEL, records.HEIGHT, records.WIDTH), tf.int64),
}


@pytest.fixture(scope="module")
def interim(flowers, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("interim") / "flowers"
    process(str(flowers), str(folder), ProcessConfig(workers=1))
    return folder


@pytest.fixture(scope="module")
def processed(interim, tmp_path_factory) -> Path:
    """A finished folder. Not to be changed."""
    folder = tmp_path_factory.mktemp("processed") / "flowers"
    build_records(str(interim), str(folder), CONFIG)
    return folder


@pytest.fixture
def out(processed, tmp_path) -> Path:
    """A copy of `processed` to be changed."""
    return Path(shutil.copytree(processed, tmp_path / "processed"))


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read_with_tensorflow(folder, names):
    spec = {key: tf.io.FixedLenFeature([], kind) for key, kind in KEYS.items()}
    dataset = tf.data.TFRecordDataset([str(folder / name) for name in names])
    return list(dataset.map(lambda row: tf.io.parse_single_example(row, spec)).as_numpy_iterator())


def test_tensorflow_reads_every_shard_back(flowers, interim, processed):
    index, manifest = ShardIndex.read(str(processed)), Manifest.read(str(interim))
    assert set(contents(processed)) == {
        "index.json",
        *(shard.name for shards in index.shards.values() for shard in shards),
    }
    assert (index.manifest_digest, index.class_names) == (manifest.digest, manifest.class_names)
    expected = {row.path: row for row in read_examples(str(interim), manifest)}
    for split in SPLITS:
        for number, shard in enumerate(index.shards[split]):
            assert shard.name == records.shard_name(split, number, 4)
            rows = read_with_tensorflow(processed, [shard.name])
            assert len(rows) == shard.examples
            histogram = np.bincount([row[records.LABEL] for row in rows], minlength=3)
            assert tuple(histogram) == shard.class_histogram
            assert shard.bytes == (processed / shard.name).stat().st_size
            assert shard.crc32c == storage.checksum(processed / shard.name)
            for row in rows:
                example = expected.pop(row[records.FILENAME].decode())
                assert example.split == split
                assert row[records.LABEL] == example.label
                assert row[records.TEXT].decode() == example.class_name
                assert row[records.FORMAT] == b"jpeg"
                pixels = tf.io.decode_jpeg(row[records.ENCODED], dct_method="INTEGER_ACCURATE").numpy()
                assert pixels.shape == (row[records.HEIGHT], row[records.WIDTH], 3)
                assert min(pixels.shape[:2]) == index.image_size == 32
                source = decode((flowers / example.path).read_bytes()).image
                assert row[records.ENCODED] == encode_jpeg(resize(source, 32, "shorter-side"), 90)
    assert not expected
    sizes = [[shard.examples for shard in shards] for shards in index.shards.values()]
    assert all(max(some) - min(some) <= 1 for some in sizes)


def test_any_number_of_processes_gives_the_same_bytes(interim, processed, tmp_path):
    build_records(str(interim), str(tmp_path / "two"), BuildConfig(shards=4, workers=2))
    assert contents(tmp_path / "two") == contents(processed)


def test_a_bucket_gets_the_same_bytes(flowers, processed, bucket):
    names = [path.relative_to(flowers).as_posix() for path in flowers.rglob("*.*") if path.is_file()]
    storage.upload_many(flowers, names, f"{bucket}/raw/flowers")
    raw, interim, out = (f"{bucket}/{stage}/flowers" for stage in ("raw", "interim", "processed"))
    process(raw, interim, ProcessConfig(workers=2))
    build_records(interim, out, BuildConfig(shards=4, workers=2))
    assert {
        file.name: storage.read_bytes(storage.join(out, file.name)) for file in storage.list_files(out)
    } == (contents(processed))


def test_a_finished_folder_is_left_alone(interim, out, capsys):
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    build_records(str(interim), str(out), CONFIG)
    assert "up to date" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_only_missing_and_damaged_shards_are_built_again(interim, processed, out):
    flipped, missing, cut = (out / records.shard_name("train", number, 4) for number in range(3))
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.write_bytes(data)
    missing.unlink()
    cut.write_bytes(cut.read_bytes()[:-100])
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    build_records(str(interim), str(out), CONFIG)
    assert contents(out) == contents(processed)
    touched = {path.name for path in out.iterdir() if before.get(path.name) != path.stat().st_mtime_ns}
    assert touched == {"index.json", flipped.name, missing.name, cut.name}


def test_other_settings_replace_the_shards_and_nothing_else(interim, out):
    (out / "notes.txt").write_text("mine")
    index = build_records(
        str(interim), str(out), BuildConfig(shards=2, image_size=16, resize="crop", workers=1)
    )
    names = {shard.name for shards in index.shards.values() for shard in shards}
    assert set(contents(out)) == names | {"index.json", "notes.txt"}
    for row in read_with_tensorflow(out, sorted(names)):
        assert (row[records.HEIGHT], row[records.WIDTH]) == (16, 16)


def slowly_killed(interim, out, arguments=(), after=3):
    """Start the command and kill it, with no chance to clean up, when some shards are there."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    command = [
        sys.executable,
        "-m",
        "datapipeline.records.build_records",
        "--input",
        interim,
        "--output",
        out,
    ]
    process = subprocess.Popen(
        [*map(str, command), *map(str, arguments)],
        env=environment,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while (
        process.poll() is None and len(list(out.glob("*.tfrecord"))) < after and time.monotonic() < deadline
    ):
        time.sleep(0.002)
    process.kill()
    process.communicate()  # ends when the last of its workers has closed the pipe: none is left behind
    return process.returncode


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_run_again_the_bytes_are_the_same(interim, tmp_path, workers):
    config = BuildConfig(shards=24, workers=1)
    build_records(str(interim), str(tmp_path / "whole"), config)
    out = tmp_path / "killed"
    out.mkdir()
    code = slowly_killed(interim, out, ["--shards", 24, "--workers", workers])
    assert code == -signal.SIGKILL
    assert not (out / "index.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("*.tfrecord")}
    assert 3 <= len(kept) < len(list((tmp_path / "whole").glob("*.tfrecord")))
    build_records(str(interim), str(out), config)
    for partial in out.glob(".*.partial"):
        partial.unlink()  # a killed writer's scrap: under no final name
    assert contents(out) == contents(tmp_path / "whole")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "finished shards are kept"


def test_shards_of_a_run_with_other_settings_are_not_carried_on(interim, tmp_path):
    """Killed at one quality, started again at another: the same names and keys, but not the same bytes."""
    out = tmp_path / "out"
    out.mkdir()
    slowly_killed(interim, out, ["--shards", 24, "--workers", 1, "--quality", 20])
    config = BuildConfig(shards=24, workers=1)
    build_records(str(interim), str(out), config)
    build_records(str(interim), str(tmp_path / "whole"), config)
    assert {path.name: path.read_bytes() for path in out.glob("*.tfrecord")} == {
        path.name: path.read_bytes() for path in (tmp_path / "whole").glob("*.tfrecord")
    }


def test_an_image_that_changed_since_is_named(raw, tmp_path):
    interim, out = str(tmp_path / "interim"), str(tmp_path / "out")
    process(str(raw), interim, ProcessConfig(workers=1))
    (raw / "photos/rose/000.png").write_bytes(b"")
    with pytest.raises(StageError, match=r"photos/rose/000\.png was changed"):
        build_records(interim, out, BuildConfig(workers=2))
    assert ShardIndex.read_if_there(out) is None
    shutil.rmtree(raw)
    with pytest.raises(InputError, match="doesn't exist"):
        build_records(interim, out, BuildConfig(workers=1))


def test_the_raw_data_may_have_moved(raw, tmp_path, processed):
    process(str(raw), str(tmp_path / "interim"), ProcessConfig(workers=1))
    moved = raw.rename(tmp_path / "elsewhere")
    build_records(
        str(tmp_path / "interim"), str(tmp_path / "out"), BuildConfig(raw=str(moved), shards=4, workers=1)
    )
    assert contents(tmp_path / "out") == contents(processed)


@pytest.mark.parametrize(("median", "size"), [(8, 32), (32, 32), (33, 64), (224, 224), (500, 256)])
def test_the_default_size_is_the_images_own(median, size):
    assert default_image_size(median) == size


def test_the_command_line(interim, processed, tmp_path, command):
    done = command("build_records", "--input", interim, "--output", tmp_path / "out", "--shards", 4)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "out") == contents(processed)


def edited(interim):
    (interim / "val.csv").write_text("path\n")


@pytest.mark.parametrize(
    ("spoil", "arguments", "message"),
    [
        (shutil.rmtree, [], "holds no manifest.json"),
        (lambda interim: (interim / "test.csv").unlink(), [], "test.csv doesn't exist"),
        (edited, [], "aren't those that its manifest.json describes"),
        (lambda interim: None, ["--resize", "bigger"], "shorter-side"),
        (lambda interim: None, ["--quality", "101"], "--quality"),
        (lambda interim: None, ["--raw", "nowhere"], "nowhere doesn't exist"),
        (lambda interim: None, ["--shard", "3"], "there is no option --shard"),
        (lambda interim: None, ["--runner", "NoRunner"], "--runner NoRunner"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(interim, tmp_path, command, spoil, arguments, message):
    folder = Path(shutil.copytree(interim, tmp_path / "interim"))
    spoil(folder)
    done = command("build_records", "--input", folder, "--output", tmp_path / "out", *arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert not list((tmp_path / "out").glob("*.tfrecord"))
    assert not (tmp_path / "out" / "index.json").exists()


def test_the_stage_needs_no_tensorflow():
    modules = "datapipeline.records.process, datapipeline.records.build_records"
    code = f"import sys, {modules}; sys.exit('tensorflow' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_beam_gives_the_same_bytes(interim, processed, tmp_path):
    config = BuildConfig(shards=4, runner="DirectRunner", runner_options=("--direct_num_workers", "1"))
    build_records(str(interim), str(tmp_path / "out"), config)
    assert contents(tmp_path / "out") == contents(processed), "and nothing else is left"


def test_beam_reads_a_compressed_tar_too(flowers, tmp_path):
    with tarfile.open(tmp_path / "flowers.tar.gz", "w:gz") as archive:
        archive.add(flowers, ".")
    process(str(tmp_path / "flowers.tar.gz"), str(tmp_path / "interim"), ProcessConfig(workers=1))
    for name, runner in (("beam", "DirectRunner"), ("here", "local")):
        build_records(
            str(tmp_path / "interim"), str(tmp_path / name), BuildConfig(shards=2, workers=1, runner=runner)
        )
    assert contents(tmp_path / "beam") == contents(tmp_path / "here")


def test_a_jpeg_that_fits_is_passed_through(tmp_path):
    rng, rotated = np.random.default_rng(0), Image.Exif()
    rotated[0x0112] = 6
    for name in ("a", "b"):
        (tmp_path / "raw" / name).mkdir(parents=True)
        for number in range(4):
            image = Image.fromarray(rng.integers(0, 256, (40, 64, 3), np.uint8))
            image.save(tmp_path / f"raw/{name}/{number}.jpg", quality=50 + number)
        image.convert("L").save(tmp_path / f"raw/{name}/grey.jpg")
        image.convert("CMYK").save(tmp_path / f"raw/{name}/cmyk.jpg")
        image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / f"raw/{name}/turned.jpg", exif=rotated)
        image.resize((65, 41)).save(tmp_path / f"raw/{name}/larger.jpg")
        image.save(tmp_path / f"raw/{name}/lossless.png")
    process(
        str(tmp_path / "raw"), str(tmp_path / "interim"), ProcessConfig(workers=1, near_duplicates="ignore")
    )
    index = build_records(
        str(tmp_path / "interim"), str(tmp_path / "out"), BuildConfig(image_size=40, workers=1)
    )
    rows = read_with_tensorflow(
        tmp_path / "out", [shard.name for some in index.shards.values() for shard in some]
    )
    same = {
        row[records.FILENAME].decode()
        for row in rows
        if row[records.ENCODED] == (tmp_path / "raw" / row[records.FILENAME].decode()).read_bytes()
    }
    assert same == {f"{name}/{kind}.jpg" for name in "ab" for kind in (0, 1, 2, 3, "grey")}
    for row in rows:
        pixels = tf.io.decode_jpeg(row[records.ENCODED], channels=3).numpy()
        assert pixels.shape == (row[records.HEIGHT], row[records.WIDTH], 3)
        assert min(pixels.shape[:2]) == 40
        assert pixels.shape[0] < pixels.shape[1], "upright"


def test_a_small_class_is_filled_up_in_train_alone(interim, processed, tmp_path):
    config = BuildConfig(shards=4, augment_minority=50, workers=2)
    index = build_records(str(interim), str(tmp_path / "out"), config)
    histograms = {split: np.sum([s.class_histogram for s in index.shards[split]], axis=0) for split in SPLITS}
    assert list(histograms["train"]) == [50, 50, 50]
    plain = ShardIndex.read(str(processed))
    assert index.shards["val"] == plain.shards["val"]
    assert index.shards["test"] == plain.shards["test"]
    rows = read_with_tensorflow(tmp_path / "out", [shard.name for shard in index.shards["train"]])
    by_name = {row[records.FILENAME].decode(): row[records.ENCODED] for row in rows}
    assert len(by_name) == 150
    assert len(set(by_name.values())) == 150, "every copy is another picture"
    copies = [name for name in by_name if "#" in name]
    assert {name.partition("#")[0] for name in copies} <= by_name.keys()
    build_records(str(interim), str(tmp_path / "again"), replace(config, workers=1))
    assert contents(tmp_path / "again") == contents(tmp_path / "out")


def flip(path, position=0.5):
    data = bytearray(path.read_bytes())
    data[int(len(data) * position)] ^= 1
    path.write_bytes(data)


def test_verify_names_every_bad_shard(out, command):
    good = command("build_records", "--verify", out)
    assert good.returncode == 0, good.stderr
    assert '"verified"' in good.stderr
    names = [records.shard_name("train", number, 4) for number in range(4)]
    flip(out / names[0])
    (out / names[1]).unlink()
    (out / names[2]).write_bytes((out / names[2]).read_bytes()[:-10])
    index = json.loads((out / "index.json").read_text())
    index["shards"]["train"][3]["class_histogram"][0] += 1
    (out / "index.json").write_text(json.dumps(index))
    bad = command("build_records", "--verify", out)
    assert bad.returncode == 1
    *_, complaint = bad.stderr.splitlines()
    assert "4 of 12 shards are bad" in complaint
    assert all(name in complaint for name in names)


def test_two_at_once_in_one_folder_are_refused(interim, out):
    before = contents(out)
    with locked(str(out)), pytest.raises(StageError, match="another run is working"):
        build_records(str(interim), str(out), BuildConfig(quality=10, workers=1))
    assert contents(out) == before


def test_a_rebuild_that_fails_leaves_no_index(raw, tmp_path):
    interim, out = str(tmp_path / "interim"), tmp_path / "out"
    process(str(raw), interim, ProcessConfig(workers=1))
    config = BuildConfig(shards=2, workers=1)
    build_records(interim, str(out), config)
    whole = contents(out)
    flip(out / records.shard_name("train", 0, 2))
    moved = raw.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="doesn't exist"):
        build_records(interim, str(out), config)
    assert ShardIndex.read_if_there(str(out)) is None
    assert (out / records.shard_name("train", 1, 2)).read_bytes() == whole[records.shard_name("train", 1, 2)]
    build_records(interim, str(out), replace(config, raw=str(moved)))
    assert contents(out) == whole


def test_shards_are_not_written_among_the_raw_data(raw, tmp_path):
    process(str(raw), str(tmp_path / "interim"), ProcessConfig(workers=1))
    (tmp_path / "link").symlink_to(raw)
    for place in (raw, raw / "photos/rose", tmp_path / "link/new"):
        with pytest.raises(InputError, match="raw data"):
            build_records(str(tmp_path / "interim"), str(place), BuildConfig(workers=1))


def test_names_that_look_like_copies_are_no_copies(raw, tmp_path):
    rose = raw / "photos/rose"
    for name in ("000.png:1", "000.png#1"):
        Image.fromarray(np.random.default_rng(len(name)).integers(0, 256, (30, 30, 3), np.uint8)).save(
            rose / name, "PNG"
        )
    process(str(raw), str(tmp_path / "interim"), ProcessConfig(workers=1))
    config = BuildConfig(shards=1, augment_minority=90, workers=1)
    index = build_records(str(tmp_path / "interim"), str(tmp_path / "out"), config)
    assert index.shards["train"][0].class_histogram == (90, 90, 90)


@pytest.mark.parametrize(
    "edit",
    [
        lambda manifest: manifest["counts"].pop("val"),
        lambda manifest: manifest["counts"].update(train={}),
        lambda manifest: manifest["class_names"].reverse(),
        lambda manifest: manifest["counts"]["train"].update(daisy=20_000),
        lambda manifest: manifest.update(class_names=["daisy", "daisy", "tulip"]),
    ],
)
def test_an_edited_manifest_is_refused(interim, tmp_path, edit):
    folder = Path(shutil.copytree(interim, tmp_path / "interim"))
    manifest = json.loads((folder / "manifest.json").read_text())
    edit(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="manifest"):
        build_records(str(folder), str(tmp_path / "out"), BuildConfig(workers=1))


def test_names_that_look_like_members_are_files(raw, tmp_path):
    rose = raw / "photos/rose"
    (raw / "x.zip::y").mkdir()
    moving = sorted(rose.iterdir())[:6]
    for path in moving[:4]:
        path.rename(raw / "x.zip::y" / path.name)
    moving[4].rename(rose / f"4.zip::c{moving[4].suffix}")
    with zipfile.ZipFile(raw / "foo.zip::bar.zip", "w") as archive:
        archive.write(moving[5], f"tulip/in it{moving[5].suffix}")
    moving[5].unlink()
    process(str(raw), str(tmp_path / "interim"), ProcessConfig(workers=1))
    index = build_records(str(tmp_path / "interim"), str(tmp_path / "out"), BuildConfig(workers=1))
    manifest = Manifest.read(str(tmp_path / "interim"))
    assert sum(index.examples(split) for split in SPLITS) == manifest.images
    assert "y" in manifest.class_names or "x.zip::y" in manifest.class_names


def test_finished_shards_stay_until_the_raw_data_is_found(raw, tmp_path):
    interim, out = str(tmp_path / "interim"), tmp_path / "out"
    process(str(raw), interim, ProcessConfig(workers=1))
    build_records(interim, str(out), CONFIG)
    before = contents(out)
    raw.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="doesn't exist"):
        build_records(interim, str(out), replace(CONFIG, image_size=64))
    assert contents(out) == before


@pytest.mark.parametrize("name", ["index.json", "building.json", "train-00000-of-00010.tfrecord"])
def test_what_somebody_else_wrote_is_not_deleted(interim, tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text('{"my": 1}')
    with pytest.raises(InputError, match=f"holds a {name} that this stage didn't write"):
        build_records(str(interim), str(out), CONFIG)
    assert contents(out) == {name: b'{"my": 1}'}


@pytest.mark.parametrize(
    "edit",
    [
        lambda shards: shards["train"][0].update(class_histogram=[1]),
        lambda shards: shards.update(val=shards["train"]),
        lambda shards: shards["val"][0].update(name="../elsewhere/val-00000-of-00004.tfrecord"),
    ],
)
def test_an_edited_index_is_refused(out, edit):
    index = json.loads((out / "index.json").read_text())
    edit(index["shards"])
    (out / "index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="index"):
        ShardIndex.read(str(out))


def test_an_edited_count_of_examples_is_found_and_mended(interim, out, command):
    before = contents(out)
    index = json.loads(before["index.json"])
    index["shards"]["val"][0]["examples"] += 7
    (out / "index.json").write_text(json.dumps(index))
    found = command("build_records", "--verify", out)
    assert found.returncode == 1
    assert records.shard_name("val", 0, 4) in found.stderr
    build_records(str(interim), str(out), CONFIG)
    assert contents(out) == before
