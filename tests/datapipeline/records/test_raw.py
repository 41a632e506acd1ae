import io
import tarfile
import zipfile

import pytest
from PIL import Image

from contracts import storage
from contracts.errors import InputError
from datapipeline.records.archives import UnreadableError
from datapipeline.records.raw import RawFolder


def images(raw):
    return list(raw.images())


def rejected(raw):
    return dict(raw.table.rejected())


def members(flowers):
    return sorted(path for path in flowers.rglob("*") if path.is_file())


def pack(flowers, target):
    """All of `flowers` as an archive of the kind that the target's name says."""
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            for path in members(flowers):
                archive.write(path, path.relative_to(flowers))
            archive.writestr("__MACOSX/photos/rose/._000.png", b"junk")
    else:
        kind = {"tar": "", "gz": "gz", "tgz": "gz", "bz2": "bz2", "xz": "xz"}[target.name.rsplit(".", 1)[1]]
        with tarfile.open(target, f"w:{kind}") as archive:
            for path in members(flowers):
                archive.add(path, f"./{path.relative_to(flowers)}")
    return target


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tar.xz"])
@pytest.mark.parametrize("direct", [True, False])
def test_an_archive_holds_what_the_folder_holds(flowers, tmp_path, name, direct):
    archive = pack(flowers, tmp_path / name)
    with RawFolder(str(flowers)) as plain, RawFolder(str(archive if direct else tmp_path)) as packed:
        assert len(images(plain)) == 120
        assert {image.class_name for image in images(packed)} == {"daisy", "rose", "tulip"}
        assert sorted(image.path for image in images(packed)) == sorted(
            f"{name}::{image.path}" for image in images(plain)
        )
        for image in images(plain):
            assert packed.read(f"{name}::{image.path}") == plain.read(image.path)
        assert not rejected(plain)
        assert not rejected(packed)
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing is unpacked beside it"


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar"])
@pytest.mark.parametrize("fetch", [True, False])
def test_archives_in_a_bucket_are_read(flowers, tmp_path, bucket, name, fetch):
    storage.upload(pack(flowers, tmp_path / name), f"{bucket}/raw/{name}")
    with RawFolder(f"{bucket}/raw", fetch=fetch) as remote, RawFolder(str(tmp_path)) as local:
        assert images(remote) == images(local)
        assert remote.digest() == local.digest()
        path = images(local)[50].path
        assert remote.read(path) == local.read(path)


def test_what_is_no_image_is_named_and_papers_are_not(tmp_path):
    for name in ("rose/1.png", "top.png", "rose/notes.docx", "README.md", "rose/LICENSE", "source.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "license.zip", "w") as archive:
        for name in (
            "../rose/2.png",
            "/rose/3.png",
            "rose/inner.zip",
            "rose\\4.png",
            "rose/license_plate.png",
        ):
            archive.writestr(name, b"x")
    with RawFolder(str(tmp_path)) as raw:
        found = sorted(image.path for image in images(raw))
        assert found == [
            "license.zip::rose/4.png",
            "license.zip::rose/license_plate.png",
            "rose/1.png",
            "rose/notes.docx",  # its bytes will tell
        ]
        assert raw.class_names == {"rose"}
        assert rejected(raw) == {
            "top.png": "in no class folder",
            "license.zip::../rose/2.png": "a path that leads out of its folder",
            "license.zip::/rose/3.png": "a path that leads out of its folder",
            "license.zip::rose/inner.zip": "an archive inside an archive",
        }


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
def test_what_is_no_archive_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"<html>Sign in to download</html>" * 100)
    with pytest.raises(InputError, match=r"isn't an archive that can be read"), RawFolder(str(tmp_path)):
        pass


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_a_download_that_broke_off_is_refused(flowers, tmp_path, name):
    whole = pack(flowers, tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"isn't an archive that can be read"), RawFolder(str(tmp_path)):
        pass


def test_a_damaged_member_does_not_spoil_the_rest(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("rose/1.png", b"A" * 100)
        archive.writestr("rose/2.png", b"B" * 100)
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace(b"A" * 100, b"A" * 99 + b"C"))
    with RawFolder(str(tmp_path)) as raw:
        assert raw.read("a.zip::rose/2.png") == b"B" * 100
        with pytest.raises(UnreadableError, match="damaged"):
            raw.read("a.zip::rose/1.png")


def test_links_in_a_tar_lead_nowhere(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("rose/1.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        plain = tarfile.TarInfo("rose/2.png")
        plain.size = 3
        archive.addfile(plain, io.BytesIO(b"abc"))
    with RawFolder(str(tmp_path)) as raw:
        assert [image.path for image in images(raw)] == ["a.tar::rose/2.png"]
        assert list(rejected(raw).values()) == ["a link or a device"]


def test_the_digest_notices_an_edit_that_keeps_the_size(raw):
    with RawFolder(str(raw)) as folder:
        before = folder.digest()
    (raw / "photos" / "LICENSE.txt").write_text("a paper, of no account")
    with RawFolder(str(raw)) as folder:
        assert folder.digest() == before
    image = raw / "photos/rose/000.png"
    image.write_bytes(image.read_bytes()[:-1] + b"?")
    with RawFolder(str(raw)) as folder:
        assert folder.digest() != before


def test_a_damaged_member_is_rejected_and_a_damaged_directory_refused(tmp_path):
    png = png_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_BZIP2) as archive:
        for name in ("a/good.png", "a/bad.png", ".", "a/b\rc.png"):
            archive.writestr(name, png)
        offset = archive.getinfo("a/bad.png").header_offset
    data = bytearray((tmp_path / "a.zip").read_bytes())
    start = offset + 30 + len("a/bad.png") + 20  # inside the member's compressed bytes
    data[start] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(data)
    with RawFolder(str(tmp_path / "a.zip")) as raw:
        reasons = {path.rpartition("::")[2]: reason for path, reason in rejected(raw).items()}
        assert reasons["a/b\\rc.png"] == "a name with control characters"
        paths = {image.path.rpartition("::")[2]: image.path for image in images(raw)}
        assert raw.read(paths["a/good.png"]) == png
        with pytest.raises(UnreadableError, match="damaged in its archive"):
            raw.read(paths["a/bad.png"])


def test_a_member_whose_own_header_has_a_bad_name_is_unreadable(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/bad.png", b"x")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[6:8] = (0x800).to_bytes(2, "little")  # says that the name is UTF-8
    data[30] = 0xFF
    (tmp_path / "a.zip").write_bytes(data)
    with RawFolder(str(tmp_path)) as raw, pytest.raises(UnreadableError, match="damaged in its archive"):
        raw.read("a.zip::a/bad.png")


def png_bytes():
    file = io.BytesIO()
    Image.new("L", (9, 9)).save(file, "PNG")
    return file.getvalue()
