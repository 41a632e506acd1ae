"""One behaviour over local paths and a bucket, and what only a network can do wrong."""

import gc
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import google_crc32c
import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contracts import storage
from contracts.errors import InputError
from contracts.storage import gcs, gcs_access, gcs_parts, gcs_transfer, gcs_wire

SRC = Path(__file__).parents[2] / "src"

per_example = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(params=["local", "gcs"])
def root(request, tmp_path):
    """A folder that isn't there yet: a path, or a prefix of a bucket."""
    if request.param == "local":
        return str(tmp_path / "root")
    return storage.join(request.getfixturevalue("bucket"), "some/root")


class TestEveryBackend:
    @per_example
    @given(data=st.binary(max_size=500), name=st.text("aZ9 é#?%+&=_-", min_size=1, max_size=12))
    @example(data=b"\r\n--=\r\n\x00\n", name="ends with newlines")
    def test_bytes_come_back_under_any_name(self, root, data, name):
        uri = storage.join(root, f"a/x{name}x")
        written = storage.write_bytes(uri, data)
        assert storage.read_bytes(uri) == data
        assert written == storage.stat(uri)
        assert (written.name, written.bytes) == (f"x{name}x", len(data))

    def test_a_failing_block_publishes_nothing(self, root):
        uri = storage.join(root, "index.json")
        storage.write_bytes(uri, b"old")
        with pytest.raises(ZeroDivisionError), storage.writing(uri) as path:
            path.write_bytes(b"new, half of")
            raise ZeroDivisionError
        assert storage.read_bytes(uri) == b"old"
        assert [file.name for file in storage.list_files(root)] == ["index.json"]

    def test_a_killed_writer_publishes_nothing(self, root):
        uri = storage.join(root, "shard.tfrecord")
        storage.write_bytes(storage.join(root, "other"), b"")
        code = (
            "import sys; from contracts import storage\n"
            f"with storage.writing({uri!r}) as path: path.write_bytes(b'half'); print(flush=True); input()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as writer:
            writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
        assert not storage.exists(uri)
        assert [file.name for file in storage.list_files(root)] == ["other"]
        with storage.writing(uri) as path:
            path.write_bytes(b"whole")
        assert storage.read_bytes(uri) == b"whole"

    def test_listings_are_sorted_relative_and_deep(self, root):
        for name in ("b.txt", "a/2", "a/10", "a.txt"):
            storage.write_bytes(storage.join(root, name), name.encode())
        storage.write_bytes(root + "-beside/c", b"")
        assert [(file.name, file.bytes) for file in storage.list_files(root)] == [
            ("a.txt", 5),
            ("a/10", 4),
            ("a/2", 3),
            ("b.txt", 5),
        ]
        assert [file.name for file in storage.list_files(root + "/a/")] == ["10", "2"]

    def test_a_listing_streams(self, root):
        for number in range(5):
            storage.write_bytes(storage.join(root, f"{number % 2}/{number}"), b"x")
        files = storage.iter_files(root)
        assert next(files).bytes == 1
        assert len(list(files)) == 4
        with pytest.raises(storage.NotFoundError, match="absent doesn't exist"):
            storage.iter_files(storage.join(root, "absent"))  # at once, not at the first file

    def test_what_is_not_there_is_named(self, root, tmp_path):
        storage.write_bytes(storage.join(root, "folder/file"), b"")
        missing = storage.join(root, "absent")
        for verb in (storage.stat, storage.read_bytes, storage.open_read, storage.list_files):
            with pytest.raises(storage.NotFoundError, match="absent doesn't exist"):
                verb(missing)
        with pytest.raises(storage.NotFoundError, match="absent doesn't exist"):
            storage.download_many(root, ["folder/file", "absent"], tmp_path / "into")
        assert not storage.exists(storage.join(root, "folder")), "a folder is no file"
        storage.delete(missing)

    def test_create_only_if_absent(self, root):
        uri = storage.join(root, "champion.json")
        storage.write_bytes(uri, b"first", if_generation_match=0)
        if not storage.is_remote(uri):  # the emulator enforces no preconditions: see the 412 below
            with pytest.raises(storage.ConflictError, match="written by somebody else"):
                storage.write_bytes(uri, b"second", if_generation_match=0)
        assert storage.read_bytes(uri) == b"first"

    def test_many_files_cross_and_only_what_differs_again(self, root, tmp_path):
        names = [f"{number % 3}/{number:02d}.bin" for number in range(9)]
        source, target = tmp_path / "source", tmp_path / "target"
        for name in names:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(os.urandom(100))
        storage.upload_many(source, names, root)
        storage.download_many(root, names, target)
        assert all((target / name).read_bytes() == (source / name).read_bytes() for name in names)

        (target / names[0]).write_bytes(b"other")
        (target / names[1]).unlink()
        before = {name: (target / name).stat().st_ino for name in names[2:]}
        generations = {file.name: file.generation for file in storage.list_files(root)}
        storage.download_many(root, names, target)
        assert all((target / name).read_bytes() == (source / name).read_bytes() for name in names)
        assert {name: (target / name).stat().st_ino for name in names[2:]} == before

        storage.upload_many(source, names, root)
        assert {file.name: file.generation for file in storage.list_files(root)} == generations
        assert not list(tmp_path.rglob("*.partial"))

    def test_a_member_is_read_out_of_an_archive_in_place(self, root, monkeypatch):
        monkeypatch.setattr(gcs, "READ_AHEAD", 8192)
        members = {f"{number}.bin": os.urandom(5000) for number in range(20)}
        uri = storage.join(root, "photos.zip")
        with storage.writing(uri) as path, zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        with storage.open_read(uri) as file, zipfile.ZipFile(file) as archive:
            for name in reversed(members):
                assert archive.read(name) == members[name]
        with storage.open_read(uri) as file:
            whole = file.read()
            assert (len(whole), file.read(), file.seek(-3, os.SEEK_END)) == (
                storage.stat(uri).bytes,
                b"",
                len(whole) - 3,
            )
            assert file.read(10) == whole[-3:]
            with pytest.raises(OSError, match="Errno 22"):
                file.seek(-len(whole) - 1, os.SEEK_END)

    def test_a_local_copy_of_a_file_and_of_a_folder(self, root):
        storage.write_bytes(storage.join(root, "a/b"), b"x")
        with storage.local_copy(root) as folder, storage.local_copy(storage.join(root, "a/b")) as file:
            assert ((folder / "a/b").read_bytes(), file.read_bytes()) == (b"x", b"x")
        with pytest.raises(storage.NotFoundError), storage.local_copy(storage.join(root, "c")):
            pass


WRITER = """
import sys, time
from contracts import storage
with storage.writing(sys.argv[1]) as path:
    path.write_bytes(b'half')
    print(flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_writer_left_goes_and_what_a_live_one_writes_stays(tmp_path):
    uri = str(tmp_path / "shard.tfrecord")
    command = [sys.executable, "-c", WRITER, uri]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as dead, subprocess.Popen(command, **pipes) as live:
        dead.stdout.readline()
        live.stdout.readline()
        dead.kill()
        dead.wait()
        (tmp_path / ".somebody's.partial").touch()
        storage.write_bytes(str(tmp_path / "other"), b"")
        assert sorted(path.name.count("-") for path in tmp_path.glob(".*.partial")) == [0, 1]
        live.communicate(b"")
    assert storage.read_bytes(uri) == b"half"
    assert [path.name for path in tmp_path.glob(".*")] == [".somebody's.partial"]


def test_links_to_files_are_listed_and_links_to_folders_are_not_followed(tmp_path):
    (tmp_path / "root/a").mkdir(parents=True)
    (tmp_path / "outside").write_bytes(b"12345")
    (tmp_path / "root/a/.x.1.partial").touch()
    (tmp_path / "root/a/link").symlink_to(tmp_path / "outside")
    (tmp_path / "root/loop").symlink_to(tmp_path / "root")
    (tmp_path / "root/broken").symlink_to(tmp_path / "nothing")
    assert [(file.name, file.bytes) for file in storage.list_files(str(tmp_path / "root"))] == [("a/link", 5)]


def test_an_object_comes_whatever_address_the_emulator_had_for_its_writer(gcs_emulator, bucket, tmp_path):
    # Host and containers call one emulator by different names, and an object's link keeps its writer's.
    requests.post(
        f"{gcs_emulator}/upload/storage/v1/b/{bucket.removeprefix('gs://')}/o",
        params={"uploadType": "media", "name": "a"},
        data=b"bytes",
        headers={"Host": "storage.invalid:9023"},
        timeout=10,
    ).raise_for_status()
    storage.download(storage.join(bucket, "a"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"bytes"


def test_a_large_object_comes_and_goes_in_chunks(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(gcs_transfer, "CHUNK", 1 << 18)
    monkeypatch.setattr(gcs_parts, "PART", 1 << 18)
    for module, name in ((gcs_transfer, "LARGE"), (gcs_wire, "SMALL")):
        monkeypatch.setattr(module, name, 1 << 19)
    data = os.urandom(1_000_000)
    (tmp_path / "large").write_bytes(data)
    uri = storage.join(bucket, "large")
    assert storage.upload(tmp_path / "large", uri).crc32c == storage.checksum(tmp_path / "large")
    storage.download(uri, tmp_path / "one")
    storage.download_many(bucket, ["large"], tmp_path / "many")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "many/large").read_bytes() == data


@given(one=st.binary(max_size=50), other=st.binary(max_size=50))
def test_checksums_of_parts_join_into_the_whole_ones(one, other):
    parts = google_crc32c.value(one), google_crc32c.value(other)
    assert gcs_parts.joined(*parts, len(other)) == google_crc32c.value(one + other)


@pytest.fixture
def between(loopback, bucket, gcs_emulator, monkeypatch):
    """Put a function between client and emulator: it may change each request and its answer."""

    def put(change):
        def answer(request, body):
            def forward(body):
                response = requests.request(
                    request.command,
                    gcs_emulator + request.path,
                    headers=request.headers,
                    data=body,
                    timeout=10,
                )
                kept = {"Content-Type", "Content-Range", "X-Goog-Hash", "Location"}
                headers = {key: value for key, value in response.headers.items() if key in kept}
                return response.status_code, headers, response.content

            return change(request, body, forward)

        monkeypatch.setenv(gcs_access.EMULATOR, loopback(answer))
        return bucket

    return put


def flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("hash_sent", [True, False])
def test_bytes_damaged_on_the_way_down_are_noticed(between, tmp_path, hash_sent):
    def damage(request, body, forward):
        status, headers, content = forward(body)
        if "alt=media" in request.path:
            content = flipped(content)
            if not hash_sent:
                headers.pop("X-Goog-Hash", None)
        return status, headers, content

    bucket = between(damage)
    storage.write_bytes(storage.join(bucket, "x"), b"some bytes")
    with pytest.raises(storage.CorruptError, match="crc32c"):
        storage.read_bytes(storage.join(bucket, "x"))
    with pytest.raises(storage.CorruptError, match="crc32c"):
        storage.download(storage.join(bucket, "x"), tmp_path / "x")
    with pytest.raises(storage.CorruptError, match="crc32c"):
        storage.download_many(bucket, ["x"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_bytes_damaged_on_the_way_up_are_refused(between, tmp_path):
    def damage(request, body, forward):
        return forward(body.replace(b"some bytes", b"SOME bytes"))

    bucket = between(damage)
    with pytest.raises(storage.CorruptError, match="crc32c"):
        storage.write_bytes(storage.join(bucket, "x"), b"some bytes")
    (tmp_path / "y").write_bytes(b"some bytes")
    with pytest.raises(storage.CorruptError, match="crc32c"):
        storage.upload(tmp_path / "y", storage.join(bucket, "y"))
    with pytest.raises(storage.NotFoundError):
        storage.list_files(bucket)


REPLACER = """
import sys
from contracts import storage
uri, tries = sys.argv[1], int(sys.argv[2])
won = 0
while won < tries:
    seen = storage.read_bytes(uri)
    try:
        storage.replace_bytes(uri, seen, str(int(seen) + 1).encode())
    except storage.ConflictError:
        continue
    won += 1
"""


class TestReplacing:
    @pytest.fixture(params=["local", "gcs"])
    def uri(self, request, tmp_path):
        root = str(tmp_path) if request.param == "local" else request.getfixturevalue("strict_bucket")
        return storage.join(root, "models/champion.json")

    def test_only_what_was_seen_is_replaced(self, uri):
        with pytest.raises(storage.ConflictError, match="written by somebody else"):
            storage.replace_bytes(uri, b"was never there", b"0")
        storage.replace_bytes(uri, None, b"1")
        storage.replace_bytes(uri, b"1", b"2")
        for seen in (None, b"1"):
            with pytest.raises(storage.ConflictError, match="written by somebody else"):
                storage.replace_bytes(uri, seen, b"3")
        assert storage.read_bytes(uri) == b"2"

    def test_of_processes_that_saw_the_same_one_succeeds(self, uri):
        storage.write_bytes(uri, b"0")
        tries = 10 if storage.is_remote(uri) else 200
        command = [sys.executable, "-c", REPLACER, uri, str(tries)]
        processes = [subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(SRC)}) for _ in range(2)]
        assert [process.wait(timeout=120) for process in processes] == [0, 0]
        assert storage.read_bytes(uri) == str(2 * tries).encode()


def test_a_lost_race_is_a_conflict(between):
    def lose(request, body, forward):
        return (412, {}, b"") if "ifGenerationMatch=7" in request.path else forward(body)

    bucket = between(lose)
    with pytest.raises(storage.ConflictError, match="written by somebody else"):
        storage.write_bytes(storage.join(bucket, "x"), b"", if_generation_match=7)


# Google's client drops the failed answer unread, so its socket is closed by the collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_a_short_failure_is_sat_out(between):
    failures = []

    def fail_once(request, body, forward):
        if "alt=media" in request.path and not failures:
            failures.append(request.path)
            return 503, {}, b""
        return forward(body)

    bucket = between(fail_once)
    storage.write_bytes(storage.join(bucket, "x"), b"patience")
    assert storage.read_bytes(storage.join(bucket, "x")) == b"patience"
    assert failures
    gc.collect()


class TestUnreachable:
    def test_no_such_bucket(self, bucket):
        for verb in (storage.stat, storage.read_bytes, storage.list_files):
            with pytest.raises(storage.UnreachableError, match=f"there is no bucket {bucket}-2: create it"):
                verb(f"{bucket}-2/a")

    @pytest.mark.parametrize(
        ("status", "message"), [(401, "no usable Google Cloud credentials"), (403, "don't open it")]
    )
    def test_credentials_that_do_not_open_it(self, between, status, message):
        bucket = between(lambda request, body, forward: (status, {}, b"{}"))
        with pytest.raises(storage.UnreachableError, match=message):
            storage.write_bytes(storage.join(bucket, "x"), b"")

    def test_nobody_answers(self, monkeypatch):
        monkeypatch.setenv(gcs_access.EMULATOR, "http://127.0.0.1:9")
        monkeypatch.setattr(gcs_access, "FIRST_RETRY", gcs_access.FIRST_RETRY.with_timeout(0.1))
        with pytest.raises(storage.UnreachableError, match=r"127.0.0.1:9 doesn't answer: check the network"):
            storage.read_bytes("gs://bucket/x")

    def test_no_credentials(self, monkeypatch, tmp_path):
        monkeypatch.delenv(gcs_access.EMULATOR, raising=False)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
        with pytest.raises(storage.UnreachableError, match="gcloud auth application-default login"):
            storage.read_bytes("gs://bucket/x")


segments = st.lists(st.text("ab.é", min_size=1, max_size=3).filter(lambda s: s.strip(".")), max_size=4)


@pytest.mark.parametrize("start", ["/", "gs://bucket/"])
@given(there=segments, here=segments)
def test_a_relative_uri_resolves_to_itself(start, there, here):
    uri, folder = start + "/".join(["x", *there]), start + "/".join(["x", *here])
    relative = storage.relative(uri, folder)
    assert not relative.startswith(start)
    assert storage.resolve(relative, folder) == uri


def test_relative_uris_do_not_cross_storages(tmp_path):
    for uri, folder in (("gs://a/x", "gs://b/y"), ("gs://a/x", "/y"), ("/x", "gs://a/y")):
        assert storage.relative(uri, folder) == uri
        assert storage.resolve(uri, folder) == uri


@pytest.mark.parametrize("uri", ["", "gs:/x", "gs://", "gs:///x", "s3://bucket/x", "http://host/x", "gs:"])
def test_what_is_neither_a_path_nor_a_bucket_is_refused_and_not_made(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="expected"):
        storage.write_bytes(storage.join(uri, "manifest.json"), b"{}")
    with pytest.raises(InputError, match="expected"):
        storage.list_files(uri)
    assert not list(tmp_path.iterdir())


class TestWhereVertexMountsBuckets:
    @pytest.fixture(params=["CLOUD_ML_JOB_ID", "CLOUD_ML_PROJECT_ID"])
    def mount(self, request, bucket, monkeypatch):
        """The bucket as a container on Vertex AI has it: `/gcs/<name>`, which isn't there here."""
        monkeypatch.setenv(request.param, "1")
        return f"/gcs/{bucket.removeprefix('gs://')}"

    def test_the_bucket_itself_is_used(self, mount, bucket, tmp_path):
        storage.write_bytes(f"{mount}/a/b.txt", b"one")
        assert storage.read_bytes(f"{bucket}/a/b.txt") == b"one"
        assert [file.name for file in storage.list_files(f"{mount}/")] == ["a/b.txt"]
        with storage.writing(f"{mount}/c") as path:
            path.write_bytes(b"two")
        storage.download(f"{bucket}/c", tmp_path / "c")
        assert (tmp_path / "c").read_bytes() == b"two"
        with storage.local_copy(f"{mount}/a") as folder:
            assert (folder / "b.txt").read_bytes() == b"one"

    def test_documents_name_it_as_everybody_knows_it(self, mount, bucket):
        assert storage.is_remote(mount)
        assert storage.join(f"{mount}/a", "b") == f"{bucket}/a/b"
        assert storage.relative(f"{mount}/raw/x", f"{bucket}/interim/x") == "../../raw/x"
        assert storage.relative(f"{mount}/raw", "gs://another/interim") == f"{bucket}/raw"
        assert storage.resolve(f"{mount}/raw", "gs://another/interim") == f"{bucket}/raw"
        assert storage.resolve("../raw", f"{mount}/interim") == f"{bucket}/raw"
        with pytest.raises(InputError, match="expected a path or gs://bucket/prefix"):
            storage.join("/gcs/", "a")
        for elsewhere in ("/gcs/../etc", "/gcs/bucket/../another/a", "gs://../a", "gs://."):
            with pytest.raises(InputError, match="expected"):
                storage.join(elsewhere, "a")
            with pytest.raises(InputError, match="expected"):
                storage.read_bytes(elsewhere)

    def test_elsewhere_it_is_a_path(self, monkeypatch):
        for name in ("CLOUD_ML_JOB_ID", "CLOUD_ML_PROJECT_ID"):
            monkeypatch.delenv(name, raising=False)
        assert not storage.is_remote("/gcs/bucket/a")
        assert storage.join("/gcs/bucket", "a") == "/gcs/bucket/a"
