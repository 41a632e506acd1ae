"""`make report`: collect the reports under a root, and the benchmarks, into one place with an index."""

from typing import Annotated

import typer

from contracts import storage
from contracts.console import log, run_app

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def report(
    root: Annotated[str, typer.Option(help="What the stages wrote under: a path or gs://….")] = "data",
    dataset: Annotated[list[str] | None, typer.Option(help="Only this one; may be given again.")] = None,
    output: Annotated[str, typer.Option(help="Folder for the pages: a path or gs://….")] = "reports",
) -> None:
    """Collect data reports, training reports, studies and benchmarks, and write index.html.

    A re-run replaces what it wrote and removes what is gone from the root.

    Example: python -m tools.report --root data --output reports
    """
    from tools.report.collecting import collect

    collected = collect(root, output, dataset or [])
    for found in collected.datasets:
        for line in found.unreadable:
            log("left out", dataset=found.name, reason=line)
    index = storage.join(output, "index.html")
    log("reports collected", index=index, pages=collected.pages, removed=collected.removed)


if __name__ == "__main__":
    run_app(app, "python -m tools.report")
