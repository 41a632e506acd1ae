import json
import os
import pty
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from contracts.console import exit_code
from rehearsal.vertex_ai import Job, JobFailedError
from rehearsal.vertex_ai.errors import RefusedError
from vertex.__main__ import app
from vertex.jobs.logs import sentence

TRAIN = ["submit", "train", "--root", "gs://bucket/run", "--gpu", "0"]


pytestmark = pytest.mark.usefixtures("quick")


def run(*arguments: str) -> int:
    return exit_code(lambda: app(list(arguments), standalone_mode=False), "python -m vertex")


def events(stderr: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]


def until_cancelled(job: Job) -> None:
    assert job.cancelled.wait(60)


def two_hosts(job: Job) -> None:
    job.log(json.dumps({"event": "epoch", "epoch": 1, "val_accuracy": 0.9}))
    job.log("a \x1b[31mred\x1b[0m word\nand a line", severity="ERROR", replica="workerpool1-0")


def test_what_the_hosts_say_is_shown_once_each_and_readably(vertex_ai, capsys):
    vertex_ai.run = two_hosts
    assert run(*TRAIN, "--workers", "2") == 0
    told = events(capsys.readouterr().err)
    assert told[0]["console"].endswith("?project=" + told[0]["console"].rpartition("=")[2])
    assert [event["state"] for event in told if event["event"] == "job"][-1] == "SUCCEEDED"
    lines = [(event["replica"], event["message"]) for event in told if event["event"] == "log"]
    assert lines == [
        ("workerpool0-0", "epoch  epoch=1 val_accuracy=0.9"),
        ("workerpool1-0", "a red word"),
        ("workerpool1-0", "and a line"),
    ]


def test_on_a_terminal_each_hosts_lines_begin_with_its_name(vertex_ai):
    vertex_ai.run = two_hosts
    terminal, inside = pty.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "vertex", *TRAIN, "--workers", "2"],
            env={**os.environ, "PYTHONPATH": "src"},
            stderr=inside,
        )
        os.close(inside)
        shown = b""
        with suppress(OSError):  # how Linux says that the other side is closed
            while chunk := screen.read(4096):
                shown += chunk
        assert process.wait(60) == 0
    lines = shown.decode().split("\r\n")
    assert "workerpool0-0: epoch  epoch=1 val_accuracy=0.9" in lines
    assert "workerpool1-0: a red word" in lines
    assert any(line.startswith("submitted  name=chrysalis-train-digits-") for line in lines)


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ("text\n", "text"),
        ({"message": "text", "levelname": "INFO", "attrs": {"tag": "workerpool0-0"}}, "text"),
        ({"event": "done", "files": 3, "attrs": {}}, "done  files=3"),
        ({"event": "done"}, "done"),
        ({"message": '{"event": "done", "files": 3}', "levelname": "INFO"}, "done  files=3"),
        ({"other": 1}, "{'other': 1}"),
        ("bell\x07 and\x1b[2K more", "bell and more"),
        ({"event": "\x1b[2Jdone", "path": "\x1b]0;a title\x07"}, "done  path=]0;a title"),
        (None, "None"),
    ],
)
def test_payloads_are_sentences(payload, text):
    assert sentence(payload) == text


@pytest.mark.parametrize("code", [403, 500])
def test_a_log_that_cant_be_read_is_one_warning_and_not_the_end(vertex_ai, capsys, code):
    def refused(_):
        raise RefusedError(code, "no log for you")

    vertex_ai.logs.list = refused
    assert run(*TRAIN) == 0
    told = events(capsys.readouterr().err)
    (warning,) = [event for event in told if "can't be read" in event["event"]]
    assert "no log for you" in warning["reason"]
    assert ("roles/logging.viewer" in warning["advice"]) == (code == 403)
    reads = [request for request in vertex_ai.requests if request.path == "/v2/entries:list"]
    assert (len(reads) == 1) == (code == 403), "what is forbidden stays so; an outage passes"


def test_the_jobs_own_error_is_the_last_line(vertex_ai, capsys):
    def fail(job: Job) -> None:
        raise JobFailedError("The replica workerpool0-0 exited with a non-zero status of 2.")

    vertex_ai.run = fail
    assert run(*TRAIN) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "FAILED: The replica workerpool0-0 exited with a non-zero status of 2 (logs: https://" in last


def test_the_stages_own_reason_is_told_with_the_jobs(vertex_ai, capsys):
    def fail(job: Job) -> None:
        job.log(
            "python -m models.vgg16.train_multi_gpu: failed: another host is gone", "ERROR", "workerpool1-0"
        )
        job.log("python -m models.vgg16.train_multi_gpu: interrupted", "ERROR")
        job.log("python -m models.vgg16.train_multi_gpu: no shards in gs://bucket/run", "ERROR")
        job.log("and after that")
        raise JobFailedError("The replica workerpool0-0 exited with a non-zero status of 2.")

    vertex_ai.run = fail
    assert run(*TRAIN, "--workers", "2") == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "status of 2; python -m models.vgg16.train_multi_gpu: no shards in gs://bucket/run (logs: " in last


def test_following_survives_a_service_that_is_away_and_tells_of_it_once(vertex_ai, capsys):
    vertex_ai.run = lambda job: setattr(vertex_ai, "outages", 3)
    assert run(*TRAIN) == 0
    told = [event["event"] for event in events(capsys.readouterr().err)]
    assert sum("trying on" in event for event in told) == 1


def test_an_outage_that_lasts_ends_following_and_not_the_job(vertex_ai, capsys, monkeypatch):
    monkeypatch.setattr("vertex.client.OUTAGE_SECONDS", 0.5)
    vertex_ai.run = lambda job: setattr(vertex_ai, "outages", 1000)
    assert run(*TRAIN) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "watching the job, which goes on (make follow JOB=projects/" in last
    assert not [request for request in vertex_ai.requests if request.path.endswith(":cancel")]


def test_whether_a_job_is_there_is_told_where_it_isnt_known(vertex_ai, capsys):
    vertex_ai.refuse(503, "The service is currently unavailable.")
    assert run(*TRAIN) == 1
    assert "`make jobs` says whether chrysalis-train-digits-" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_the_job_goes_on_and_can_be_followed_again(vertex_ai, number, capsys):
    done = threading.Event()

    def work(job: Job) -> None:
        job.log("at work")
        assert done.wait(60)

    vertex_ai.run = work
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "vertex", *TRAIN],
        env={**os.environ, "PYTHONPATH": "src"},
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "at work" in line:
            break
    process.send_signal(number)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 128 + number, rest
    last = json.loads(rest.splitlines()[-1])
    assert last["event"] == "no longer watching; the job goes on"
    assert not [request for request in vertex_ai.requests if request.path.endswith(":cancel")]
    done.set()
    again = last["follow"].removeprefix("make follow JOB=")
    assert run("follow", again) == 0, capsys.readouterr().err
    assert events(capsys.readouterr().err)[-1]["state"] == "SUCCEEDED"


def test_a_job_is_found_by_number_and_names_listed_and_cancelled(vertex_ai, capsys):
    vertex_ai.run = until_cancelled
    assert run(*TRAIN, "--no-wait") == 0
    name = events(capsys.readouterr().err)[0]["name"]
    assert run("submit", "records", "--root", "gs://bucket/run", "--no-wait") == 0
    assert run("list") == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[-1].split("-")[1] for line in listed] == ["records", "train"]
    number = listed[1].split()[-2]

    assert run("cancel", number) == 0
    assert run("follow", name) == 1
    assert f"{name} CANCELLED" in capsys.readouterr().err
    assert run("cancel", f"projects/my-project/locations/europe-west4/customJobs/{number}") == 0
    assert run("cancel", number) == 0
    assert "ended already" in capsys.readouterr().err
    assert run("list", "--active") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_pipelines_run_is_a_job_like_others(vertex_ai, capsys):
    vertex_ai.run = until_cancelled
    pipeline = ["pipeline", "--root", "gs://bucket/run", "--run", "--no-wait"]
    assert run("submit", "records", "--root", "gs://bucket/run", "--no-wait") == 0
    capsys.readouterr()
    assert run(*pipeline) == 2
    assert "fills gs://bucket/run/processed/digits, and a folder has one writer" in capsys.readouterr().err
    assert run(*pipeline, "--again") == 0
    name = events(capsys.readouterr().err)[0]["name"]
    assert run(*TRAIN, "--no-wait") == 2
    assert f"{name} (" in capsys.readouterr().err
    assert run("list", "--active") == 0
    assert name in capsys.readouterr().out.split()

    assert run("cancel", name) == 0
    assert run("follow", f"projects/my-project/locations/europe-west4/pipelineJobs/{name}") == 1
    assert f"{name} CANCELLED: it was cancelled" in capsys.readouterr().err
    assert run(*TRAIN, "--no-wait") == 0


@pytest.mark.parametrize(
    "job",
    [
        "42",
        "nothing",
        'no"thing',
        "projects/p/locations/europe-west4/models/1",
        "projects/p/locations/europe-west4/customJobs/",
    ],
)
def test_an_unknown_job_is_one_line_that_says_how_to_find_one(vertex_ai, capsys, job):
    assert run("follow", job) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "make jobs shows them" in line


def test_a_second_writer_of_a_folder_is_refused_unless_wanted(vertex_ai, capsys):
    vertex_ai.run = until_cancelled
    assert run(*TRAIN, "--no-wait") == 0
    assert run(*TRAIN, "--no-wait", "--label", "try=2", "--base-output", "gs://bucket/other") == 2
    complaint = capsys.readouterr().err
    assert "fills gs://bucket/run/models/digits/vgg16, and a folder has one writer" in complaint
    assert "or submit all the same: --again" in complaint
    assert run(*TRAIN, "--no-wait", "--run-id", "another") == 0
    assert run(*TRAIN, "--no-wait", "--again") == 0
    created = [request for request in vertex_ai.requests if request.method == "POST"]
    assert len(created) == 3


def test_of_two_that_are_submitted_at_once_one_is_left(vertex_ai):
    vertex_ai.run = until_cancelled
    command = [sys.executable, "-m", "vertex", *TRAIN, "--no-wait"]
    environment = {**os.environ, "PYTHONPATH": "src"}
    both = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], said
    assert "a folder has one writer" in "".join(said)
    assert run("list", "--active") == 0


def test_a_job_that_is_gone_is_said_to_be(vertex_ai, capsys):
    assert run("follow", "projects/my-project/locations/europe-west4/customJobs/4711") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "customJobs/4711 isn't there (any more): make jobs shows those that are" in line
