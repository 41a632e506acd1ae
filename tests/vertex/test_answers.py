"""Answers of a form that Google's never have: a proxy's page, half a document, an enum of tomorrow."""

import json
from datetime import UTC, datetime
from itertools import product

import pytest

from contracts.console import exit_code
from vertex.__main__ import app

PARENT = "projects/my-project/locations/europe-west4"
JOB = f"{PARENT}/customJobs/1"
RUN = ["--root", "gs://bucket/run"]

ANSWERS = {
    "a page": (200, b"<html>Sign in</html>"),
    "a refusal that isn't Google's": (403, b'{"error": "forbidden"}'),
    "nothing in it": (200, b"{}"),
    "no object": (200, b"[1]"),
    "too deep": (200, b"[" * 100_000),
    "no UTF-8": (200, b'"\xff"'),
}
COMMANDS = {
    "list": ["list"],
    "follow": ["follow", JOB],
    "cancel": ["cancel", JOB],
    "deploy": ["deploy", "--model", "chrysalis-digits@2"],
    "promote": ["promote"],
    "submit": ["submit", "download", *RUN],
    "pipeline": ["pipeline", *RUN, "--run"],
}
CREATES = ("submit", "pipeline")
RUNNING, SUCCEEDED, FAILED = 3, 4, 5

# Of libraries that kfp imports.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def run(*arguments: str) -> int:
    return exit_code(lambda: app(list(arguments), standalone_mode=False), "python -m vertex")


@pytest.fixture
def service(loopback, monkeypatch):
    """A service that answers so: `service(answer)`, where `answer(method, path)` gives a status and bytes."""

    def start(answer):
        def reply(request, body):
            status, content = answer(request.command, request.path.partition("?")[0])
            return status, {"Content-Type": "application/json"}, content

        monkeypatch.setenv("CHRYSALIS_VERTEX_ENDPOINT", loopback(reply))

    return start


@pytest.mark.parametrize(
    ("command", "answer"),
    # A list with nothing in it is one of no jobs.
    [pair for pair in product(COMMANDS, ANSWERS) if pair != ("list", "nothing in it")],
)
def test_an_answer_that_cant_be_read_is_one_line(service, capsys, command, answer):
    # What a command looks at before it creates something is as it should be.
    nothing = 200, b"{}"
    service(lambda method, _: nothing if command in CREATES and method == "GET" else ANSWERS[answer])
    assert run(*COMMANDS[command]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "the service's answer can't be read" in line
    assert len(line) < 500
    may_be_there = "`make jobs` says whether chrysalis-" in line
    assert may_be_there == (command in CREATES)


def job(collection: str, number: int | str, **fields: object) -> dict[str, object]:
    """A job as the service tells of it, without what it needn't."""
    return {"name": f"{PARENT}/{collection}/{number}", "displayName": f"job-{number}", **fields}


def document(*jobs: dict[str, object]) -> tuple[int, bytes]:
    return 200, json.dumps({"customJobs": jobs}).encode()


@pytest.mark.filterwarnings("ignore:Unrecognized JobState enum value")
def test_a_state_of_tomorrow_and_a_job_without_its_time_are_listed(service, capsys):
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    jobs = document(job("customJobs", 1, state=42), job("customJobs", 2, state=RUNNING, createTime=now))
    service(lambda _, path: jobs if path.endswith("/customJobs") else (200, b"{}"))
    assert run("list") == 0
    newest, oldest = capsys.readouterr().out.splitlines()
    assert newest.split()[2:] == ["RUNNING", "2", "job-2"]
    assert oldest.split()[2:] == ["42", "1", "job-1"]


@pytest.mark.parametrize("shared", [False, True])
def test_a_job_without_its_time_is_older_than_those_with_one(service, capsys, shared):
    def filling(number, folder, **fields):
        spec = {"baseOutputDirectory": {"outputUriPrefix": f"gs://bucket/{folder}"}}
        return job("customJobs", number, jobSpec=spec, **fields)

    rival = filling(1, "a", state=RUNNING)
    submitted = []

    def answer(method, path):
        if method == "POST":
            submitted.append(path.rpartition("/")[2])
            own = filling(2, "a" if shared else "b", createTime="2026-11-22T00:00:00Z")
            return 200, json.dumps(own).encode()
        return document(rival) if submitted and path.endswith("/customJobs") else (200, b"{}")

    service(answer)
    assert run("submit", "download", *RUN, "--no-wait") == (2 if shared else 0), capsys.readouterr().err
    assert submitted == ["customJobs", *(["2:cancel"] if shared else [])]


DONE = {"id": "1", "state": SUCCEEDED, "finalMeasurement": {"metrics": [{"metricId": "score", "value": 1}]}}
STUDY = {
    "studySpec": {"metrics": [{"metricId": "score", "goal": 1}]},
    "trialJobSpec": {"workerPoolSpecs": [{"containerSpec": {"imageUri": "theirs"}}]},
}


@pytest.mark.filterwarnings("ignore:Unrecognized (JobState|State|PipelineState) enum value")
@pytest.mark.parametrize(
    ("collection", "fields"),
    [
        ("customJobs", {}),
        ("hyperparameterTuningJobs", {"trials": [{"id": "1", "state": 42}, DONE]}),
        ("hyperparameterTuningJobs", {"trials": [{"id": "1", "state": 42}, DONE], **STUDY}),
        ("pipelineJobs", {"jobDetail": {"taskDetails": [{"taskName": "train", "state": 42}]}}),
    ],
)
def test_what_isnt_ours_or_is_of_tomorrow_is_followed(service, quick, capsys, collection, fields):
    states = iter((42, 42, SUCCEEDED))

    def answer(_, path):
        if path == "/v2/entries:list":
            return 200, b"{}"
        return 200, json.dumps(job(collection, 1, **fields, state=next(states))).encode()

    service(answer)
    assert run("follow", f"{PARENT}/{collection}/1") == 0
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["state"] for event in told if event["event"] == "job"] == ["42", "SUCCEEDED"]
    assert ("42" in [event["state"] for event in told if event["event"] in ("trial", "step")]) == bool(fields)


@pytest.mark.parametrize(
    "lines",
    [
        b"[1]",
        b'{"entries": 3}',
        b'{"entries": [3]}',
        b'{"entries": [{"jsonPayload": {}, "timestamp": "yesterday"}]}',
        b"[" * 100_000,
    ],
)
def test_a_log_of_another_form_is_one_warning_and_not_the_end(service, quick, capsys, monkeypatch, lines):
    monkeypatch.setattr("vertex.jobs.logs.READ_SECONDS", 0.0)
    states = iter((RUNNING, RUNNING, RUNNING, SUCCEEDED))

    def answer(_, path):
        if path == "/v2/entries:list":
            return 200, lines
        return 200, json.dumps(job("customJobs", 1, state=next(states))).encode()

    service(answer)
    assert run("follow", JOB) == 0
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert sum("the job's log can't be read" in event["event"] for event in told) == 1
    assert told[-1]["state"] == "SUCCEEDED"


THEIRS = [
    {"root": 5, "dataset": "digits", "run_id": "vgg16"},
    {"root": "gs://bucket/run", "dataset": 7, "run_id": ["a"]},
    {"root": "gs://", "dataset": "A b", "run_id": "vgg16"},
]


def test_pipelines_of_others_are_in_nobodys_way(service, capsys):
    runs = [
        job("pipelineJobs", f"run-{number}", state=RUNNING, runtimeConfig={"parameterValues": values})
        for number, values in enumerate(THEIRS)
    ]

    def answer(method, path):
        if method == "POST":
            return 200, json.dumps(job("customJobs", 9)).encode()
        return 200, json.dumps({"pipelineJobs": runs} if path.endswith("/pipelineJobs") else {}).encode()

    service(answer)
    assert run("submit", "download", *RUN, "--no-wait") == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("cancelled", "code", "last"),
    [
        ((200, b"{}"), 2, "job-2 is cancelled. Follow the other: make follow JOB="),
        ((503, b"{}"), 1, "a folder has one writer: make cancel JOB=projects/my-project/"),
    ],
)
def test_of_two_writers_it_is_told_what_became_of_them(service, capsys, cancelled, code, last):
    spec = {"baseOutputDirectory": {"outputUriPrefix": "gs://bucket/a"}}
    rival = job("customJobs", 1, state=RUNNING, jobSpec=spec)
    submitted = []

    def answer(method, path):
        if path.endswith(":cancel"):
            return cancelled
        if method == "POST":
            submitted.append(path)
            return 200, json.dumps(
                job("customJobs", 2, jobSpec=spec, createTime="2026-11-22T00:00:00Z")
            ).encode()
        return document(rival) if submitted and path.endswith("/customJobs") else (200, b"{}")

    service(answer)
    assert run("submit", "download", *RUN, "--no-wait") == code
    told, complaint = capsys.readouterr().err.splitlines()
    assert json.loads(told)["event"] == "submitted"
    assert last in complaint


def test_a_second_run_of_the_same_second_is_told_as_that(service, capsys):
    exists = 409, b'{"error": {"code": 409, "message": "exists", "status": "ALREADY_EXISTS"}}'
    service(lambda method, _: exists if method == "POST" else (200, b"{}"))
    assert run("pipeline", *RUN, "--run") == 2
    assert "is there already, submitted in this very second" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["foo/1", "customJobs/1/x/2"])
def test_a_job_is_called_as_jobs_are(service, capsys, name):
    service(lambda *_: (200, json.dumps({"name": f"{PARENT}/{name}"}).encode()))
    assert run("follow", JOB) == 1
    assert "expected a job's name in it" in capsys.readouterr().err


def test_where_nothing_answers_a_whole_name_isnt_waited_for(silent_address, monkeypatch, capsys):
    monkeypatch.setenv("CHRYSALIS_VERTEX_ENDPOINT", silent_address)
    assert run("follow", JOB) == 1
    assert "check the network" in capsys.readouterr().err


def test_an_endpoints_display_name_may_be_one_that_no_id_can_be(service, capsys):
    invalid = (
        400,
        b'{"error": {"code": 400, "message": "Invalid resource name", "status": "INVALID_ARGUMENT"}}',
    )
    service(lambda _, path: (200, b"{}") if path.endswith("/endpoints") else invalid)
    assert run("promote", "--endpoint", "my endpoint") == 2
    assert "no endpoint my endpoint in" in capsys.readouterr().err


def test_nothing_that_is_told_moves_the_cursor_or_is_a_whole_page(service, quick, capsys):
    message = "bad \x1b[31mred \x1b]0;title\x07" + "x" * 100_000
    failed = job("customJobs", 1, state=FAILED, error={"code": 9, "message": message})
    failed["displayName"] = "job\x1b[2J\nrow"
    service(
        lambda _, path: (
            document(failed) if path.endswith("/customJobs") else (200, json.dumps(failed).encode())
        )
    )
    assert run("list") == 0
    assert run("follow", JOB) == 1
    said = capsys.readouterr()
    assert not any(character in "\x1b\x07" for character in said.out + said.err)
    assert len(said.out.splitlines()) == 1
    assert len(said.err.splitlines()[-1]) < 2000


@pytest.mark.parametrize(("state", "code"), [(SUCCEEDED, 0), (RUNNING, 2)])
def test_a_job_that_ended_before_it_was_cancelled_is_cancelled_enough(service, capsys, state, code):
    refused = []

    def answer(method, path):
        if method == "POST":
            refused.append(path)
            return 400, b'{"error": {"code": 400, "message": "cannot be canceled"}}'
        return 200, json.dumps(job("customJobs", 1, state=state if refused else RUNNING)).encode()

    service(answer)
    assert run("cancel", JOB) == code
    assert ("cannot be canceled" in capsys.readouterr().err) == bool(code)
