"""A function mapped over independent tasks by Apache Beam, on as many machines as its runner has.

In: a function of a module's top level, what all calls share, and small picklable tasks. Out: a `Shard` for
each, which reaches this process through a folder (see `beam_inbox`). The first task that fails ends it all.
"""

import contextlib
import importlib
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from functools import partial
from types import ModuleType
from typing import Any, Final, NamedTuple, TypeVar

from contracts.console import log
from contracts.dataset import Shard
from contracts.errors import InputError, StageError
from datapipeline.records import beam_inbox, beam_log
from datapipeline.records.beam_inbox import Inbox

S = TypeVar("S")
T = TypeVar("T")

POLL_S: Final = 5.0
"""How often the folder of results is looked into while a remote job runs."""

IN_PROCESS: Final = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
"""What DirectRunner is here: Beam's own would first fetch Prism, a program in Go, from GitHub."""

_NAMED_HERE: Final = {"direct": IN_PROCESS, "directrunner": IN_PROCESS}
_DATAFLOW: Final = ("dataflow", "dataflowrunner")
_ALL_OPTIONS_KNOWN: Final = (*_NAMED_HERE, *_DATAFLOW)
"""The others take options that only their job server knows."""


class Work(NamedTuple):
    """What every worker needs for every task."""

    function: Callable[[Any, Any], Shard]
    shared: Any
    results: str


def run(
    function: Callable[[S, T], Shard],
    shared: S,
    tasks: Sequence[T],
    *,
    name: Callable[[T], str],
    results: str,
    runner: str,
    options: Sequence[str] = (),
) -> Iterator[Shard]:
    """Yield `function(shared, task)` for every task, as they finish.

    Args:
        function: of a module that the workers can import; it is found there by its name.
        shared: what every call needs; sent with the job.
        tasks: what to map over; sent with the job, whose size runners limit (Dataflow to 10 MB).
        name: of a task, by which its result is filed; no two have the same.
        results: the URI of a folder of our own that every worker can write to.
        runner: as Beam calls it: DirectRunner, DataflowRunner, FlinkRunner, SparkRunner, PortableRunner, …
        options: Beam's, as on a command line.

    Raises:
        InputError: Beam isn't installed or refuses an option, or a task raised one.
        StageError: a task failed, or the runner did.
    """
    inbox = Inbox(results, [name(task) for task in tasks])
    with beam_log.as_events():
        planned = pipeline(Work(function, shared, results), tasks, name=name, runner=runner, options=options)
        inbox.clear()
        try:
            yield from _results(planned, inbox, runner)
        finally:
            inbox.clear()


def pipeline(
    work: Work, tasks: Sequence[T], *, name: Callable[[T], str], runner: str, options: Sequence[str]
) -> Any:
    """The `apache_beam.Pipeline` that does the work, not yet started; it counts shards and images.

    Raises:
        InputError: Beam isn't installed, or refuses an option.
    """
    beam = _beam(runner)
    planned = _read(beam, runner, options)
    _ = (
        planned
        | "Tasks" >> beam.Create([(name(task), task) for task in tasks], reshuffle=False)
        # Else a runner fuses the steps, and one worker does everything.
        | "Spread" >> beam.Reshuffle()
        | "Build" >> beam.Map(partial(do, work))
    )
    return planned


def do(work: Work, element: tuple[str, Any]) -> None:
    """Do one task on a worker, and file its result or why there is none.

    A failure that we know isn't raised: no runner's retry would mend it, and each would show a traceback.
    """
    name, task = element
    if beam_inbox.has_failed(work.results):
        return
    try:
        shard = work.function(work.shared, task)
    except (InputError, StageError, OSError, MemoryError) as error:
        beam_inbox.leave_failure(work.results, error)
    else:
        beam_inbox.leave(work.results, name, shard)
        _count(shards=1, images=shard.examples)


def _count(**numbers: int) -> None:
    from apache_beam.metrics import Metrics

    for name, number in numbers.items():
        Metrics.counter("chrysalis", name).inc(number)


def _beam(runner: str) -> ModuleType:
    try:
        return importlib.import_module("apache_beam")
    except ModuleNotFoundError as error:
        if error.name != "apache_beam":
            raise
        raise InputError(
            f"--runner {runner} needs apache-beam, which isn't installed: use the image's target beam, or "
            'pipenv sync --categories "packages beam"'
        ) from None


def _read(beam: ModuleType, runner: str, options: Sequence[str]) -> Any:
    """A pipeline of Beam's own options, all of them understood."""
    from apache_beam.options.pipeline_options import PipelineOptions

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), beam_log.silent():
            read = PipelineOptions([*options])
            known, every = read.get_all_options(), read.get_all_options(retain_unknown_options=True)
            _check_known(runner, sorted(every.keys() - known.keys()))
            _check_workers(runner, read)
            return beam.Pipeline(runner=_NAMED_HERE.get(runner.lower(), runner), options=read)
    except SystemExit:  # its parser's way; what it has to say is the last line
        raise InputError(f"--runner {runner}: {said.getvalue().rpartition('error: ')[2].strip()}") from None
    except (ValueError, ImportError) as error:
        raise InputError(f"--runner {runner}: {' '.join(str(error).split())}") from None


def _check_known(runner: str, unknown: list[str]) -> None:
    # Beam itself drops them with a warning.
    if unknown and runner.lower() in _ALL_OPTIONS_KNOWN:
        raise ValueError(f"there is no option --{unknown[0]}, neither here nor of Beam")


def _check_workers(runner: str, read: Any) -> None:
    # Else it is found out minutes later, by every worker for itself.
    from apache_beam.options.pipeline_options import SetupOptions, WorkerOptions

    setup = read.view_as(SetupOptions)
    brought = read.view_as(WorkerOptions).sdk_container_image or setup.setup_file or setup.extra_packages
    if runner.lower() in _DATAFLOW and not brought:
        raise ValueError(
            "its workers need this code: --sdk_container_image=REGISTRY/beam, built from the target beam of "
            "src/datapipeline/records/Dockerfile"
        )


def _results(planned: Any, inbox: Inbox, runner: str) -> Iterator[Shard]:
    """Run the pipeline, and yield the results as they come in."""
    with _one_line(runner):
        job, finish = _started(planned)
    finished = _in_thread(finish)
    try:
        while not wait([finished], timeout=POLL_S).done:
            yield from inbox.new()
        with _one_line(runner):
            finished.result()
        yield from inbox.new()
        inbox.check_complete()
    except BaseException:  # an interrupt, a task's failure, or whoever listened has gone
        if job and not finished.done():
            _cancel(job)
        raise


def _started(planned: Any) -> tuple[Any, Callable[[], Any]]:
    """Start a pipeline elsewhere; the job, and what waits for its end.

    One that runs in this process isn't started before that is called, and there is no job to cancel: so its
    threads descend from a daemon, and an interrupt ends them too.
    """
    from apache_beam.options.pipeline_options import PortableOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    if (
        isinstance(planned.runner, FnApiRunner)
        or planned.options.view_as(PortableOptions).job_endpoint == "embed"
    ):
        return None, lambda: planned.run().wait_until_finish()
    job = planned.run()  # in the main thread, since some set signal handlers
    return job, job.wait_until_finish


def _in_thread(function: Callable[[], Any]) -> Future[Any]:
    # A daemon: an interrupted command waits for no job.
    future: Future[Any] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 (it is raised where the result is asked for)
            future.set_exception(error)

    threading.Thread(target=call, daemon=True, name="beam").start()
    return future


def _cancel(job: Any) -> None:
    try:
        job.cancel()
    except Exception as error:  # noqa: BLE001 (runners that can't cancel say so in their own ways)
        log("the Beam job goes on", reason=beam_log.last_line(error))
    else:
        log("the Beam job is cancelled")


@contextlib.contextmanager
def _one_line(runner: str) -> Iterator[None]:
    try:
        yield
    except (InputError, StageError):
        raise
    except Exception as error:
        raise StageError(f"--runner {runner}: {beam_log.last_line(error)}") from error
