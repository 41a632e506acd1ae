"""`python -m models.trainer.evaluate`: a finished bundle on a split of a processed data set.

In: a bundle's folder and a folder of records with the same classes. Out: a table, and with `--output` a
report's folder (see `models.trainer.reporting.report`), `metrics.json` last.
"""

import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from contracts import storage
from contracts.bundle import KERAS_MODEL, SERVED, ModelBundle, Runtime, open_bundle
from contracts.console import log, run_app
from contracts.dataset import ShardIndex, Split
from contracts.errors import InputError
from contracts.options import Input, check_fillable
from models.trainer.reporting.evaluation import Evaluation
from models.trainer.reporting.files import METRICS, REPORT_FILES
from models.trainer.run_facts import RunFacts
from models.trainer.runtime import load_tensorflow
from models.trainer.shards import local_shards

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    epilog="Example: python -m models.trainer.evaluate --model data/models/digits/RUN "
    "--input data/processed/digits"
)
def evaluate_cli(
    model: Annotated[str, typer.Option("--model", help="Bundle: a path or gs://bucket/prefix.")],
    data: Input,
    output: Annotated[str | None, typer.Option("--output", help="Folder to write the report to.")] = None,
    split: Annotated[Split, typer.Option("--split", help="Which split to answer.")] = "test",
    runtime: Annotated[
        Literal["tensorflow", "litert", "both"],
        typer.Option(
            "--runtime",
            help="Which of the bundle's models; both: they are compared, the report is TensorFlow's.",
        ),
    ] = "tensorflow",
) -> None:
    """Measure a trained model on a data set of the same classes."""
    runtimes: Sequence[Runtime] = tuple(SERVED) if runtime == "both" else (runtime,)
    typer.echo(table(evaluate(model, data, output, split=split, runtimes=runtimes)))


def evaluate(
    model: str,
    data: str,
    output: str | None = None,
    *,
    split: Split = "test",
    runtimes: Sequence[Runtime] = ("tensorflow",),
) -> Evaluation:
    """Answer every image of a split and measure the answers.

    Args:
        model: the bundle's URI.
        data: the records' URI.
        output: where to write the report of the first runtime's answers; None: nowhere.
        split: which split.
        runtimes: which of the bundle's models are asked.

    Raises:
        InputError: either is missing or broken, their classes differ, or the split is empty.
    """
    index = ShardIndex.read(data)
    bundle = ModelBundle.read(model)
    bundle.check_classes(model, index.class_names, data)
    other_data = bundle.dataset_digest != index.manifest_digest
    if other_data:
        log(
            "not the data that the model was trained on: some of it may have been; mind the figures",
            data=data,
        )
    shards = local_shards(data, index, [split])
    if output is not None:
        _check_output(output)
    wanted = [SERVED[runtime] for runtime in runtimes] + ([KERAS_MODEL] if output else [])
    with open_bundle(model, wanted) as (folder, _):
        # Only now, as it takes seconds: `--help` and a wrong argument don't wait for it.
        load_tensorflow()
        from models.trainer.evaluation.answering import judge_bundle

        judgements = {
            runtime: judge_bundle(folder, bundle, runtime, index, split, shards[split])
            for runtime in runtimes
        }
        evaluation = Evaluation(model, data, other_data, judgements)
        if output is not None:
            _report(output, _facts(bundle, index, evaluation), evaluation, shards, folder / KERAS_MODEL)
    return evaluation


def table(evaluation: Evaluation) -> str:
    """The figures as a small text table: a column for each runtime, and how far they agree."""
    rows = [
        f"{name.replace('_', ' '):<18}" + "".join(f" {value:>10.4g}" for value in values)
        for name, values in evaluation.figures.items()
    ]
    if len(evaluation.judgements) == 1:
        return "\n".join(rows)
    head = " " * 18 + "".join(f" {runtime:>10}" for runtime in evaluation.judgements)
    return "\n".join([head, *rows, f"They name the same class for {evaluation.agreement:.2%} of the images."])


def _facts(bundle: ModelBundle, index: ShardIndex, evaluation: Evaluation) -> RunFacts:
    runtimes = list(evaluation.judgements)
    options = {
        "--model": evaluation.model,
        "--input": evaluation.data,
        "--split": evaluation.judgements[runtimes[0]].split,
        "--runtime": runtimes[0] if len(runtimes) == 1 else "both",
    }
    given = [part for option in options.items() for part in option]
    return RunFacts(
        name=bundle.name,
        architecture=bundle.architecture,
        index=index,
        image_size=bundle.image.size,
        image_spec=bundle.image,
        config=bundle.config,
        command=shlex.join(["python", "-m", "models.trainer.evaluate", *given]),
        output=evaluation.model,
        wandb_run=bundle.wandb_run,
    )


def _report(
    output: str,
    run: RunFacts,
    evaluation: Evaluation,
    shards: Mapping[Split, Sequence[str]],
    network: Path,
) -> None:
    import keras

    from models.trainer.evaluation.answering import loading
    from models.trainer.evaluation.label_errors import label_errors_of
    from models.trainer.reporting.report import write_report

    judgement = next(iter(evaluation.judgements.values()))
    # The network has seen the training split's labels, so its answers tell nothing of them.
    judged = {judgement.split: judgement.predictions}
    label_errors = label_errors_of(judged, run.index.class_names) if judgement.split != "train" else None
    with loading(network):
        loaded = keras.saving.load_model(network, compile=False)
    with tempfile.TemporaryDirectory(prefix="chrysalis-report-") as folder:
        write_report(
            Path(folder),
            run,
            judgement,
            shards,
            network=loaded,
            label_errors=label_errors,
            evaluation=evaluation,
        )
        names = {file.name for file in storage.list_files(folder)} - {METRICS}
        # What an earlier evaluation left; where there are no metrics, the report isn't whole.
        for name in sorted(_files_in(output) - names, key=lambda name: name != METRICS):
            storage.delete(storage.join(output, name))
        storage.upload_many(Path(folder), sorted(names), output)
        storage.upload(Path(folder, METRICS), storage.join(output, METRICS))


def _check_output(output: str) -> None:
    """Refuse a folder that holds something else than an earlier evaluation's report.

    Raises:
        InputError: that of a bundle, whose own report is part of it, or of somebody else's files.
    """
    check_fillable(output)
    if any(
        storage.exists(storage.join(folder, ModelBundle.file_name))
        for folder in (output, storage.resolve("..", output))
    ):
        raise InputError(f"--output {output} belongs to a bundle: name a folder outside of it")
    strangers = _files_in(output) - REPORT_FILES
    if strangers:
        raise InputError(
            f"--output {output} holds {min(strangers)}, which is no part of a report: name an empty folder"
        )


def _files_in(folder: str) -> set[str]:
    try:
        return {file.name for file in storage.list_files(folder)}
    except storage.NotFoundError:
        return set()


if __name__ == "__main__":
    run_app(app, "python -m models.trainer.evaluate")
