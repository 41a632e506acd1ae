"""`python -m vertex`: one sub-command for each thing that Vertex AI can do for a stage or a model."""

import typer

from contracts.console import run_app
from vertex.submit import EXAMPLES, submit_cli

app = typer.Typer(add_completion=False, rich_markup_mode=None)
app.command("submit", epilog=EXAMPLES)(submit_cli)


@app.callback()
def vertex() -> None:
    """Run Chrysalis on Google Cloud's Vertex AI."""


if __name__ == "__main__":
    run_app(app, "python -m vertex")
