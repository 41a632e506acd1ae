"""The lines of the server's log: what they tell, and what they don't."""

import json
import logging
import signal

import pytest

from serving.logs import configure_logs
from serving.service import Service
from serving.settings import Settings

SECRETS = ("s3cret-key", "token-in-query", "Zm9vYmFy")


@pytest.fixture
def log_of(run_server, tiny_bundle):
    """Run a server, let `ask(server)` do its requests, and give the log's lines as documents."""

    def run(ask, **environment):
        server = run_server("--model", str(tiny_bundle), **environment)
        server.wait_until_ready()
        ask(server)
        server.process.send_signal(signal.SIGTERM)
        _, errors = server.process.communicate(timeout=60)
        assert server.process.returncode == 0
        assert not any(secret in errors for secret in SECRETS)
        lines = [line for line in errors.splitlines() if "XNNPACK" not in line]  # LiteRT's own, from C++
        return [json.loads(line) for line in lines]  # all others are documents

    return run


def test_a_request_is_a_line_with_its_id(log_of, picture):
    def ask(server):
        headers = {"x-api-key": SECRETS[0], "x-request-id": "trace/1"}
        form = {"file": picture("red")}
        answer = server.post(f"/predict?key={SECRETS[1]}", files=form, headers=headers)
        assert answer.headers["x-request-id"] == "trace/1"
        answer = server.post(
            json={"instances": [SECRETS[2]]}, headers={**headers, "x-request-id": "two\tparts"}
        )
        assert len(answer.headers["x-request-id"]) == 16
        server.post(json={"instances": [SECRETS[2]]}, headers={"x-api-key": "wrong"})
        server.post(data=b"\r\n--y", headers={**headers, "content-type": "multipart/form-data; boundary=x"})
        server.get("/a%0Ab%1B")

    lines = log_of(ask, CHRYSALIS_API_KEY=SECRETS[0])
    told = [line for line in lines if line["event"] == "request"]
    good, bad, locked, odd, missing = [line for line in told if line["path"] != "/readyz"]
    assert good["id"] == "trace/1"
    assert (good["method"], good["path"], good["status"]) == ("POST", "/predict", 200)
    assert (good["images"], good["model"]) == (1, "tiny-run")
    assert good["bytes"] > 1000
    assert 0 < good["ms"] < 30_000
    assert [bad["status"], locked["status"], odd["status"]] == [422, 401, 400]
    assert bad["error"] == "not an image"
    assert missing["path"] == "/a%0Ab%1B"


def test_probes_that_go_well_are_quiet(log_of):
    def ask(server):
        for path in ("/healthz", "/readyz", "/v2/health/live", "/metrics"):
            assert server.get(path).status == 200

    requests = [line for line in log_of(ask) if line["event"] == "request"]
    assert all(line["status"] == 503 for line in requests)  # before it was ready


def test_a_failure_is_told_with_its_id(tiny_bundle, serve, monkeypatch, capsys, picture):
    async def fail(*_):
        raise KeyError("the disk is upside down")

    with serve(Settings(model=str(tiny_bundle))) as server:
        monkeypatch.setattr(Service, "classify", fail)
        answer = server.post(files={"file": picture("red")}, headers={"x-request-id": "abc"})
    assert answer.status == 500
    assert "abc" in answer.content["error"]
    assert "upside" not in answer.content["error"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    (line,) = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "upside" in line]
    assert (line["level"], line["id"]) == ("ERROR", "abc")
    assert "KeyError" in line["traceback"]


def test_a_warning_without_end_is_one_line(capsys):
    root, level = logging.getLogger(), logging.getLogger().level
    before = root.handlers
    try:
        configure_logs()
        for _ in range(100):
            logging.getLogger("asyncio").error("out of system resource")
    finally:
        root.handlers = before
        root.setLevel(level)
    assert len(capsys.readouterr().err.splitlines()) == 1
