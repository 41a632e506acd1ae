"""Numbers that no service takes are refused by their option, before a request is composed."""

import pytest

from contracts.console import exit_code
from vertex.__main__ import app

ROOT = ["--root", "gs://bucket/run"]
TUNE = ["tune", "--space", "searches/from_scratch.yaml", "--model", "cnn", *ROOT]
DEPLOY = ["deploy", "--model", "chrysalis-digits@2"]


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["submit", "train", *ROOT], "--workers"),
        (["submit", "train", *ROOT], "--boot-disk-gb"),
        (["dataflow", *ROOT], "--max-workers"),
        (TUNE, "--trials"),
        (TUNE, "--parallel"),
        (["list"], "--days"),
        (DEPLOY, "--min-replicas"),
        (DEPLOY, "--max-replicas"),
    ],
)
def test_a_number_that_no_service_takes_is_refused(vertex_ai, capsys, command, option):
    given = [*command, option, str(2**31)]
    assert exit_code(lambda: app(given, standalone_mode=False), "python -m vertex") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"'{option}': Input should be less than or equal to" in line
    assert not vertex_ai.requests
