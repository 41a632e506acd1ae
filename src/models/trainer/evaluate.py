"""`python -m models.trainer.evaluate`: a finished bundle on a split of a processed data set.

In: a bundle's folder and a folder of records with the same classes. Out: a table, and with `--output` a
report's folder (see `models.trainer.reporting.report`), `metrics.json` last.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from contracts import storage
from contracts.bundle import LITERT_MODEL, SAVED_MODEL, ModelBundle, open_bundle
from contracts.console import log, run_app
from contracts.dataset import ShardIndex, Split
from contracts.errors import InputError
from contracts.options import Input
from models.trainer.evaluation.metrics import Metrics
from models.trainer.evaluation.metrics import evaluate as measure
from models.trainer.evaluation.predictions import Predictions
from models.trainer.run_facts import RunFacts
from models.trainer.runtime import load_tensorflow
from models.trainer.shards import local_shards

Runtime = Literal["tensorflow", "litert"]
_FILES: dict[Runtime, str] = {"tensorflow": SAVED_MODEL, "litert": LITERT_MODEL}

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
        Runtime, typer.Option("--runtime", help="Which of the bundle's models.")
    ] = "tensorflow",
) -> None:
    """Measure a trained model on a data set of the same classes."""
    typer.echo(table(evaluate(model, data, output, split=split, runtime=runtime)))


def evaluate(
    model: str,
    data: str,
    output: str | None = None,
    *,
    split: Split = "test",
    runtime: Runtime = "tensorflow",
) -> Metrics:
    """Answer every image of a split and measure the answers.

    Args:
        model: the bundle's URI.
        data: the records' URI.
        output: where to write the report; None: nowhere.
        split: which split.
        runtime: `tensorflow` asks the SavedModel, `litert` the LiteRT file.

    Raises:
        InputError: either is missing or broken, their classes differ, or the split is empty.
    """
    index = ShardIndex.read(data)
    bundle = ModelBundle.read(model)
    _check(bundle, model, index, data)
    if bundle.dataset_digest != index.manifest_digest:
        log(
            "not the data that the model was trained on: some of it may have been; mind the figures",
            data=data,
        )
    shards = local_shards(data, index, [split])[split]
    with open_bundle(model, [_FILES[runtime]]) as (folder, _):
        # Only now, as it takes seconds: `--help` and a wrong argument don't wait for it.
        load_tensorflow()
        from models.trainer.evaluation.answering import answer_all, bundle_answer

        predictions = answer_all(bundle_answer(folder, runtime), shards, bundle.image, index.examples(split))
    metrics = measure(
        predictions.probabilities,
        predictions.labels,
        bundle.class_names,
        temperature=bundle.calibration.temperature,
    )
    if output is not None:
        facts = _facts(bundle, model, index, data, f"--split {split} --runtime {runtime}")
        _report(output, facts, predictions, metrics, shards, split)
    return metrics


def table(metrics: Metrics) -> str:
    """The figures as a small text table."""
    return "\n".join(
        f"{name.replace('_', ' '):<18} {value:>10.4g}" for name, value in metrics.headline().items()
    )


def _check(bundle: ModelBundle, model: str, index: ShardIndex, data: str) -> None:
    if bundle.class_names != index.class_names:
        ours, theirs = set(bundle.class_names), set(index.class_names)
        only = [f"only in the model: {', '.join(sorted(ours - theirs)[:5])}"] if ours - theirs else []
        only += [f"only in the data: {', '.join(sorted(theirs - ours)[:5])}"] if theirs - ours else []
        raise InputError(
            f"expected the same classes, but {model} knows {len(bundle.class_names)} and {data} has "
            f"{len(index.class_names)} ({'; '.join(only) or 'in another order'}): "
            "name the data set that the model is for"
        )


def _facts(bundle: ModelBundle, model: str, index: ShardIndex, data: str, options: str) -> RunFacts:
    return RunFacts(
        name=bundle.name,
        architecture=bundle.architecture,
        index=index,
        image_size=bundle.image.size,
        config=bundle.config,
        command=f"python -m models.trainer.evaluate --model {model} --input {data} {options}",
        output=model,
        wandb_run=bundle.wandb_run,
    )


def _report(
    output: str,
    run: RunFacts,
    predictions: Predictions,
    metrics: Metrics,
    shards: Sequence[str],
    split: Split,
) -> None:
    from models.trainer.examples import read_examples
    from models.trainer.reporting.report import METRICS, write_report

    with tempfile.TemporaryDirectory(prefix="chrysalis-report-") as folder:
        write_report(Path(folder), run, predictions, metrics, read_examples(shards), split)
        names = [file.name for file in storage.list_files(folder) if file.name != METRICS]
        storage.upload_many(Path(folder), names, output)
        storage.upload(Path(folder, METRICS), storage.join(output, METRICS))


if __name__ == "__main__":
    run_app(app, "python -m models.trainer.evaluate")
