"""Where a secret comes from, and that it is never said."""

import base64
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import google_crc32c
import pytest

from contracts.errors import InputError, StageError
from contracts.secrets import secret

NAME = "WANDB_API_KEY"
VERSION = "projects/my-project/secrets/wandb-key/versions/3"
KEY = "k" * 40

Serve = Callable[[Callable[[BaseHTTPRequestHandler, bytes], Any]], str]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (NAME, f"{NAME}_FILE", f"{NAME}_SECRET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def manager(loopback: Serve, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, str | None]]]:
    """A Secret Manager that gives these answers, one after the other; what it was asked, and as whom."""

    def serve(*answers: tuple[int, Any]) -> list[tuple[str, str | None]]:
        asked: list[tuple[str, str | None]] = []

        def answer(request: BaseHTTPRequestHandler, _body: bytes) -> tuple[int, dict[str, str], bytes]:
            status, body = answers[min(len(asked), len(answers) - 1)]
            asked.append((request.path, request.headers["Authorization"]))
            return status, {"Content-Type": "application/json"}, json.dumps(body).encode()

        monkeypatch.setenv("CHRYSALIS_SECRETS_ENDPOINT", loopback(answer))
        monkeypatch.setenv(f"{NAME}_SECRET", VERSION)
        return asked

    return serve


def payload(text: str = KEY, checksum: int | None = None) -> dict[str, Any]:
    data = text.encode()
    crc32c = google_crc32c.value(data) if checksum is None else checksum
    return {
        "name": VERSION,
        "payload": {"data": base64.b64encode(data).decode(), "dataCrc32c": str(crc32c)},
    }


def test_the_variable_comes_before_the_file_and_that_before_secret_manager(
    manager: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert secret(NAME) is None
    asked = manager((200, payload(f"{KEY}\n")))
    assert secret(NAME) == KEY
    assert asked == [(f"/v1/{VERSION}:access", None)]

    (tmp_path / "key").write_text(" of-file\n")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "key"))
    assert secret(NAME) == "of-file"
    monkeypatch.setenv(NAME, "of-variable")
    assert secret(NAME) == "of-variable"
    assert len(asked) == 1


def test_without_a_version_the_latest_is_read(manager: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = manager((200, payload()))
    monkeypatch.setenv(f"{NAME}_SECRET", "projects/p/secrets/s")
    assert secret(NAME) == KEY
    assert asked[0][0] == "/v1/projects/p/secrets/s/versions/latest:access"


def test_what_passes_is_asked_again(manager: Any) -> None:
    asked = manager((503, {}), (429, {}), (200, payload()))
    assert secret(NAME) == KEY
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (403, {}, InputError, "roles/secretmanager.secretAccessor on projects/my-project/secrets/wandb-key"),
        (404, {}, InputError, "gcloud secrets versions list wandb-key"),
        (400, {}, InputError, "no enabled version"),
        (503, {}, StageError, "try again later"),
        (200, {"payload": {"data": "/w=="}}, StageError, "holds no text"),
        (200, ["?"], StageError, "holds no text"),
        (200, {"payload": {"data": "", "dataCrc32c": "abc"}}, StageError, "holds no text"),
        (200, {"payload": {"data": "", "dataCrc32c": [1]}}, StageError, "holds no text"),
        (200, {"payload": {"data": "", "dataCrc32c": float("inf")}}, StageError, "holds no text"),
        (200, payload(checksum=1), StageError, "damaged"),
    ],
)
def test_what_cant_be_read_is_one_line_without_the_secret(
    manager: Any, status: int, body: Any, kind: type[Exception], said: str
) -> None:
    manager((status, body))
    with pytest.raises(kind) as error:
        secret(NAME)
    assert said in str(error.value)
    assert f"{NAME}_SECRET" in str(error.value)
    assert KEY not in str(error.value)


def test_a_secret_needs_its_name_and_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(f"{NAME}_SECRET", KEY)
    with pytest.raises(
        InputError, match="expected WANDB_API_KEY_SECRET=projects/PROJECT/secrets/SECRET"
    ) as said:
        secret(NAME)
    assert KEY not in str(said.value)
    monkeypatch.setenv(f"{NAME}_SECRET", VERSION)
    monkeypatch.setenv("CHRYSALIS_SECRETS_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StageError, match="can't be reached"):
        secret(NAME)
    monkeypatch.delenv("CHRYSALIS_SECRETS_ENDPOINT")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "credentials.json"))
    for content in (None, "[]", "3", '{"type": "authorized_user"}'):
        if content:
            (tmp_path / "credentials.json").write_text(content)
        with pytest.raises(InputError, match="no Google Cloud credentials"):
            secret(NAME)
