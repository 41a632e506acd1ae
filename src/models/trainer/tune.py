"""`python -m models.trainer.tune`: search for the best options of a training, as a file says.

In: a search space (`contracts.search_space`) and a processed data set. Out: a study's folder with a folder
for each trial, of which the best one's holds the bundle; `study.html` and `study.json` come last.
"""

from typing import Annotated

import typer

from contracts import storage
from contracts.console import log, run_app
from contracts.dataset import ShardIndex
from contracts.options import Input, Output
from contracts.search_space import SearchSpace
from models.trainer.tuning.asked import Asked
from models.trainer.tuning.cores import Slots
from models.trainer.tuning.folder import open_study_folder
from models.trainer.tuning.journal import open_study
from models.trainer.tuning.outcome import conclude
from models.trainer.tuning.proposals import Proposals, Pruner
from models.trainer.tuning.record import Study
from models.trainer.tuning.search import Search
from models.trainer.tuning.training import Training

EXAMPLES = """\b
Examples:
  python -m models.trainer.tune --space searches/from_scratch.yaml --model cnn --gpu 0 \\
    --input data/processed/digits --output data/models/digits/study -- --epochs 5

The same command again goes on where the study stopped, and tries again what failed;
with more --trials it continues a finished one.
Options behind the -- are those of the training, the same for every trial."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def tune_cli(
    space: Annotated[str, typer.Option("--space", help="The search space: a YAML file, or its URI.")],
    data: Input,
    output: Output,
    model: Annotated[
        str, typer.Option("--model", help="The architecture, where the search space doesn't choose it.")
    ] = "vgg16",
    gpu: Annotated[
        str, typer.Option("--gpu", help="GPUs of this host for all trials: a number, or all; 0: the CPU.")
    ] = "1",
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="How many in all, in place of maxTrialCount.")
    ] = None,
    parallel: Annotated[
        int | None,
        typer.Option("--parallel", min=1, help="How many at once, in place of parallelTrialCount."),
    ] = None,
    pruner: Annotated[
        Pruner, typer.Option("--pruner", help="How bad trials are stopped early, from 4 epochs on.")
    ] = "median",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is tried.")] = 0,
    wandb_sweep: Annotated[
        str | None,
        typer.Option("--wandb-sweep", help="Write the equivalent sweep of W&B into this file, and stop."),
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Behind a --: options of every training.", show_default=False)
    ] = None,
) -> None:
    """Search for the best options of a training, and keep the best model."""
    asked = Asked(
        space_uri=space,
        space=SearchSpace.read(space),
        input_uri=data,
        output_uri=output,
        training=Training(model, tuple(arguments or ())),
        gpu=gpu,
        trials=trials,
        parallel=parallel,
        pruner=pruner,
        seed=seed,
    )
    if wandb_sweep is None:
        tune(asked)
        return
    from models.trainer.tuning.sweep import write_sweep

    write_sweep(wandb_sweep, asked)


def tune(asked: Asked) -> Study:
    """Run a study to its end, and export its best trial.

    The same call again goes on from where it was stopped, or finds the study finished.

    Raises:
        InputError: something that was given can't be used. Then nothing was written.
        StageError: another process works in the folder, or too many trials failed.
    """
    index = ShardIndex.read(asked.input_uri)
    asked.check()
    slots = Slots(asked.gpu, asked.parallel or asked.space.parallel_trial_count)
    first = asked.training.defaults(asked.space)
    with open_study_folder(asked.output_uri) as folder:
        there = Study.read_for_update(asked.output_uri)
        study = open_study(folder.local, asked.name, asked.space.metric.goal, asked.settled(index))
        proposals = Proposals(study, asked.space, first, asked.seed)
        wanted = min(asked.wanted, proposals.limit or asked.wanted)
        if there is not None and len(there.trials) >= wanted:
            log("already tuned", study=storage.join(asked.output_uri, Study.file_name), best=there.best)
            return there
        Search(study, asked, proposals, slots, folder).run(wanted)
        return conclude(study, asked, first, index, slots, folder)


if __name__ == "__main__":
    run_app(app, "python -m models.trainer.tune")
