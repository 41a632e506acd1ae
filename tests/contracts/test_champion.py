"""champion.json: it names a bundle wherever the folders are moved, and nobody overwrites it unseen."""

from datetime import UTC, datetime

import pytest

from contracts import storage
from contracts.champion import Champion
from contracts.errors import InputError
from contracts.verdict import Floors, Verdict


def champion(folder: str, bundle: str) -> Champion:
    verdict = Verdict(
        blessed=True,
        reasons=("The accuracy is 0.9000; asked is at least 0.5.",),
        judged_at=datetime.now(UTC),
        dataset_digest="0",
        floors=Floors(min_accuracy=0.5),
        confidence=0.95,
        compared_with=None,
        champion=True,
    )
    return Champion(
        dataset="digits",
        bundle=storage.relative(bundle, folder),
        digest="0",
        metrics={"accuracy": 0.9},
        verdict=verdict,
    )


@pytest.mark.parametrize(
    ("folder", "bundle", "name"),
    [
        ("data/models/digits", "data/models/digits/vgg16", "vgg16"),
        ("gs://bucket/models/digits", "gs://bucket/models/digits/vgg16/", "vgg16"),
        ("gs://bucket/champions", "gs://bucket/trials/7/model", "../trials/7/model"),
        ("data/champions", "gs://bucket/models/digits/vgg16", "gs://bucket/models/digits/vgg16"),
    ],
)
def test_it_finds_its_bundle_from_its_folder(folder: str, bundle: str, name: str) -> None:
    document = champion(folder, bundle)
    assert document.bundle == name
    assert document.uri(folder) == bundle.rstrip("/")
    assert document.name == storage.last_part(bundle)


@pytest.mark.parametrize("where", ["tmp_path", "strict_bucket"])
def test_it_is_replaced_by_who_has_read_it(where: str, request: pytest.FixtureRequest) -> None:
    folder = storage.join(str(request.getfixturevalue(where)), "models/digits")
    first, second = (champion(folder, storage.join(folder, name)) for name in ("first", "second"))
    first.replace(folder, None)
    seen = Champion.read_text(folder)
    second.replace(folder, seen)
    with pytest.raises(storage.ConflictError, match=r"champion\.json was written by somebody else"):
        first.replace(folder, seen)
    assert Champion.read(folder) == second


def test_a_share_above_one_is_no_floor(tmp_path) -> None:
    text = champion("models", "models/x").to_json().replace(b'"min_accuracy": 0.5', b'"min_accuracy": 50')
    with pytest.raises(InputError, match=r"verdict\.floors\.min_accuracy: .*less than or equal to 1"):
        Champion.parse(text, "models/champion.json")
