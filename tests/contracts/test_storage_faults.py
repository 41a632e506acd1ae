"""Over a network with faults: right bytes or one of our errors, and nothing wrong under a final name."""

import os
import random
import zipfile

import pytest

from contracts import storage
from contracts.errors import InputError, StageError
from contracts.storage import gcs, gcs_access, gcs_parts, gcs_transfer, gcs_wire

# Google's client drops failed answers unread, so their sockets are closed by the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def in_small(monkeypatch):
    """Every way up and down with files of some KB, and waits in tenths."""
    monkeypatch.setattr(gcs_wire, "SMALL", 8 << 10)
    monkeypatch.setattr(gcs_transfer, "LARGE", 1 << 18)
    monkeypatch.setattr(gcs_transfer, "CHUNK", 1 << 18)
    monkeypatch.setattr(gcs_parts, "PART", 1 << 17)
    monkeypatch.setattr(gcs, "READ_AHEAD", 8 << 10)
    quick = gcs_access.REQUEST["retry"].with_delay(initial=0.05, maximum=0.2)
    monkeypatch.setitem(gcs_access.REQUEST, "retry", quick)
    monkeypatch.setitem(gcs_transfer._RAW, "retry", quick)


@pytest.fixture
def files(tmp_path):
    """Files of each size that goes its own way, by name."""
    rng = random.Random(0)
    sizes = {f"small/{n}": 3000 + n for n in range(40)} | {f"middle/{n}": 40_000 + n for n in range(8)}
    contents = {name: rng.randbytes(size) for name, size in {**sizes, "large": 600_000, "empty": 0}.items()}
    for name, data in contents.items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return contents


def finished(verb, *args):
    """Call it as a person would: again after one of our errors, and no other."""
    for _ in range(8):
        try:
            return verb(*args)
        except (StageError, InputError) as error:
            assert "\n" not in str(error)
    raise AssertionError(f"{verb.__name__} never came through")


def stored(uri):
    return {file.name: storage.read_bytes(storage.join(uri, file.name)) for file in storage.list_files(uri)}


def on_disk(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("seed", range(3))
def test_nothing_wrong_lands_and_nothing_is_lost(
    bucket, gcs_emulator, faulty_gcs, files, tmp_path, monkeypatch, seed
):
    uri = storage.join(bucket, "folder")
    storage.write_bytes(storage.join(uri, "empty"), b"")
    proxy = faulty_gcs(seed=seed, rate=0.15)
    finished(storage.upload_many, tmp_path / "source", list(files), uri)
    finished(storage.download_many, uri, list(files), tmp_path / "target")
    assert sum(proxy.met.values()) >= 10, proxy.met
    assert on_disk(tmp_path / "target") == files
    monkeypatch.setenv(gcs_access.EMULATOR, gcs_emulator)
    assert stored(uri) == files


@pytest.mark.parametrize("fault", ["503", "reset", "cut", "flipped down", "flipped up", "answer lost"])
def test_a_network_that_never_works_leaves_no_wrong_byte(
    bucket, gcs_emulator, faulty_gcs, files, tmp_path, monkeypatch, fault
):
    uri = storage.join(bucket, "folder")
    storage.write_bytes(storage.join(uri, "small/0"), files["small/0"])
    for options in (gcs_access.REQUEST, gcs_transfer._RAW):
        monkeypatch.setitem(options, "retry", options["retry"].with_timeout(0.3))
    monkeypatch.setattr(gcs_access, "FIRST_RETRY", gcs_access.FIRST_RETRY.with_timeout(0.3))
    proxy = faulty_gcs(rate=1.0, faults=(fault,))
    for verb, args in (
        (storage.upload_many, (tmp_path / "source", ["small/1", "middle/1", "large"], uri)),
        (storage.download_many, (uri, ["small/0"], tmp_path / "target")),
        (storage.read_bytes, (storage.join(uri, "small/0"),)),
        (storage.write_bytes, (storage.join(uri, "small/2"), files["small/2"])),
    ):
        try:
            came = verb(*args)
        except (StageError, InputError) as error:
            assert "\n" not in str(error)
        else:
            assert verb is not storage.read_bytes or came == files["small/0"]
    assert set(proxy.met) == {fault}
    monkeypatch.setenv(gcs_access.EMULATOR, gcs_emulator)
    there = stored(uri)
    assert there["small/0"] == files["small/0"]
    assert all(data == files[name] for name, data in there.items())
    if (tmp_path / "target").exists():
        assert all(data == files[name] for name, data in on_disk(tmp_path / "target").items())


def test_single_files_and_members_of_archives_come_through(bucket, faulty_gcs, tmp_path):
    members = {f"{number}.bin": os.urandom(5000) for number in range(30)}
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    storage.upload(tmp_path / "photos.zip", storage.join(bucket, "photos.zip"))
    proxy = faulty_gcs(seed=7, rate=0.2)
    for number, data in enumerate(members.values()):
        uri = storage.join(bucket, f"single/{number}")
        finished(storage.write_bytes, uri, data)
        assert finished(storage.read_bytes, uri) == data
    file = finished(storage.open_read, storage.join(bucket, "photos.zip"))
    with file, zipfile.ZipFile(file) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == members
    assert sum(proxy.met.values()) >= 5, proxy.met
