"""What `--model` may name."""

import shutil
from datetime import UTC, datetime

import pytest

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.champion import Champion
from contracts.errors import InputError
from contracts.verdict import Floors, Verdict
from serving.source import Source, find_source, read_bundle


@pytest.fixture
def models(tiny_bundle, tmp_path):
    """A folder of models with a champion."""
    shutil.copytree(tiny_bundle, tmp_path / "first")
    bundle = ModelBundle.read(str(tmp_path / "first"))
    Champion(
        dataset="tiny",
        bundle="first",
        digest=bundle.digest,
        metrics={"accuracy": 1.0},
        verdict=Verdict(
            blessed=True,
            reasons=("The best.",),
            judged_at=datetime.now(UTC),
            dataset_digest="0",
            floors=Floors(min_accuracy=0.9),
            confidence=0.95,
            compared_with=None,
            champion=True,
        ),
    ).write(str(tmp_path))
    return tmp_path


def test_a_bundle_or_a_champion_is_named(models, monkeypatch):
    digest = ModelBundle.read(str(models / "first")).digest
    champions = Source(str(models / "first"), str(models / "champion.json"), digest)
    assert find_source(str(models / "first")) == Source(str(models / "first"))
    assert find_source(str(models)) == find_source(str(models / "champion.json")) == champions
    monkeypatch.chdir(models)
    assert find_source("champion.json").digest == find_source(".").digest == digest


def test_a_champion_in_a_bucket_is_named(models, bucket):
    names = [file.name for file in storage.list_files(str(models))]
    storage.upload_many(models, names, f"{bucket}/models")
    for model in (f"{bucket}/models", f"{bucket}/models/champion.json"):
        assert find_source(model).uri == f"{bucket}/models/first"
    assert read_bundle(f"{bucket}/models", require_blessed=False).name == "tiny-run"


def test_a_bundle_that_is_not_the_champions_any_more_is_refused(models):
    bundle = ModelBundle.read(str(models / "first"))
    files = {**bundle.files, "more.txt": next(iter(bundle.files.values()))}
    bundle.model_copy(update={"files": files}).write(str(models / "first"))
    with pytest.raises(InputError, match=rf"{bundle.digest[:12]}.*judge it again"):
        read_bundle(str(models), require_blessed=False)
    assert read_bundle(str(models / "first"), require_blessed=False)


def test_what_holds_neither_is_told_what_is_expected(tmp_path):
    for name in ("", "nothing", "nothing/champion.json"):
        with pytest.raises(InputError, match=r"champion\.json"):
            find_source(str(tmp_path / name))


def test_only_a_blessed_one_where_that_is_required(models):
    with pytest.raises(InputError, match="wasn't judged"):
        read_bundle(str(models), require_blessed=True)
