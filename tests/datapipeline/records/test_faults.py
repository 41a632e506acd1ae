"""Both stages over a network with faults: they end with the bytes of a quiet one, or say why not."""

import zipfile

import pytest

from contracts import storage
from contracts.errors import InputError, StageError
from contracts.storage import gcs, gcs_access, gcs_transfer
from datapipeline.records.archives import UnreadableError
from datapipeline.records.build_records import BuildConfig, build_records
from datapipeline.records.process import ProcessConfig, process
from datapipeline.records.raw import RawFolder

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    retry = gcs_access.REQUEST["retry"].with_delay(initial=0.05, maximum=0.2)
    monkeypatch.setitem(gcs_access.REQUEST, "retry", retry)
    monkeypatch.setitem(gcs_transfer._RAW, "retry", retry)


def files(folder) -> dict[str, bytes]:
    return {
        file.name: storage.read_bytes(storage.join(folder, file.name)) for file in storage.list_files(folder)
    }


def run(root):
    process(f"{root}/raw", f"{root}/interim", ProcessConfig(workers=1))
    build_records(f"{root}/interim", f"{root}/processed", BuildConfig(shards=3, workers=1))


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_wrong_lands_and_nothing_is_lost(
    flowers, tmp_path, bucket, faulty_gcs, gcs_emulator, monkeypatch, seed
):
    images = sorted(flowers.glob("photos/*/0[01]*"))
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for path in images[::2]:
            archive.write(path, f"in/{path.parent.name}/{path.name}")
    storage.upload(tmp_path / "some.zip", f"{bucket}/raw/some.zip")
    names = [path.relative_to(flowers).as_posix() for path in images[1::2]]
    storage.upload_many(flowers, names, f"{bucket}/raw")
    run(bucket)
    quiet = {stage: files(f"{bucket}/{stage}") for stage in ("interim", "processed")}
    for stage, found in quiet.items():
        for name in found:
            storage.delete(f"{bucket}/{stage}/{name}")

    network = faulty_gcs(seed=seed, rate=0.12)
    for _ in range(12):
        try:
            run(bucket)
            break
        except (StageError, InputError) as error:
            assert "\n" not in str(error)
    else:
        raise AssertionError("it never came through")
    assert sum(network.met.values()) > 3
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_emulator)
    assert {stage: files(f"{bucket}/{stage}") for stage in quiet} == quiet


def read_one(raw, image) -> bytes | Exception:
    try:
        return next(raw.reader.read_all([image]))
    except InputError as error:  # the archive as a whole looks damaged
        return error


def test_damage_on_the_way_is_never_taken_for_an_image(flowers, tmp_path, bucket, faulty_gcs, monkeypatch):
    monkeypatch.setattr(gcs, "READ_AHEAD", 8 << 10)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in sorted(flowers.glob("photos/*/*.*")):
            archive.write(path, path.relative_to(flowers))
    storage.upload(tmp_path / "all.zip", f"{bucket}/raw/all.zip")
    with RawFolder(f"{bucket}/raw") as raw:
        images = list(raw.images())
        raw.reader.close()  # listed in quiet; its bytes are fetched through the faults
        network = faulty_gcs(rate=0.1, faults=("flipped down",), flip_ranges=True)
        results = [read_one(raw, image) for image in images]
    assert network.met["flipped down"] > 3
    good = [data for data in results if isinstance(data, bytes)]
    assert len(good) > 100, "what is damaged is fetched again"
    for image, data in zip(images, results, strict=True):
        right = (flowers / image.path.partition("::")[2]).read_bytes()
        assert data == right or isinstance(data, UnreadableError | InputError)
