"""`python -m vertex tune`: a study of a training as a tuning job, from the file that `make tune` reads."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from contracts.search_space import SearchSpace
from vertex.folders import Folders, root_uri
from vertex.jobs.job_options import JobOptions
from vertex.jobs.submission import Sending, send
from vertex.jobs.submit import summary
from vertex.jobs.training import Training
from vertex.option_groups import grouped
from vertex.settings import Settings, Where
from vertex.stages import Request, Stage, trial
from vertex.tuning.study import tuning_job

EXAMPLES = """\b
Examples:
  python -m vertex tune --space searches/from_scratch.yaml --dataset digits --model cnn -- --epochs 10
  python -m vertex tune --space searches/from_scratch.yaml --model cnn --trials 20 --parallel 4 --spot
  python -m vertex tune --space searches/fine_tuning.yaml --study fine --dry-run -- --weights imagenet

What stands behind -- are options of the training, the same for every trial.
"""


@dataclass(frozen=True)
class Search:
    """What is tried, under which name, how often; None: as the search space says."""

    space: SearchSpace
    study: str
    trials: int | None = None
    parallel: int | None = None


def tune(request: Request, search: Search, options: JobOptions, where: Settings, sending: Sending) -> None:
    """Send a tuning job and follow it, or show it.

    Raises:
        InputError: something that was given can't be used, or the service refuses.
        StageError: the service can't be reached, or the job ended otherwise than well.
    """
    work = trial(request, search.study)
    job = tuning_job(
        work,
        search.space,
        options,
        where,
        now=datetime.now(UTC),
        trials=search.trials,
        parallel=search.parallel,
    )
    about = {"name": job.display_name, "trials": job.max_trial_count, "parallel": job.parallel_trial_count}
    about |= summary(work, options, where)
    send(job, where, sending, **about)


@grouped
def tune_cli(
    extra: Annotated[
        list[str] | None, typer.Argument(metavar="-- EXTRA", help="Further options of every training.")
    ] = None,
    *,
    space: Annotated[str, typer.Option(help="The search space: a YAML file, or its URI.")],
    study: Annotated[str, typer.Option(help="The study's name: it names the folder.")] = "study",
    trials: Annotated[
        int | None, typer.Option(min=1, max=10000, help="How many in all, in place of maxTrialCount.")
    ] = None,
    parallel: Annotated[
        int | None, typer.Option(min=1, max=1000, help="How many at once, in place of parallelTrialCount.")
    ] = None,
    folders: Folders,
    training: Training,
    sending: Sending,
    options: JobOptions,
    where: Where,
) -> None:
    """Search for the best options of a training on Vertex AI, each trial a training of its own.

    A trial fills models/DATASET/STUDY/TRIAL/model. The best one is named at the end, with the command that
    judges it. Ctrl-C leaves the job running.
    """
    settings = where.settings()
    request = Request(
        stage=Stage.TRAIN,
        root=root_uri(folders),
        dataset=folders.dataset,
        model=training.model,
        gpu=training.gpus(),
        workers=training.workers,
        extra=tuple(extra or ()),
    )
    search = Search(SearchSpace.read(space), study, trials, parallel)
    tune(request, search, options, settings, sending)
