"""Several sources in one data set: where each goes, and what a changed list of them does."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import storage
from contracts.dataset import Source
from contracts.errors import InputError
from datapipeline.download.dataloader import dataloader

COMMAND = [sys.executable, "-m", "datapipeline.download.dataloader"]


def fill(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{folder.name}: {name}")
    return str(folder)


@pytest.fixture
def moths(tmp_path):
    """A folder; one in it has its name."""
    return fill(tmp_path / "moths", "atlas/1.PNG", "luna/1.Jpeg", "moths/atlas/1.PNG", "LUNA/1.png")


@pytest.fixture
def more(tmp_path):
    return fill(tmp_path / "more", "atlas/1.PNG", "io/2.jpg")


@pytest.fixture
def archive(tmp_path, zipped):
    (tmp_path / "x.zip").write_bytes(zipped(a=b"1"))
    return str(tmp_path / "x.zip")


@pytest.fixture(params=["local", "bucket"])
def output(request, tmp_path):
    return str(tmp_path / "raw") if request.param == "local" else request.getfixturevalue("bucket") + "/raw"


def names(output):
    return [file.name for file in storage.list_files(str(output))]


MOTHS = ["LUNA/1.png", "atlas/1.PNG", "luna/1.Jpeg", "moths/atlas/1.PNG"]
MORE = ["atlas/1.PNG", "io/2.jpg"]


def test_each_folder_goes_under_its_name_and_archives_stand_beside(moths, more, archive, output):
    source = dataloader([moths, archive, more, "digits"], output)
    assert [(one.uri, one.folder, one.licence, len(one.files)) for one in source.origins] == [
        (moths, "moths", None, 4),
        (archive, "", None, 1),
        (more, "more", None, 2),
        ("catalogue:digits", "", "CC BY 4.0", 1),
    ]
    files = [*(f"more/{name}" for name in MORE), *(f"moths/{name}" for name in MOTHS)]
    assert [file.name for file in source.files] == sorted(["digits.zip", *files, "x.zip"])
    assert names(output) == sorted([*(file.name for file in source.files), "source.json"])
    assert storage.read_bytes(storage.join(output, "more/atlas/1.PNG")) == b"more: atlas/1.PNG"
    assert dataloader([archive, more, "digits", moths], output) == source, "up to date in any order"


def test_a_source_that_is_added_is_all_that_is_fetched(tmp_path, moths, more, file_server, zipped):
    server, output = file_server(zipped(a=b"1")), tmp_path / "raw"
    address = f"{server.address}/y.zip"
    dataloader([address], str(output))
    inode = (output / "y.zip").stat().st_ino
    both = dataloader([address, more], str(output))
    assert (len(server.asked), (output / "y.zip").stat().st_ino) == (1, inode)
    assert names(output) == ["more/atlas/1.PNG", "more/io/2.jpg", "source.json", "y.zip"]
    three = dataloader([moths, address, more], str(output))
    assert three.origins[1:] == both.origins
    assert len(server.asked) == 1


def test_files_of_a_bucket_that_get_another_place_do_not_cross_again(tmp_path, moths, more, bucket):
    storage.upload_many(Path(more), MORE, f"{bucket}/more")
    output = tmp_path / "raw"
    dataloader(f"{bucket}/more", str(output))
    inodes = {name: (output / name).stat().st_ino for name in MORE}
    dataloader([f"{bucket}/more", moths], str(output))
    assert {name: (output / "more" / name).stat().st_ino for name in MORE} == inodes
    dataloader([f"{bucket}/more"], str(output))
    assert {name: (output / name).stat().st_ino for name in MORE} == inodes
    assert names(output) == [*MORE, "source.json"]


def test_a_source_that_is_left_out_takes_its_files_with_it(moths, more, archive, output):
    dataloader([moths, archive, more], output)
    source = dataloader([archive, moths], output)
    assert names(output) == sorted([*(f"moths/{name}" for name in MOTHS), "source.json", "x.zip"])
    assert [one.uri for one in source.origins] == [archive, moths]
    if not storage.is_remote(output):
        assert sorted(path.name for path in Path(output).iterdir()) == ["moths", "source.json", "x.zip"]


def test_what_somebody_changed_or_added_is_not_removed(moths, more, output):
    dataloader([moths, more], output)
    storage.write_bytes(storage.join(output, "more/io/2.jpg"), b"MORE: io/2.jpg")
    with pytest.raises(InputError, match=r"holds more/io/2.jpg, which is no longer wanted but was changed"):
        dataloader([moths], output)
    storage.write_bytes(storage.join(output, "more/io/3.jpg"), b"mine")
    with pytest.raises(InputError, match=r"holds more/io/3.jpg, which isn't of .*moths, .*more: choose"):
        dataloader([moths, more], output)
    assert len(Source.read(output).files) == 6
    storage.delete(storage.join(output, "more/io/3.jpg"))
    storage.write_bytes(storage.join(output, ".DS_Store"), b"left by a desktop")
    dataloader([moths, more], output)


def test_one_that_fails_leaves_the_others_for_the_next_run(moths, file_server, zipped, output):
    server = file_server(zipped(a=b"1"), canned=[(404, {}, b"")])
    with pytest.raises(InputError, match="404"):
        dataloader([moths, f"{server.address}/y.zip"], output)
    assert Source.read_if_there(output) is None
    with pytest.raises(InputError, match=r"holds .*moths, not catalogue:digits"):
        dataloader("digits", output)
    dataloader([moths, f"{server.address}/y.zip"], output)
    assert names(output) == sorted([*(f"moths/{name}" for name in MOTHS), "source.json", "y.zip"])


def test_a_run_killed_at_its_second_source_does_not_fetch_the_first_again(tmp_path, file_server, zipped):
    one, two = file_server(zipped(a=b"1")), file_server(zipped(b=os.urandom(300_000)), slowly=0.05)
    sources, output = [f"{one.address}/1.zip", f"{two.address}/2.zip"], tmp_path / "raw"
    arguments = ["--source", sources[0], "--source", sources[1], "--output", str(output)]
    with subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.DEVNULL) as process:
        partial = output / ".2.zip.partial"
        while not partial.exists() or partial.stat().st_size < 60_000:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    dataloader(sources, str(output))
    assert (len(one.asked), len(two.asked)) == (1, 2)
    assert two.asked[1][0] is not None, "the second goes on"
    assert sorted(path.name for path in output.iterdir()) == ["1.zip", "2.zip", "source.json"]
    assert (output / "2.zip").read_bytes() == two.data


@pytest.mark.parametrize("then", [["moths"], ["moths", "many"], ["many", "more"]])
def test_a_run_killed_while_it_adds_a_source_can_be_taken_back(tmp_path, moths, more, then):
    for number in range(3000):
        fill(tmp_path / "many", f"{number}.png")
    sources, output = {name: str(tmp_path / name) for name in ("moths", "more", "many")}, tmp_path / "raw"
    dataloader(moths, str(output))
    arguments = ["--source", moths, "--source", sources["many"], "--output", str(output)]
    with subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.DEVNULL) as process:
        while not (output / "many").exists() or len(list((output / "many").iterdir())) < 100:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert Source.read_if_there(str(output)) is None
    if "moths" not in then:
        with pytest.raises(InputError, match="choose another --output"):
            dataloader([sources[name] for name in then], str(output))
        then = ["moths", *then]
    dataloader([sources[name] for name in then], str(output))
    dataloader([sources[name] for name in then], str(tmp_path / "fresh"))
    assert tree(str(output)) == tree(str(tmp_path / "fresh"))


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["{tmp}/moths", "{tmp}/other/moths"], r"moths and .*other/moths would both be moths in the output"),
        (["http://h/a/x.zip", "{tmp}/x.zip"], r"a/x.zip and .*/x.zip would both be x.zip in the output"),
        (["digits", "digits"], "catalogue:digits and catalogue:digits would both be digits.zip"),
        (["{tmp}/moths", "flower"], "did you mean flowers?"),
        (["http://h/source.json"], "source.json is a name that listings pass over: rename it"),
        (["digits", "{tmp}/.moths"], r"/.moths: .moths is a name that listings pass over"),
        (["digits", "{tmp}"], "lies in the source"),
    ],
)
def test_bad_lists_are_one_clear_line(tmp_path, moths, archive, sources, message):
    fill(tmp_path / "other/moths", "1.png")
    fill(tmp_path / ".moths", "1.png")
    with pytest.raises(InputError, match=message):
        dataloader([source.format(tmp=tmp_path) for source in sources], str(tmp_path / "raw"))
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize(
    ("sources", "stated", "message"),
    [
        (["{tmp}/x.zip"], "abc", "--sha256 abc: expected 64 hexadecimal digits, got 3"),
        (["{tmp}/moths"], "0" * 64, "of none of the archives to fetch .there are none."),
        (
            ["{tmp}/x.zip", "digits"],
            "0" * 64,
            "of none of the archives to fetch .x.zip, digits.zip.: expected",
        ),
        (["{tmp}/x.zip"], "y.zip=" + "0" * 64, "of none of the archives to fetch .x.zip."),
        (["digits"], "0" * 64, "the catalogue states de16.*: leave it out"),
    ],
)
def test_a_sha256_of_nothing_is_refused(tmp_path, moths, archive, sources, stated, message):
    with pytest.raises(InputError, match=message):
        dataloader([s.format(tmp=tmp_path) for s in sources], str(tmp_path / "raw"), sha256=[stated])


def test_an_archive_that_is_no_download_is_checked_too(tmp_path, archive, bucket):
    storage.upload(Path(archive), f"{bucket}/x.zip")
    for source in (archive, f"{bucket}/x.zip"):
        with pytest.raises(storage.CorruptError, match=r"x.zip: expected \d+ bytes with sha256 0000"):
            dataloader(["digits", source], str(tmp_path / "raw"), sha256=["x.zip=" + "0" * 64])


lists = st.lists(st.lists(st.sampled_from(range(5)), min_size=1, unique=True), min_size=2, max_size=4)


@settings(max_examples=25, deadline=None)
@given(lists)
def test_however_the_list_changed_the_output_is_that_of_a_fresh_run(tmp_path_factory, zipped, changes):
    with tempfile.TemporaryDirectory() as place:
        pool = [
            fill(Path(place, "moths"), "1.png", "moths/1.png", "moths/moths/1.png"),
            fill(Path(place, "more"), "a/1.png", "a/2.png"),
            fill(Path(place, "b"), "more/a/1.png", "b/a/1.png"),
            fill(Path(place, "c"), "c", "a/c"),
            str(Path(place, "a")),
        ]
        Path(pool[-1]).write_bytes(zipped(a=b"1"))  # an archive with the name that is a folder elsewhere
        output, before = str(Path(place, "raw")), None
        for chosen in changes:
            sources = [pool[number] for number in chosen]
            if before and not before & set(chosen):
                with pytest.raises(InputError, match="choose another --output"):
                    dataloader(sources, output)
                continue
            changed, fresh = dataloader(sources, output), dataloader(sources, str(Path(place, "fresh")))
            assert changed.files == fresh.files
            assert tree(output) == tree(str(Path(place, "fresh")))
            shutil.rmtree(Path(place, "fresh"))
            before = set(chosen)


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.is_file()
        and path.name != "source.json"
        and path.read_bytes()
        for path in Path(folder).rglob("*")
    }
