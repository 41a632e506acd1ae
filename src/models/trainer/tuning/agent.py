"""`python -m models.trainer.tuning.agent`: what W&B's agent starts for each run of a sweep.

It becomes the training's own command, with the parameters that W&B chose and a folder for this run.
"""

import json
import os
import sys
from typing import Annotated, Any

import typer

from contracts import storage
from contracts.console import run_app
from contracts.errors import InputError
from contracts.options import Input, Output
from contracts.search_parameter import Value
from models.trainer.tuning.training import Training

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    epilog="Example: python -m models.trainer.tune --wandb-sweep sweep.yaml … writes a sweep that starts this"
)
def agent_cli(
    data: Input,
    output: Output,
    chosen: Annotated[str, typer.Option("--chosen", help="The parameters that W&B chose, as JSON.")],
    model: Annotated[str, typer.Option("--model", help="The architecture, unless it is a parameter.")],
    gpu: Annotated[str, typer.Option("--gpu", help="As of the training.")] = "1",
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Behind a --: options of every training.", show_default=False)
    ] = None,
) -> None:
    """Train with the parameters of a run of a sweep."""
    run = os.environ.get("WANDB_RUN_ID")
    if not run:
        raise InputError("WANDB_RUN_ID is empty: this is for W&B's agent to start, by `wandb agent`")
    training = Training(model, tuple(arguments or ()))
    parameters = _parameters(chosen)
    module = f"models.{training.architecture_of(parameters).name}.train_multi_gpu"
    places = ["--gpu", gpu, "--input", data, "--output", storage.join(output, run), "--no-export"]
    command = [sys.executable, "-m", module, *places, *training.options_of(parameters)]
    os.execv(sys.executable, command)  # noqa: S606 - the agent's signals reach the training itself


def _parameters(chosen: str) -> dict[str, Value]:
    try:
        found: dict[str, Any] = json.loads(chosen)
    except ValueError as error:
        raise InputError(f"--chosen isn't JSON ({error}): it is what wandb puts for ${{args_json}}") from None
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in found.items()}


if __name__ == "__main__":
    run_app(app, "python -m models.trainer.tuning.agent")
