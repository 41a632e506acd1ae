"""`make notebooks`: run the notebooks over a data set and a run, and keep what they show as pages.

The notebooks themselves stay as they are, without outputs. In the output's folder each leaves one page that
needs nothing else: `eda-<dataset>.html`, `model_testing-<dataset>-<run-id>.html`.
"""

import os
from pathlib import Path
from typing import Annotated

import nbformat
import typer

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.console import log, run_app
from contracts.dataset import Manifest, ShardIndex
from contracts.errors import StageError

app = typer.Typer(add_completion=False, rich_markup_mode=None)

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
EDA, MODEL_TESTING = "eda", "model_testing"

SECONDS = 1800
"""A cell may take: a large data set is read in one."""


def execute(name: str, **parameters: str) -> nbformat.NotebookNode:
    """Run a notebook from top to bottom in a kernel of this environment; returns it with its outputs.

    Args:
        name: of the notebook.
        parameters: what its first cell reads from the environment; paths are absolute.

    Raises:
        StageError: a cell failed.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOKS)}},
        extra_arguments=["--log-level=ERROR"],  # it warns of its own transport otherwise
    )
    try:
        client.execute(env={**os.environ, **parameters})
    except CellExecutionError as error:
        raise StageError(f"{name}.ipynb: {error.ename}: {error.evalue}") from error
    return notebook


def as_page(notebook: nbformat.NotebookNode, title: str) -> str:
    """An executed notebook as HTML, in the frame of the reports."""
    from nbconvert import HTMLExporter

    from tools.report.pages import render
    from tools.report.publishing import INDEX

    exporter = HTMLExporter(template_name="basic", exclude_anchor_links=True, exclude_input_prompt=True)
    html, _ = exporter.from_notebook_node(notebook)
    return render("notebook.html.j2", title=title, html=html, back=f"../{INDEX}")


@app.command()
def notebooks(
    dataset: Annotated[str, typer.Option(help="The data set's name.")],
    run_id: Annotated[str, typer.Option(help="The training run's id.")],
    root: Annotated[str, typer.Option(help="What the stages wrote under: a path or gs://….")] = "data",
    photo: Annotated[
        Path | None,
        typer.Option(envvar="PHOTO", exists=True, dir_okay=False, resolve_path=True, help="One of your own."),
    ] = None,
    output: Annotated[str, typer.Option(help="Folder for the pages.")] = "reports/notebooks",
) -> None:
    """Run notebooks/eda.ipynb and model_testing.ipynb over a data set and a run, and write their pages.

    Example: python -m tools.notebooks --root data --dataset digits --run-id vgg16
    """
    Manifest.read(storage.join(root, "interim", dataset))
    ShardIndex.read(storage.join(root, "processed", dataset))
    ModelBundle.read(storage.join(root, "models", dataset, run_id))
    parameters = {"ROOT": root if storage.is_remote(root) else str(Path(root).resolve())}
    parameters |= {"DATASET": dataset, "RUN_ID": run_id, "PHOTO": str(photo or "")}
    for name, page in ((EDA, f"{EDA}-{dataset}"), (MODEL_TESTING, f"{MODEL_TESTING}-{dataset}-{run_id}")):
        log("running", notebook=f"{name}.ipynb")
        executed = execute(name, **parameters)
        uri = storage.join(output, f"{page.replace('/', '-')}.html")
        storage.write_bytes(uri, as_page(executed, page).encode())
        log("page written", page=uri)
    log("run make report to list them")


if __name__ == "__main__":
    run_app(app, "python -m tools.notebooks")
