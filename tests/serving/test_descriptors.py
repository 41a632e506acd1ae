"""As many connections as the process may hold."""

import json
import resource

import pytest

from serving.descriptors import SPARE, fit_connections
from serving.settings import Settings


@pytest.fixture
def limits():
    """Sets the process's limits on descriptors; its own again after."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda soft, hard: resource.prlimit(0, resource.RLIMIT_NOFILE, (soft, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_is_raised_to_what_is_needed(limits, capsys):
    limits(1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    settings = Settings(model="x", max_connections=1000)
    assert fit_connections(settings) == settings
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 2000 + SPARE
    assert not capsys.readouterr().err


def test_where_it_can_not_be_raised_fewer_connections_are_taken(monkeypatch, capsys):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    assert fit_connections(Settings(model="x")).max_connections == (1024 - SPARE) // 2
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["max_connections"] == 412
