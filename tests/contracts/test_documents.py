"""What every document refuses, and that what is written is read."""

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import storage
from contracts.documents import Document
from contracts.errors import InputError


class Note(Document):
    file_name: ClassVar[str] = "note.json"
    made_by: ClassVar[str] = "python -m notes"

    text: str


def put(folder, text):
    storage.write_bytes(storage.join(folder, "note.json"), text)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text())
def test_what_is_written_is_read(tmp_path, text):
    Note(text=text).write(str(tmp_path))
    assert Note.read(str(tmp_path)) == Note(text=text)


@pytest.mark.parametrize("folder", ["local", "bucket"])
def test_a_missing_document_says_what_makes_it(folder, tmp_path, bucket):
    folder = str(tmp_path) if folder == "local" else bucket
    with pytest.raises(InputError, match=r"holds no note.json.*: run python -m notes first"):
        Note.read(folder)
    assert Note.read_if_there(folder) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"schema_version": 2, "text": "a"}', "has schema_version 2; this version of Chrysalis reads 1"),
        (b'{"schema_version": 2, "body": "a"}', "has schema_version 2"),
        (
            b'{"schema_version": 1, "text": "a", "colour": "red"}',
            "note.json isn't a valid Note: colour: Extra",
        ),
        (b'{"schema_version": 1}', "text: Field required; run python -m notes again"),
        (b"{", "isn't a valid Note: the file: Invalid JSON"),
    ],
)
def test_a_bad_document_is_refused(tmp_path, text, message):
    put(str(tmp_path), text)
    with pytest.raises(InputError) as error:
        Note.read(str(tmp_path))
    assert message in str(error.value)
    assert Note.read_if_there(str(tmp_path)) is None
