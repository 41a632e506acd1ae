"""The real command over every kind of source, and what it refuses."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile

import pytest

from contracts import storage
from contracts.dataset import Source
from contracts.errors import InputError
from datapipeline.download import catalogue
from datapipeline.download.dataloader import dataloader

COMMAND = [sys.executable, "-m", "datapipeline.download.dataloader"]


def run(source, output, *more):
    return subprocess.run(
        [*COMMAND, "--source", str(source), "--output", str(output), *more], capture_output=True, text=True
    )


def events(result):
    return [json.loads(line)["event"] for line in result.stderr.splitlines() if line.startswith("{")]


def names(output):
    try:
        return [file.name for file in storage.list_files(str(output))]
    except storage.NotFoundError:
        return []


@pytest.fixture
def photos(tmp_path):
    """A folder of 'images' with what desktops leave in one."""
    folder = tmp_path / "photos"
    for name in (
        "a/1.png",
        "a/2.png",
        "b c/é#?.png",
        ".DS_Store",
        "a/._1.png",
        "__MACOSX/a/1.png",
        "b c/Thumbs.db",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"this is {name}")
    return folder


PHOTOS = ["a/1.png", "a/2.png", "b c/é#?.png"]


@pytest.fixture(params=["local", "bucket"])
def output(request, tmp_path):
    if request.param == "local":
        return str(tmp_path / "root/raw/some")
    return storage.join(request.getfixturevalue("bucket"), "raw/some")


class TestCommand:
    def test_digits_are_the_default_that_needs_no_network(self, output):
        result = run("digits", output)
        assert (result.returncode, events(result)[-1]) == (0, "fetched")
        entry = catalogue.read("digits", catalogue.FOLDER)
        data = storage.read_bytes(storage.join(output, "digits.zip"))
        assert hashlib.sha256(data).hexdigest() == entry.sha256
        source = Source.read(output)
        (origin,) = source.origins
        assert (source.dataset, origin.uri, origin.licence) == ("some", "catalogue:digits", "CC BY 4.0")
        written = storage.stat(storage.join(output, "source.json")), source

        again = run("digits", output)
        assert (again.returncode, events(again)) == (0, ["up to date"])
        assert (storage.stat(storage.join(output, "source.json")), Source.read(output)) == written

    def test_a_killed_copy_is_finished_by_the_same_command(self, tmp_path):
        source, output = tmp_path / "many", tmp_path / "raw"
        for number in range(2000):
            (source / str(number % 2)).mkdir(parents=True, exist_ok=True)
            (source / str(number % 2) / f"{number}.png").write_bytes(b"%d" % number)
        with subprocess.Popen(
            [*COMMAND, "--source", str(source), "--output", str(output)], stderr=subprocess.DEVNULL
        ) as process:
            while not output.exists() or len(list(output.rglob("*.png"))) < 100:
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
        assert not (output / "source.json").exists()
        assert run(source, output).returncode == 0
        assert len(Source.read(str(output)).files) == 2000

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("flower", "not in the catalogue: did you mean flowers? there are digits, dogs, flowers"),
            ("no/such/folder", "no/such/folder is no file or folder"),
            ("{tmp}/empty", "empty holds no files"),
            (
                "{tmp}/notes.txt",
                "notes.txt is no archive (expected zip, tar or tar.gz; it starts with b'hello'",
            ),
            ("", "--source is empty"),
            ("http://127.0.0.1:{port}/", "names no file"),
            ("http://[::1/x.zip", "is no address"),
            ("gs://", "expected a path or gs://bucket/prefix"),
            ("{tmp}/latin", "a name that isn't UTF-8"),
        ],
    )
    def test_bad_input_is_one_clear_line(self, tmp_path, source, message):
        (tmp_path / "empty").mkdir()
        (tmp_path / "empty/.DS_Store").touch()
        (tmp_path / "latin").mkdir()
        (tmp_path / "latin" / os.fsdecode(b"\xfc.png")).touch()
        (tmp_path / "notes.txt").write_text("hello")
        result = run(source.format(tmp=tmp_path, port=9), tmp_path / "raw")
        assert (result.returncode, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) == 1
        assert message in result.stderr
        assert not (tmp_path / "raw").exists()

    def test_another_catalogue(self, tmp_path, zipped):
        (tmp_path / "moths.zip").write_bytes(data := zipped(atlas=b"1", luna=b"2"))
        (tmp_path / "moths.toml").write_text(
            f'description = "moths"\nurl = "moths.zip"\nbytes = {len(data)}\n'
            f'licence = "CC0"\ncitation = "me"\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n'
        )
        assert run("moths", tmp_path / "raw", "--catalogue", tmp_path).returncode == 0
        assert (tmp_path / "raw/moths.zip").read_bytes() == data
        (tmp_path / "moths.zip").write_bytes(b"x" * len(data))
        result = run("moths", tmp_path / "other", "--catalogue", tmp_path)
        assert (result.returncode, names(tmp_path / "other")) == (1, [])
        assert "expected" in result.stderr


class TestFolder:
    def test_files_keep_their_paths_and_junk_stays_behind(self, photos, output):
        source = dataloader(str(photos), output)
        assert [file.name for file in source.files] == PHOTOS
        assert names(output) == [*PHOTOS, "source.json"]
        for file in source.files:
            assert storage.read_bytes(storage.join(output, file.name)) == f"this is {file.name}".encode()
            assert file.crc32c == storage.checksum(photos / file.name)

    def test_only_what_changed_is_fetched_again(self, photos, output):
        first = dataloader(str(photos), output)
        assert dataloader(str(photos), output) == first
        (photos / "a/1.png").unlink()
        (photos / "a/3.png").write_text("new")
        second = dataloader(str(photos), output)
        assert names(output) == ["a/2.png", "a/3.png", "b c/é#?.png", "source.json"]
        assert second.files[0] == first.files[1]

    def test_a_file_lost_from_the_output_comes_back(self, photos, output):
        first = dataloader(str(photos), output)
        storage.delete(storage.join(output, "a/1.png"))
        assert dataloader(str(photos), output).files == first.files
        assert names(output) == [*PHOTOS, "source.json"]

    def test_an_output_of_something_else_is_refused(self, photos, output):
        dataloader(str(photos), output)
        with pytest.raises(
            InputError, match=r"holds .*photos, not catalogue:digits: choose another --output"
        ):
            dataloader("digits", output)
        storage.delete(storage.join(output, "source.json"))
        with pytest.raises(InputError, match=r"holds a/1.png, which isn't of catalogue:digits"):
            dataloader("digits", output)
        assert names(output) == PHOTOS

    def test_an_output_inside_the_source_is_refused(self, photos):
        with pytest.raises(InputError, match="choose an --output outside it"):
            dataloader(str(photos), str(photos / "raw"))

    def test_a_bucket_is_a_source(self, photos, bucket, output):
        storage.upload_many(photos, [*PHOTOS, ".DS_Store"], f"{bucket}/upload")
        source = dataloader(f"{bucket}/upload", output)
        assert names(output) == [*PHOTOS, "source.json"]
        assert dataloader(f"{bucket}/upload/", output) == source, "up to date"
        storage.write_bytes(f"{bucket}/upload/a/1.png", b"THIS is a/1.png")
        dataloader(f"{bucket}/upload", output)
        assert storage.read_bytes(storage.join(output, "a/1.png")) == b"THIS is a/1.png"


class TestArchive:
    @pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tgz", "no-ending"])
    def test_it_is_copied_as_it_is(self, tmp_path, photos, output, name, zipped):
        archive = tmp_path / name
        if "tar" in name or "tgz" in name:
            with tarfile.open(archive, "w:gz" if "gz" in name else "w") as file:
                file.add(photos, "photos")
        else:
            archive.write_bytes(zipped(a=b"1"))
        dataloader(str(archive), output)
        assert names(output) == sorted([name, "source.json"])
        assert storage.read_bytes(storage.join(output, name)) == archive.read_bytes()

    def test_of_a_bucket(self, bucket, output, zipped):
        storage.write_bytes(f"{bucket}/up/x.zip", data := zipped(a=b"1"))
        dataloader(f"{bucket}/up/x.zip", output)
        assert storage.read_bytes(storage.join(output, "x.zip")) == data
        storage.write_bytes(f"{bucket}/up/x.txt", b"no archive")
        with pytest.raises(InputError, match="is no archive"):
            dataloader(f"{bucket}/up/x.txt", output)

    def test_the_copy_is_safe_from_a_replaced_original(self, tmp_path, zipped):
        archive, output = tmp_path / "x.zip", str(tmp_path / "raw")
        archive.write_bytes(zipped(a=b"1"))
        dataloader(str(archive), output)
        (tmp_path / "new.zip").write_bytes(data := zipped(a=b"1", b=b"2"))
        os.replace(tmp_path / "new.zip", archive)  # noqa: PTH105
        dataloader(str(archive), output)
        assert storage.read_bytes(storage.join(output, "x.zip")) == data


def test_a_bucket_that_does_not_exist(tmp_path, bucket):
    for source, output in ((f"{bucket}-2/x", tmp_path / "raw"), ("digits", f"{bucket}-2/raw")):
        result = run(source, output)
        assert result.returncode == 2
        assert f"there is no bucket {bucket}-2: create it, or name another" in result.stderr
