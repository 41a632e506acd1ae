"""The key that requests must bring, and the headers of every answer."""

import pytest
import requests
from pydantic import SecretStr

from contracts.errors import InputError
from serving.api_key import read_key
from serving.app import create_app
from serving.settings import Settings

KEY = "schlüssel-🗝"

OPEN = ["/healthz", "/readyz", "/vertex/health", "/v2/health/live", "/v2/health/ready", "/", "/openapi.json"]
CLOSED = [("GET", "/model"), ("GET", "/metrics"), ("POST", "/predict"), ("POST", "/vertex/predict")]
CLOSED += [("POST", "/get-prediction"), ("POST", "/reload"), ("GET", "/v2"), ("GET", "/v1/models/tiny-run")]


@pytest.fixture(scope="module")
def locked(tiny_bundle, serve):
    """A server that wants a key."""
    with serve(Settings(model=str(tiny_bundle), api_key=SecretStr(KEY))) as running:
        yield running


def ask(server, method, path, **headers):
    encoded = {name.replace("_", "-"): value.encode() for name, value in headers.items()}
    return requests.request(method, server.url + path, headers=encoded, timeout=30)


@pytest.mark.parametrize("path", [*OPEN, "/docs", "/docs/docs.css"])
def test_probes_the_page_and_the_documents_need_no_key(locked, path):
    assert ask(locked, "GET", path).status_code == 200


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_all_doors_want_the_key(locked, method, path):
    answer = ask(locked, method, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "X-API-Key" in answer.json()["error"]
    assert ask(locked, method, path, x_api_key=KEY).status_code != 401
    assert ask(locked, method, path, authorization=f"bearer {KEY}").status_code != 401


@pytest.mark.parametrize(
    "headers",
    [
        {"x_api_key": ""},
        {"x_api_key": KEY[:-1]},
        {"authorization": f"Basic {KEY}"},
        {"authorization": "Bearer"},
    ],
)
def test_another_key_is_none(locked, headers):
    assert ask(locked, "GET", "/model", **headers).status_code == 401


def test_only_listed_routes_are_open(locked):
    app = create_app(Settings(model="nowhere", api_key=SecretStr(KEY)))
    guarded = {route.path for route in app.routes if type(route.app).__name__ == "RequireKey"}
    docs = {route.path for route in app.routes if route.path.startswith("/docs")}
    assert {route.path for route in app.routes} - guarded == {*OPEN, *docs} - {"/"}


def test_a_key_may_be_mounted(tmp_path):
    file = tmp_path / "key"
    file.write_text("secret\n")
    assert read_key(Settings(model="x", api_key_file=file)) == b"secret"
    assert read_key(Settings(model="x", api_key=SecretStr("own"), api_key_file=file)) == b"own"
    assert read_key(Settings(model="x")) is None


def test_a_key_may_lie_in_secret_manager(loopback, monkeypatch):
    answer = b'{"payload": {"data": "c2VjcmV0Cg=="}}'
    version = "projects/p/secrets/serving/versions/2"
    asked = []

    def access(request, _body):
        asked.append(request.path)
        return 200, {}, answer

    monkeypatch.setenv("CHRYSALIS_SECRETS_ENDPOINT", loopback(access))
    settings = Settings.from_environment(
        {"CHRYSALIS_MODEL": "x", "CHRYSALIS_API_KEY_SECRET_VERSION": version}
    )
    assert read_key(settings) == b"secret"
    assert asked == [f"/v1/{version}:access"]
    answer = b'{"payload": {}}'
    with pytest.raises(InputError, match="the API key is empty"):
        read_key(settings)


@pytest.mark.parametrize("content", [None, " \n"])
def test_a_key_that_is_missing_is_an_error(tmp_path, content):
    if content:
        (tmp_path / "key").write_text(content)
    with pytest.raises(InputError, match="CHRYSALIS_API_KEY"):
        read_key(Settings(model="x", api_key_file=tmp_path / "key"))


@pytest.mark.parametrize("path", ["/", "/healthz", "/nothing", "/model", "/docs", "/predict"])
def test_every_answer_has_the_headers(server, path):
    headers = server.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=(self)" in headers["permissions-policy"]
    assert "server" not in headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    assert ("data:" in policy) == (path == "/docs")
