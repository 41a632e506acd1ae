"""`python -m vertex`: one sub-command for each thing that Vertex AI can do for a stage or a model."""

import typer

from contracts.console import run_app
from vertex.environment_file import load_environment_file
from vertex.push import EXAMPLES as PUSH_EXAMPLES
from vertex.push import push_cli
from vertex.submit import EXAMPLES, submit_cli

app = typer.Typer(add_completion=False, rich_markup_mode=None)
app.command("submit", epilog=EXAMPLES)(submit_cli)
app.command("push", epilog=PUSH_EXAMPLES)(push_cli)


@app.callback()
def vertex() -> None:
    """Run Chrysalis on Google Cloud's Vertex AI. Settings come from options, the environment and .env."""
    load_environment_file()  # before the sub-command's options are read


if __name__ == "__main__":
    run_app(app, "python -m vertex")
