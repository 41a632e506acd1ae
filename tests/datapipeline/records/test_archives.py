import bz2
import gzip
import io
import itertools
import os
import re
import stat
import struct
import tarfile
import tempfile
import tracemalloc
import zipfile
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import storage
from contracts.errors import InputError, StageError
from datapipeline.records.archives import UnreadableError, decompressed, open_archive, opening

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)

PART = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\"), min_size=1, max_size=40
).filter(lambda part: part not in (".", ".."))
NAME = st.lists(PART, min_size=1, max_size=4).map("/".join)
DATA = st.one_of(st.binary(max_size=2000), st.integers(0, 70_000).map(lambda size: b"chrysalis"[:5] * size))
FILES = st.dictionaries(NAME, DATA, max_size=8)


class Streamed(io.RawIOBase):
    """A pipe, so that zipfile writes sizes behind the members."""

    def __init__(self, file):
        self.file = file

    def writable(self):
        return True

    def write(self, data):
        return self.file.write(data)


@settings(max_examples=60, deadline=None)
@given(
    files=FILES,
    methods=st.lists(st.sampled_from(METHODS), min_size=8, max_size=8),
    wide=st.booleans(),
    streamed=st.booleans(),
    before=st.binary(max_size=100),
    comment=st.binary(max_size=100),
)
def test_a_zip_gives_what_zipfile_gives(files, methods, wide, streamed, before, comment):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.zip")
        with path.open("wb") as file:
            file.write(before)
            with zipfile.ZipFile(Streamed(file) if streamed else file, "w") as archive:
                archive.mkdir("a folder")
                for (name, data), method in zip(files.items(), methods, strict=False):
                    info = zipfile.ZipInfo(name)
                    info.compress_type = method
                    with archive.open(info, "w", force_zip64=wide) as member:
                        member.write(data)
                archive.comment = comment
        with zipfile.ZipFile(path) as archive:
            expected = [
                (info.filename, info.header_offset, info.file_size, info.compress_size, info.compress_type)
                for info in archive.infolist()
                if not info.is_dir()
            ]
        check(path, expected, files)


@settings(max_examples=60, deadline=None)
@given(files=FILES, form=st.sampled_from((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)))
def test_a_tar_gives_what_tarfile_gives(files, form):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.tar")
        with tarfile.open(path, "w", format=form, pax_headers={"comment": "für alle"}) as archive:
            for name, data in {"a folder": None, "long/" * 60 + "folder": None, **files}.items():
                info = tarfile.TarInfo(name)
                info.mtime = 1.5
                if data is None:
                    info.type = tarfile.DIRTYPE
                else:
                    info.size = len(data)
                try:
                    archive.addfile(info, io.BytesIO(data or b""))
                except ValueError:  # ustar's names have an end
                    files = {other: files[other] for other in files if other != name}
        with tarfile.open(path, encoding="utf-8") as archive:
            expected = [(i.name, i.offset_data, i.size, i.size, 0) for i in archive if not i.isdir()]
        check(path, expected, files)


def check(path, expected, files):
    archive = open_archive(str(path))
    members = list(archive.members())
    assert [member[:5] for member in members] == expected
    assert {member.name: archive.read(member) for member in members} == files
    assert all(member.trouble is None for member in members)
    interleaved = [archive.read(member) for member in archive.members()]
    assert interleaved == [archive.read(member) for member in members]
    archive.close()
    fresh = open_archive(str(path))
    assert [fresh.read(member) for member in reversed(members)] == interleaved[::-1]
    fresh.close()


def packed(path, count):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(count):
                archive.writestr(f"class-{number % 10}/image-{number:08}.jpg", b"%d" % number)
    else:
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
            for number in range(count):
                info = tarfile.TarInfo(f"class-{number % 10}/é-{number:08}.jpg")
                info.size = 8
                archive.addfile(info, io.BytesIO(b"%08d" % number))
                archive.members = []
    return str(path)


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_a_listing_takes_the_same_memory_however_long_it_is(tmp_path, name):
    def peak(count):
        uri = packed(tmp_path / name, count)
        tracemalloc.start()
        archive = open_archive(uri)
        assert sum(1 for _ in archive.members()) == count
        archive.close()
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(20_000) < 1.5 * peak(2_000) + 300_000  # a window of the directory
    assert peak(20_000) < 1_000_000


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_an_archive_in_a_bucket_is_listed_and_read_by_ranges(tmp_path, bucket, name):
    uri = packed(tmp_path / name, 3000)
    storage.upload(tmp_path / name, f"{bucket}/{name}")
    local, remote = open_archive(uri), open_archive(f"{bucket}/{name}")
    assert list(remote.members()) == list(local.members())
    member = next(itertools.islice(local.members(), 1234, None))
    assert remote.read(member) == local.read(member)
    local.close()
    remote.close()


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_a_forked_process_does_not_move_the_position_under_another(tmp_path, name):
    archive = open_archive(packed(tmp_path / name, 2000))
    members = list(archive.members())
    expected = [archive.read(member) for member in members]
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            same = all([archive.read(member) for member in members] == expected for _ in range(5))
            os._exit(0 if same else 1)
        children.append(child)
    again = [[archive.read(member) for member in members] for _ in range(5)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert again == [expected] * 5
    archive.close()


def zipped(path, *members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return bytearray(path.read_bytes())


def troubles(path):
    with closing(open_archive(str(path))) as archive:
        return {member.name: member.trouble for member in archive.members()}


def reason(path):
    """Why the first member can't be read."""
    with closing(open_archive(str(path))) as archive:
        member = next(archive.members())
        with pytest.raises(UnreadableError) as caught:
            archive.read(member)
    return str(caught.value)


def test_what_is_refused_by_a_zip_directory_says_why(tmp_path):
    def unix(name, kind):
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, (kind | 0o644) << 16
        return info

    data = zipped(
        tmp_path / "a.zip",
        *((unix("link", stat.S_IFLNK), "/etc/passwd"), (unix("pipe", stat.S_IFIFO), "")),
        *((unix("file", stat.S_IFREG), "x"), ("locked", "x"), ("strange", "x"), ("far", "x"), ("wrong", "x")),
        ("rose\\", ""),
    )

    def patch(name, at, value):
        entry = data.rindex(name.encode()) - 46
        data[entry + at : entry + at + len(value)] = value

    patch("locked", 8, b"\1")
    patch("strange", 10, b"\x09")
    patch("far", 42, b"\xff\xff\xff\x00")
    patch("wrong", 24, b"\2")
    (tmp_path / "a.zip").write_bytes(data)
    assert troubles(tmp_path / "a.zip") == {
        "link": "a link or a device",
        "pipe": "a link or a device",
        "file": None,
        "locked": "encrypted in its archive",
        "strange": "compressed in an unknown way: method 9",
        "far": "damaged in its archive: it doesn't lie inside it",
        "wrong": "damaged in its archive: 2 bytes can't take 1",
    }
    assert reason(tmp_path / "a.zip") == "a link or a device"


def test_bombs_are_refused_and_pictures_of_few_colours_are_not(tmp_path):
    lines = (b"\xff" * 1499 + b"\0") * 1000 * 10
    zipped(
        tmp_path / "a.zip",
        *(("blank.bmp", bytes(1 << 20)), ("lines.bmp", lines), ("bomb", bytes(8 << 20))),
        compression=zipfile.ZIP_DEFLATED,
    )
    with zipfile.ZipFile(tmp_path / "a.zip", "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("bomb.bz2", bytes(2 << 20))
    found = troubles(tmp_path / "a.zip")
    assert (found.pop("blank.bmp"), found.pop("lines.bmp")) == (None, None)
    for name, size in (("bomb", 8 << 20), ("bomb.bz2", 2 << 20)):
        assert re.fullmatch(rf"an archive bomb: \d+ bytes that unpack to {size}", found[name])


@pytest.mark.parametrize("method", METHODS)
def test_a_member_that_lies_about_its_size_or_bytes_is_unreadable(tmp_path, method):
    whole = zipped(tmp_path / "a.zip", ("a", b"0123456789" * 50), compression=method)
    directory = whole.rindex(b"PK\1\2")
    for at, value in ((16, b"\0\0\0\0"), (24, b"\x10\0\0\0"), (24, b"\0\x20\0\0"), (20, b"\x0b\0\0\0")):
        data = bytearray(whole)
        data[directory + at : directory + at + 4] = value
        (tmp_path / "a.zip").write_bytes(data)
        assert reason(tmp_path / "a.zip").startswith("damaged in its archive: ")
    for at in range(31 + 9, directory - 7, 3):  # between LZMA's settings and its end mark
        data = bytearray(whole)
        data[at] ^= 0x55
        (tmp_path / "a.zip").write_bytes(data)
        assert reason(tmp_path / "a.zip").startswith("damaged in its archive: ")


def test_a_header_of_a_zip_that_disagrees_with_the_directory_is_refused(tmp_path):
    data = zipped(tmp_path / "a.zip", ("a/one.png", b"x"))
    for at, value in ((0, b"PK\3\5"), (8, b"\x08"), (30, b"b/one.png")):
        changed = data.copy()
        changed[at : at + len(value)] = value
        (tmp_path / "a.zip").write_bytes(changed)
        assert reason(tmp_path / "a.zip") == (
            "damaged in its archive: its own header disagrees with the directory"
        )


def test_names_of_every_encoding(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        other = zipfile.ZipInfo("old.jpg")
        other.extra = unicode_path(b"old.jpg", "роза.jpg")
        for info in ("grün.jpg", other, zipfile.ZipInfo("dos-X.jpg"), zipfile.ZipInfo("bad-é.jpg")):
            archive.writestr(info, b"x")
    data = path.read_bytes().replace(b"dos-X", b"dos-\x81").replace("bad-é".encode(), b"bad-\xff\xfe")
    path.write_bytes(data)
    assert list(troubles(path)) == ["grün.jpg", "роза.jpg", "dos-ü.jpg", "bad-\udcff\udcfe.jpg"]
    archive = open_archive(str(path))
    assert {archive.read(member) for member in archive.members()} == {b"x"}
    archive.close()


def unicode_path(raw, name):
    content = b"\1" + struct.pack("<L", zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x7075, len(content)) + content


def broken(data, at, value, *, from_end=b"PK\5\6"):
    start = data.rindex(from_end) + at
    return data[:start] + value + data[start + len(value) :]


def test_a_damaged_zip_directory_is_one_line(tmp_path):
    data = zipped(tmp_path / "a.zip", ("a/1.png", b"x"), ("a/2.png", b"y" * 100))
    end = data.rindex(b"PK\5\6")
    for changed, message in (
        (b"", "no directory"),
        (data[:end], "no directory"),
        (data[: end + 10], "it ends too soon"),
        (data[end // 2 :], "isn't where it should be"),
        (broken(data, 10, b"\3\0"), "holds 2 members and should hold 3"),
        (broken(data, 12, b"\x40\0\0\0"), "its directory ends too soon"),
        (broken(data, 12, b"\xff\0\0\0"), "its directory isn't where it should be"),
        (broken(data, 4, b"\1\0"), "one part of several"),
        (broken(data, 0, b"PK\1\3", from_end=b"PK\1\2"), "its directory is damaged"),
        (broken(data, 28, b"\xff", from_end=b"PK\1\2"), "its directory ends too soon"),
        (broken(data, 20, b"\xff\xff\xff\xff", from_end=b"PK\1\2"), "lacks a size of 64 bits"),
    ):
        (tmp_path / "a.zip").write_bytes(changed)
        with pytest.raises(InputError, match=rf"a\.zip isn't an archive that can be read \(.*{message}"):
            troubles(tmp_path / "a.zip")


def test_a_zip_with_a_comment_like_an_end_record_and_bytes_behind_it(tmp_path):
    path = tmp_path / "a.zip"
    data = zipped(path, ("a/1.png", b"x"))
    comment = b"PK\5\6" + bytes(18) + b"PK\5\6" + b"\1\0" * 9
    path.write_bytes(broken(data, 20, struct.pack("<H", len(comment))) + comment + b"\n")
    assert list(troubles(path)) == ["a/1.png"]


def test_a_directory_of_64_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    path = tmp_path / "a.zip"
    data = zipped(path, *((f"a/{number}.png", b"x") for number in range(5)))
    assert b"PK\6\6" in data
    for before in (b"", b"#!/bin/sh\n"):
        path.write_bytes(before + data)
        assert len(troubles(path)) == 5
    path.write_bytes(broken(data, 32, b"\6", from_end=b"PK\6\6"))
    with pytest.raises(InputError, match="holds 5 members and should hold 6"):
        troubles(path)
    path.write_bytes(data.replace(b"PK\6\6", b"PK\6\5"))
    with pytest.raises(InputError, match="end record of 64 bits"):
        troubles(path)


def tarred(path, *infos, **options):
    with tarfile.open(path, "w", **options) as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(b"x" * info.size) if info.isreg() else None)
    return bytearray(path.read_bytes())


def tar_info(name, kind=tarfile.REGTYPE, size=0):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    if kind in (tarfile.LNKTYPE, tarfile.SYMTYPE):
        info.linkname = "elsewhere" * 20
    return info


def test_what_is_refused_in_a_tar_says_why(tmp_path):
    kinds = {
        "hard": b"1",
        "soft": b"2",
        "char": b"3",
        "block": b"4",
        "fifo": b"6",
        "odd": b"Z",
        "volume": b"V",
    }
    tarred(
        tmp_path / "a.tar",
        *(tar_info(name, kind) for name, kind in kinds.items()),
        tar_info("file", size=1000),
        format=tarfile.GNU_FORMAT,
    )
    link = "a link or a device"
    assert troubles(tmp_path / "a.tar") == {
        **dict.fromkeys(("hard", "soft", "char", "block", "fifo"), link),
        "odd": "a member of an unknown kind: b'Z'",
        "file": None,
    }
    assert reason(tmp_path / "a.tar") == link


@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_a_sparse_file_is_refused_and_what_follows_is_read(tmp_path, form):
    import subprocess

    with (tmp_path / "sparse").open("wb") as file:
        for number in range(60):
            file.seek(number << 17)
            file.write(b"data" * 1024)
    (tmp_path / "plain").write_bytes(b"plain")
    subprocess.run(
        ["tar", "--sparse", f"--format={form}", "-cf", "a.tar", "sparse", "plain"], cwd=tmp_path, check=True
    )
    assert troubles(tmp_path / "a.tar") == {"sparse": "a sparse file", "plain": None}
    archive = open_archive(str(tmp_path / "a.tar"))
    assert archive.read(list(archive.members())[1]) == b"plain"
    archive.close()


def checked(header):
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 256 + sum(header[156:512]))
    return header


def test_a_damaged_tar_is_one_line(tmp_path):
    path = tmp_path / "a.tar"
    data = tarred(path, tar_info("a/1.png", size=600), tar_info("a/é.png"), format=tarfile.PAX_FORMAT)
    negative = checked(data[:124] + b"\xff" * 11 + b"\x00" + data[136:512])
    huge = checked(data[:124] + b"\x80" + b"\x7f" * 11 + data[136:512])
    extended = checked(data[:124] + b"77777777777\0" + data[136:156] + b"x" + data[157:512])
    for changed, message in (
        (b"", "it ends too soon"),
        (b"x" * 512, "or it is no tar"),
        (data[:1000], "it ends too soon"),
        (data[: 512 + 1024], "it ends too soon"),
        (data[:1536] + b"junk" * 128 + data[2048:], "a header is damaged"),
        (negative + data[512:], "a size of -256 bytes"),
        (huge + data[512:], "it ends too soon"),
        (extended + data[512:], "a header of 8589934591 bytes"),
        (data.replace(b"path=", b"path\n"), None),
        (data.replace(b" path=", b"9path="), "a pax header is damaged"),
    ):
        path.write_bytes(changed)
        if message is None:
            troubles(path)
            continue
        with pytest.raises(InputError, match=rf"a\.tar isn't an archive that can be read \(.*{message}"):
            troubles(path)


def test_a_header_made_to_be_slow_is_not(tmp_path):
    info = tarfile.TarInfo("a.png")
    data = tarred(tmp_path / "a.tar", info)
    slow = b"2 " * (4 << 20) + b"="
    head = data[:512].copy()
    head[124:136], head[156:157] = b"%011o\0" % len(slow), b"x"
    (tmp_path / "a.tar").write_bytes(checked(head) + slow.ljust(-(-len(slow) // 512) * 512, b"\0") + data)
    with pytest.raises(InputError, match="a pax header is damaged"):
        troubles(tmp_path / "a.tar")


def test_a_bomb_and_a_full_disk_end_a_decompression(tmp_path, monkeypatch):
    inner = tmp_path / "a.tar"
    tarred(inner, tar_info("a.png", size=3 << 20))
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(inner.read_bytes()))
    folder = tmp_path / "temporary"
    folder.mkdir()
    plain = Path(decompressed(str(tmp_path / "a.tar.gz"), folder))
    assert plain.read_bytes() == inner.read_bytes()
    plain.unlink()
    monkeypatch.setattr(opening, "PLAIN_UP_TO", 1 << 20)
    with pytest.raises(InputError, match=r"a\.tar\.gz .*a bomb"):
        decompressed(str(tmp_path / "a.tar.gz"), folder)
    monkeypatch.undo()
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    monkeypatch.setattr(opening, "SPARE", free)
    with pytest.raises(StageError, match=r"has no room for .*a\.tar\.gz once decompressed"):
        decompressed(str(tmp_path / "a.tar.gz"), folder)
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_a_compressed_file_that_holds_no_tar_is_named(tmp_path):
    (tmp_path / "a.tar.bz2").write_bytes(bz2.compress(b"<html>" * 1000))
    with pytest.raises(InputError, match=rf"{tmp_path}/a\.tar\.bz2 isn't an archive .*no tar"):
        decompressed(str(tmp_path / "a.tar.bz2"), tmp_path)
