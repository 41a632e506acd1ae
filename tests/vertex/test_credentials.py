"""Credentials that are none, and a network that is away: each told as what it is."""

import json

import pytest

from contracts.console import exit_code
from vertex.__main__ import app

USER = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}


@pytest.fixture
def jobs(capsys, monkeypatch, tmp_path):
    """List jobs with a credentials file of this content: the exit code and the one line of complaint."""
    file = tmp_path / "credentials.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))

    def run(content: str) -> tuple[int, str]:
        file.write_text(content)
        code = exit_code(lambda: app(["list"], standalone_mode=False), "python -m vertex")
        (line,) = capsys.readouterr().err.splitlines()
        return code, line

    return run


@pytest.mark.parametrize("content", ["[]", "3", "null", '"key"'])
def test_a_file_of_another_form_is_no_credentials(jobs, content):
    code, line = jobs(content)
    assert code == 2
    assert "no Google Cloud credentials: run `gcloud auth application-default login`" in line


def test_a_network_that_is_away_is_told_as_such(jobs, silent_address, monkeypatch):
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", silent_address)
    code, line = jobs(json.dumps(USER))
    assert code == 1
    assert "Google can't be reached" in line
    assert "check the network" in line
    assert "renew" not in line
