"""Downloads from a server that misbehaves in every way it can; the bytes are right or nothing is there."""

import contextlib
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import storage
from contracts.dataset import Source
from contracts.errors import InputError, StageError
from datapipeline.download import patience, transfer
from datapipeline.download.dataloader import dataloader

COMMAND = [sys.executable, "-m", "datapipeline.download.dataloader"]
DATE = "Sat, 01 Jan 2000 00:00:00 GMT"
CUT = 40_000


@pytest.fixture(scope="module")
def data(zipped):
    return zipped(a=os.urandom(100_000))


@pytest.fixture
def raw(tmp_path):
    return tmp_path / "root/raw"


def run(address, output, *more):
    return subprocess.run(
        [*COMMAND, "--source", address, "--output", str(output), *more], capture_output=True, text=True
    )


def entry(folder, address, data, sha256=None):
    folder.mkdir(exist_ok=True)
    (folder / "moths.toml").write_text(
        f'description = "moths"\nurl = "{address}/x.zip"\nbytes = {len(data)}\n'
        f'licence = "CC0"\ncitation = "me"\nsha256 = "{sha256 or hashlib.sha256(data).hexdigest()}"\n'
    )
    return folder


def everything(folder: Path):
    """All names below a folder, the hidden ones that listings skip too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def is_fetched(folder, data):
    return everything(folder) == ["source.json", "x.zip"] and (folder / "x.zip").read_bytes() == data


class TestHonestServer:
    @pytest.mark.parametrize("where", ["local", "bucket"])
    def test_an_address_and_a_catalogue_entry(self, request, tmp_path, file_server, data, where):
        output = str(tmp_path / "raw") if where == "local" else request.getfixturevalue("bucket") + "/raw"
        server = file_server(data)
        source = dataloader(address := f"{server.address}/some%20photos.zip?x=1", output)
        assert [(one.uri, one.licence) for one in source.origins] == [(address, None)]
        assert source.files[0].sha256 == hashlib.sha256(data).hexdigest()
        assert storage.read_bytes(storage.join(output, "some photos.zip")) == data
        assert dataloader(address, output) == source
        assert len(server.asked) == 1, "up to date, so nothing is asked"

        source = dataloader("moths", output + "-2", entry(tmp_path / "known", server.address, data))
        assert [(one.uri, one.licence) for one in source.origins] == [(f"{server.address}/x.zip", "CC0")]
        assert [file.name for file in storage.list_files(output + "-2")] == ["source.json", "x.zip"]

    def test_a_password_is_not_written_down(self, raw, file_server, data):
        server = file_server(data, cut=CUT)
        address = f"{server.address.replace('//', '//me:secret@')}/x.zip"
        server.then = lambda _: [
            "secret" not in path.read_text("latin-1") or pytest.fail(str(path))
            for path in raw.iterdir()
            if path.is_file()
        ]
        dataloader(address, str(raw))
        assert "secret" not in (raw / "source.json").read_text()

    def test_a_stated_sha256(self, raw, file_server, data):
        server, digest = file_server(data), hashlib.sha256(data).hexdigest()
        dataloader(f"{server.address}/x.zip", str(raw), sha256=[digest.upper()])
        (raw / "source.json").unlink()
        dataloader(f"{server.address}/x.zip", str(raw), sha256=[f"x.zip={digest}"])
        assert is_fetched(raw, data)
        assert len(server.asked) == 1, "the file that is there has that sha256"

    def test_a_wrong_sha256_is_refused_and_nothing_stays(self, raw, tmp_path, file_server, data):
        server = file_server(data)
        wrong = rf"expected {len(data)} bytes with sha256 0000.*, got {len(data)}"
        with pytest.raises(StageError, match=wrong):
            dataloader("moths", str(raw), entry(tmp_path / "known", server.address, data, "0" * 64))
        with pytest.raises(StageError, match=wrong):
            dataloader(f"{server.address}/x.zip", str(raw), sha256=["0" * 64])
        assert len(server.asked) == 2
        assert not raw.parent.exists()

    def test_another_size_than_the_catalogue_has_is_refused_before_the_body(
        self, raw, tmp_path, file_server, data
    ):
        known = entry(tmp_path / "known", file_server(data + b"x", slowly=60).address, data)
        with pytest.raises(StageError, match=f"expected {len(data)} bytes, the server has {len(data) + 1}"):
            dataloader("moths", str(raw), known)
        assert not raw.parent.exists()


class TestKilled:
    @pytest.mark.parametrize("validators", [{}, {"etag": None, "last_modified": DATE}])
    def test_the_rest_is_asked_for(self, raw, file_server, zipped, validators):
        data = zipped(a=os.urandom(400_000))
        server = file_server(data, slowly=0.05, **validators)
        kept = self.kill_midway(server, raw)
        assert everything(raw) == [".x.zip.partial", ".x.zip.state.partial"]
        assert list(storage.iter_files(str(raw))) == [], "listings don't show what isn't whole"
        result = run(f"{server.address}/x.zip", raw)
        assert result.returncode == 0, result.stderr
        assert server.asked == [(None, None), (f"bytes={kept}-", server.etag or DATE)]
        assert is_fetched(raw, data)

    def test_a_file_that_changed_in_between_is_fetched_anew(self, raw, file_server, zipped):
        server = file_server(zipped(a=os.urandom(400_000)), slowly=0.05)
        self.kill_midway(server, raw)
        server.data, server.etag, server.slowly = zipped(a=os.urandom(300_000)), '"two"', 0
        dataloader(f"{server.address}/x.zip", str(raw))
        assert is_fetched(raw, server.data)

    def test_what_is_whole_already_is_not_fetched_again(self, raw, file_server, zipped):
        data = zipped(a=os.urandom(400_000))
        server = file_server(data, slowly=0.05)
        kept = self.kill_midway(server, raw)
        with (raw / ".x.zip.partial").open("ab") as file:
            file.write(data[kept:])
        dataloader(f"{server.address}/x.zip", str(raw))
        assert (is_fetched(raw, data), server.asked[1:]) == (True, [(f"bytes={len(data)}-", '"one"')])

    def test_bytes_that_went_bad_on_the_disk_are_found_out(self, raw, tmp_path, file_server, zipped):
        data = zipped(a=os.urandom(400_000))
        server = file_server(data, slowly=0.05)
        kept = self.kill_midway(server, raw)
        server.slowly = 0
        (raw / ".x.zip.partial").write_bytes(bytes(kept))
        dataloader(f"{server.address}/x.zip", str(raw), sha256=[hashlib.sha256(data).hexdigest()])
        assert is_fetched(raw, data)
        assert [wanted for wanted, _ in server.asked[1:]] == [f"bytes={kept}-", None]

    def test_what_was_kept_of_another_address_is_not_used(self, raw, file_server, zipped):
        server = file_server(zipped(a=os.urandom(400_000)), slowly=0.05)
        self.kill_midway(server, raw)
        server.slowly = 0
        dataloader(f"{server.address}/other/x.zip", str(raw))
        assert (is_fetched(raw, server.data), server.asked[-1]) == (True, (None, None))

    def kill_midway(self, server, raw):
        partial = raw / ".x.zip.partial"
        with subprocess.Popen(
            [*COMMAND, "--source", f"{server.address}/x.zip", "--output", raw], stderr=subprocess.DEVNULL
        ) as process:
            while not partial.exists() or partial.stat().st_size < 100_000:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        return partial.stat().st_size


@pytest.mark.usefixtures("no_waiting")
class TestCutBodies:
    def test_each_piece_follows_the_last(self, raw, file_server, data):
        server = file_server(data, cut=CUT)
        dataloader(f"{server.address}/x.zip", str(raw))
        assert is_fetched(raw, data)
        assert server.asked == [(None, None), ("bytes=40000-", '"one"'), ("bytes=80000-", '"one"')]

    def test_a_reset_and_a_standstill_are_breaks_too(self, raw, file_server, data, monkeypatch):
        monkeypatch.setattr(patience, "PATIENCE", replace(patience.PATIENCE, timeout=(1, 0.3)))
        server = file_server(data, cut=CUT, reset=True)

        def stand_still(server):
            server.cut, server.reset, server.slowly = None, False, 1 if len(server.asked) == 1 else 0

        server.then = stand_still
        dataloader(f"{server.address}/x.zip", str(raw))
        assert is_fetched(raw, data)
        assert [wanted for wanted, _ in server.asked[:3]] == [None, "bytes=40000-", "bytes=60000-"]
        assert all(if_range == '"one"' for _, if_range in server.asked[1:])

    def test_progress_renews_the_patience(self, raw, file_server, data):
        server = file_server(data, cut=5000)  # breaks off 20 times, of which 6 without progress are too many
        dataloader(f"{server.address}/x.zip", str(raw))
        assert is_fetched(raw, data)

    @pytest.mark.parametrize(
        "how",
        [
            {"ranges": False},
            {"etag": 'W/"one"'},
            {"etag": None},
            {"etag": None, "last_modified": "lately"},
            {"etag": None, "last_modified": "Fri, 01 Jan 2100 00:00:00 GMT"},  # no second before its answer
        ],
    )
    def test_where_nothing_can_be_resumed_it_starts_again_and_keeps_nothing(
        self, raw, file_server, data, how
    ):
        server = file_server(data, cut=CUT, **how)
        with pytest.raises(StageError, match=rf"x.zip broke off 6 times, after {CUT} bytes at most"):
            dataloader(f"{server.address}/x.zip", str(raw))
        assert raw.exists() == ("ranges" in how), "only a validator makes the piece worth keeping"
        server.cut = None
        dataloader(f"{server.address}/x.zip", str(raw))
        assert is_fetched(raw, data)

    def test_a_weak_etag_gives_way_to_the_date(self, raw, file_server, data):
        server = file_server(data, cut=CUT, etag='W/"one"', last_modified=DATE)
        dataloader(f"{server.address}/x.zip", str(raw))
        assert (is_fetched(raw, data), server.asked[1]) == (True, ("bytes=40000-", DATE))

    def test_a_stated_sha256_does_without_validators(self, raw, file_server, data):
        server = file_server(data, cut=CUT, etag=None)
        dataloader(f"{server.address}/x.zip", str(raw), sha256=[hashlib.sha256(data).hexdigest()])
        assert (is_fetched(raw, data), server.asked[1]) == (True, ("bytes=40000-", None))

    def test_a_file_that_changes_midway(self, raw, file_server, data, zipped):
        server, new = file_server(data, cut=CUT), zipped(b=os.urandom(70_000))

        def change(server):
            if len(server.asked) == 2:
                server.data, server.etag = new, '"two"'

        server.then = change
        dataloader(f"{server.address}/x.zip", str(raw))
        assert is_fetched(raw, new)

    @pytest.mark.parametrize(
        "piece",
        [
            {"Content-Range": "bytes 0-99/100", "ETag": '"one"'},
            {"Content-Range": "bytes 40000-40099/40100"},
            {"Content-Range": "bytes {start}-{end}/{size}", "ETag": '"two"'},
            {"Content-Range": "bytes 3-8/*", "ETag": '"one"'},
            {"Content-Range": "nonsense"},
            {},
        ],
    )
    def test_a_piece_of_something_else_is_not_glued_on(self, raw, file_server, data, piece):
        where = {"start": CUT, "end": len(data) - 1, "size": len(data)}
        piece = {key: value.format(**where) for key, value in piece.items()}
        server = file_server(data, canned=[(200, {"ETag": '"one"', "Content-Length": str(len(data))}, data)])
        server.cut = CUT

        def lie(server):
            server.cut, server.then = None, lambda _: None
            server.canned.append((206, piece, b"x" * (len(data) - CUT)))

        server.then = lie
        dataloader(f"{server.address}/x.zip", str(raw))
        assert is_fetched(raw, data)
        assert [wanted for wanted, _ in server.asked] == [None, "bytes=40000-", None]

    def test_416_after_the_file_shrank(self, raw, file_server, data, zipped):
        server, new = file_server(data, cut=CUT), zipped(b=b"small")

        def shrink(server):
            server.data, server.cut = new, None  # and the ETag stays

        server.then = shrink
        dataloader(f"{server.address}/x.zip", str(raw))
        assert (is_fetched(raw, new), len(server.asked)) == (True, 3)

    def test_midway_a_server_may_be_gone_or_busy_for_a_while(self, raw, file_server, data):
        server = file_server(data, cut=CUT)

        def fail(server):
            server.canned = [(503, {}, b"")] * 8 if len(server.asked) == 1 else server.canned

        server.then = fail
        dataloader(f"{server.address}/x.zip", str(raw))
        assert is_fetched(raw, data)


class TestLiesAboutTheLength:
    @pytest.mark.usefixtures("no_waiting")
    def test_more_is_told_than_comes(self, raw, file_server, data):
        server = file_server(data, stated=len(data) + 5, ranges=False)
        with pytest.raises(StageError, match=r"broke off 6 times.*5 more expected"):
            dataloader(f"{server.address}/x.zip", str(raw))
        assert not (raw / "x.zip").exists()
        server.ranges, server.stated = True, None
        dataloader(f"{server.address}/x.zip", str(raw))
        assert server.asked[-1] == (f"bytes={len(data)}-", '"one"'), "whose answer, 416, has the true size"
        assert is_fetched(raw, data)

    @pytest.mark.parametrize("packing", ["zip", "tar", "gz", "bz2", "xz"])
    def test_less_is_told_than_the_file_has(self, raw, file_server, data, packing):
        body = data if packing == "zip" else tarred(packing.replace("tar", ""), a=os.urandom(100_000))
        server = file_server(body, stated=len(body) - 20_000)
        with pytest.raises(InputError, match=r"x\.zip (is a zip without its end|stops before its end)"):
            dataloader(f"{server.address}/x.zip", str(raw))
        assert not raw.parent.exists()
        server.stated = None
        dataloader(f"{server.address}/x.zip", str(raw))
        assert is_fetched(raw, body)


class TestAnswers:
    @pytest.mark.usefixtures("no_waiting")
    def test_a_busy_server_is_asked_again(self, raw, file_server, data):
        canned = [(503, {"Retry-After": "0"}, b""), (429, {"Retry-After": "0"}, b""), (502, {}, b"")]
        server = file_server(data, canned=canned)
        dataloader(f"{server.address}/x.zip", str(raw))
        assert (is_fetched(raw, data), len(server.asked)) == (True, 4)

    def test_retry_after_is_waited_for(self, raw, file_server, data):
        server, began = file_server(data, canned=[(503, {"Retry-After": "1"}, b"")]), time.monotonic()
        dataloader(f"{server.address}/x.zip", str(raw))
        assert time.monotonic() - began >= 1
        assert is_fetched(raw, data)

    @pytest.mark.usefixtures("no_waiting")
    def test_one_that_stays_busy_fails(self, raw, file_server, data):
        server = file_server(data, canned=[(503, {}, b"")] * 20)
        with pytest.raises(StageError, match=r"x.zip answered 503 Service Unavailable: try again later"):
            dataloader(f"{server.address}/x.zip", str(raw))
        assert not raw.parent.exists()

    @pytest.mark.parametrize("answer", [(404, {}, b""), (206, {"Content-Range": "bytes 0-0/1"}, b"x")])
    def test_what_is_no_file_is_bad_input(self, raw, file_server, data, answer):
        server = file_server(data, canned=[answer])
        result = run(f"{server.address}/x.zip", raw)
        assert result.returncode == 2
        assert re.search(r"x\.zip answered \d{3} .*: check the address", result.stderr.splitlines()[-1])
        assert not raw.parent.exists()

    def test_a_page_instead_of_an_archive_is_refused(self, raw, file_server):
        server = file_server(b"<!doctype html>Please log in")
        with pytest.raises(InputError, match=r"x.zip is no archive.*starts with b'<!doctype html"):
            dataloader(f"{server.address}/x.zip", str(raw))
        assert not raw.parent.exists()

    def test_nobody_there(self, raw):
        with pytest.raises(storage.UnreachableError, match=r"can't be reached: check the address.*refused"):
            dataloader("http://127.0.0.1:9/x.zip", str(raw))
        assert not raw.parent.exists()

    def test_no_room(self, raw, file_server, data, monkeypatch):
        monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 99}))
        with pytest.raises(StageError, match=rf"has no room for {len(data)} bytes more: make some and run"):
            dataloader(f"{file_server(data).address}/x.zip", str(raw))
        assert not raw.parent.exists()


FAULTS = st.fixed_dictionaries(
    {},
    optional={
        "cut": st.integers(0, 6000),
        "reset": st.just(True),
        "ranges": st.just(False),
        "etag": st.sampled_from([None, 'W/"same"']),
        "last_modified": st.just(None),
        "stated": st.integers(1, 6000),
        "changes": st.just(True),
        "canned": st.sampled_from(
            [(503, {}, b"busy"), (416, {}, b""), (206, {"Content-Range": "bytes 3-5/9"}, b"xyz")]
        ),
    },
)


@pytest.mark.usefixtures("no_waiting")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FAULTS, max_size=8))
def test_whatever_the_answers_what_lands_is_one_whole_version(file_server, zipped, faults):
    versions = [zipped(a=os.urandom(size)) for size in (5000, 4000, 5000, 4500)]
    dates = [DATE.replace("2000", str(2000 + number)) for number in range(4)]
    server, left = file_server(versions[0], last_modified=DATE), list(faults)

    def next_answer(server):
        fault = left.pop(0) if left else {}
        if fault.get("changes"):
            server.data = versions[(versions.index(server.data) + 1) % len(versions)]
        version = versions.index(server.data)
        server.cut, server.ranges, server.stated = (
            fault.get("cut"),
            fault.get("ranges", True),
            fault.get("stated"),
        )
        server.reset = fault.get("reset", False)
        server.etag = fault.get("etag", f'"{version}"')
        server.last_modified = fault.get("last_modified", dates[version])
        server.canned = [fault["canned"]] if "canned" in fault else []

    server.then = next_answer
    next_answer(server)
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "raw")
        for _ in range(len(faults) + 1):
            with contextlib.suppress(InputError, StageError):
                dataloader(f"{server.address}/x.zip", str(raw))
                break
            assert not (raw / "x.zip").exists()
        else:
            pytest.fail("the last answers are honest")
        assert everything(raw) == ["source.json", "x.zip"]
        assert (raw / "x.zip").read_bytes() in versions


def test_two_runs_do_not_write_one_file(raw, file_server, data):
    server = file_server(data, slowly=0.9)
    command = [*COMMAND, "--source", f"{server.address}/x.zip", "--output", raw]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as first:
        while not server.asked:
            time.sleep(0.01)
        second = run(f"{server.address}/x.zip", raw)
        assert (second.returncode, len(server.asked)) == (1, 1)
        assert "another run is working in" in second.stderr
        assert first.wait() == 0
        assert json.loads(first.stderr.read().splitlines()[-1])["event"] == "fetched"
    assert Source.read(str(raw)).files[0].bytes == len(data)


def tarred(packing, **members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{packing}") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(f"{name}/0.png")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
