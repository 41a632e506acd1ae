"""Beam with workers in this process, and with workers of another one that is asked over the network."""

import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts import storage
from contracts.errors import InputError, StageError
from datapipeline.records.beam_runner import Work, pipeline, run

HERE = Path(__file__).parent
EMBEDDED = ("PortableRunner", "--job_endpoint=embed")
LOOPBACK = (*EMBEDDED, "--environment_type=LOOPBACK")
IMPORTABLE = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(HERE.parents[2] / "src"), str(HERE)]),
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
}


@pytest.fixture
def make(monkeypatch):
    """A function that Beam's workers find by its name, as they find the real one."""
    monkeypatch.syspath_prepend(HERE)
    return importlib.import_module("beam_tasks").make


@pytest.fixture
def build(make):
    def build(tasks, folder, runner="DirectRunner", *options):
        shards = run(make, 3, tasks, name=str, results=str(folder), runner=runner, options=options)
        return sorted(shards, key=lambda shard: shard.name)

    return build


@pytest.fixture
def serve(tmp_path):
    """Start one of Beam's services in a process and a folder of its own, on a free port; its address."""
    started = []

    def serve(module, option):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        command = [sys.executable, "-m", f"apache_beam.runners.{module}", f"{option}={port}"]
        started.append(
            subprocess.Popen(command, env=IMPORTABLE, cwd=tmp_path / "elsewhere", stderr=subprocess.DEVNULL)
        )
        _wait_for(lambda: _answers(port))
        return f"localhost:{port}"

    yield serve
    for process in reversed(started):
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def elsewhere(serve):
    """A runner whose jobs run in another process than its workers', as Flink's and Spark's do."""
    jobs = serve("portability.local_job_service_main", "--port")
    workers = serve("worker.worker_pool_main", "--service_port")
    return (
        "PortableRunner",
        f"--job_endpoint={jobs}",
        "--environment_type=EXTERNAL",
        f"--environment_config={workers}",
    )


def _answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("runner", [("DirectRunner",), LOOPBACK], ids=lambda runner: runner[0])
def test_every_task_is_done_and_nothing_is_left(build, runner, tmp_path):
    shards = build(["b", "c", "a"], tmp_path / "results", *runner)
    assert [(shard.name, shard.examples) for shard in shards] == [("a", 3), ("b", 3), ("c", 3)]
    assert not (tmp_path / "results").exists()


def test_results_cross_through_a_bucket(build, bucket):
    assert [shard.name for shard in build(["a", "b"], f"{bucket}/results")] == ["a", "b"]
    with pytest.raises(storage.NotFoundError):
        storage.list_files(bucket)


def test_results_of_a_run_that_was_killed_are_not_taken_for_new_ones(build, tmp_path):
    (tmp_path / "a.json").write_text("of a run that was killed")
    (tmp_path / "failure.json").write_text("of a run that was killed")
    (tmp_path / "mine.json").write_text("of somebody else")
    assert [shard.name for shard in build(["a"], tmp_path)] == ["a"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]


@pytest.mark.parametrize("runner", [("DirectRunner",), LOOPBACK], ids=lambda runner: runner[0])
@pytest.mark.parametrize(
    ("task", "error", "message"),
    [
        ("absent", InputError, "absent isn't there: run process again"),
        ("full", StageError, "the disk is full"),
        ("broken", StageError, "ZeroDivisionError: of our own making"),
    ],
)
def test_what_a_task_raises_arrives_as_one_line(build, task, error, message, runner, tmp_path, capfd):
    with pytest.raises(error) as raised:
        build(["a", task, "b"], tmp_path / "results", *runner)
    assert str(raised.value).removeprefix(f"--runner {runner[0]}: ") == message
    assert not (tmp_path / "results").exists()
    if task != "broken":  # the traceback of a mistake of ours is welcome
        assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("runner", "message"),
    [
        (["DirectRunner", "--qualty=80"], "there is no option --qualty, neither here nor of Beam"),
        (["DirectRunner", "--direct_num_workers=x"], "--direct_num_workers: invalid int value: 'x'"),
        (["FastRunner"], "Unexpected pipeline runner: FastRunner. Valid values are DataflowRunner"),
        (["DataflowRunner", "--region=r"], "its workers need this code: --sdk_container_image=REGISTRY/beam"),
        (["DataflowRunner", "--sdk_container_image=r/beam"], "Missing required option: project"),
    ],
)
def test_what_beam_refuses_is_told(build, runner, message, tmp_path, capfd):
    with pytest.raises(InputError, match=message):
        build(["a"], tmp_path, *runner)
    assert capfd.readouterr().err == ""


def test_a_runner_that_fails_is_told(build, tmp_path):
    with pytest.raises(StageError, match=r"^--runner PortableRunner: You must specify a --job_endpoint"):
        build(["a"], tmp_path, "PortableRunner")


def test_a_job_elsewhere(build, elsewhere, tmp_path):
    shards = build(["a", "b"], tmp_path / "results", *elsewhere)
    assert [shard.name for shard in shards] == ["a", "b"]
    assert os.getpid() not in {shard.bytes for shard in shards}


def test_workers_that_cannot_be_reached_are_told(build, tmp_path):
    nobody = (*EMBEDDED, "--environment_type=EXTERNAL", "--environment_config=localhost:9")
    with pytest.raises(StageError, match=r"^--runner PortableRunner: failed to connect to all addresses"):
        build(["a"], tmp_path, *nobody)


def test_results_that_only_the_workers_see_are_told(build, elsewhere, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StageError, match=r"2 of 2 tasks left no result in results: is that a folder that"):
        build(["a", "b"], "results", *elsewhere)


@pytest.fixture
def interrupted(tmp_path):
    """Send a signal to the command while a task of a minute is under way; what it wrote."""

    def interrupt(number, runner):
        command = subprocess.Popen(
            [sys.executable, HERE / "beam_tasks.py", tmp_path / "started", tmp_path / "results", *runner],
            env=IMPORTABLE,
            stderr=subprocess.PIPE,
            text=True,
            # Its parent may ignore SIGINT, as a shell's background job does.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        _wait_for((tmp_path / "started").exists)
        command.send_signal(number)
        said = command.communicate(timeout=30)[1]
        assert command.returncode == 128 + number
        assert said.endswith("the same command again carries on\n")
        return said

    return interrupt


@pytest.mark.parametrize("runner", [("DirectRunner",), LOOPBACK], ids=lambda runner: runner[0])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_in_one_line(number, runner, interrupted):
    assert interrupted(number, runner).count("\n") == 1


def test_a_signal_cancels_a_job_elsewhere(interrupted, elsewhere):
    assert '"the Beam job is cancelled"' in interrupted(signal.SIGTERM, elsewhere)


def test_shards_and_images_are_counted(make, tmp_path):
    work = Work(make, 3, str(tmp_path))
    job = pipeline(work, ["a", "b"], name=str, runner="DirectRunner", options=[]).run()
    counted = {metric.key.metric.name: metric.committed for metric in job.metrics().query()["counters"]}
    assert counted == {"shards": 2, "images": 6}


def test_workers_find_the_function_by_its_name(make):
    from apache_beam.internal import pickler

    pickled = pickler.dumps(Work(make, 3, "results"), enable_trace=False)
    assert len(pickled) < 400


def test_without_beam_it_is_told_what_to_install(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['apache_beam'] = None\n")
    code = (
        "from datapipeline.records.beam_runner import run\n"
        "list(run(print, 0, ['a'], name=str, results='results', runner='DirectRunner'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**IMPORTABLE, "PYTHONPATH": f"{tmp_path}{os.pathsep}{IMPORTABLE['PYTHONPATH']}"},
        capture_output=True,
        text=True,
    )
    assert "InputError: --runner DirectRunner needs apache-beam, which isn't installed" in done.stderr
