"""`python -m models.trainer.board`: TensorBoard over the logs of one run, or of all runs of a data set.

TensorBoard reads no emulated bucket, and real ones only with its own credentials. So logs in a bucket are
followed through `storage` into a temporary folder, every few seconds.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from contracts import storage
from contracts.console import log, run_app
from contracts.errors import StageError

EXAMPLES = """Examples:

python -m models.trainer.board --logs data/models/digits

python -m models.trainer.board --logs gs://bucket/models/flowers/vgg16 --port 6007"""

SECONDS_BETWEEN_LOOKS: Final = 5

EVENT_FILE: Final = "tfevents"
"""What stands in the name of every file that TensorBoard reads."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def board_cli(
    logs: Annotated[
        str,
        typer.Option(help="Folder to look in, also deeply: a path or gs://bucket/prefix; it may be empty."),
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for every interface.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 6006,
) -> None:
    """Show the curves of training runs, also while they train."""
    board(logs, host, port)


def board(logs: str, host: str, port: int) -> None:
    """Run TensorBoard until it ends or this process is told to."""
    if not storage.is_remote(logs):
        with tensorboard(Path(logs), host, port) as server:
            server.wait()
            raise ended(server)
    with tempfile.TemporaryDirectory(prefix="chrysalis-board-") as folder:
        follow(logs, Path(folder))
        log("following logs", uri=logs, seconds=SECONDS_BETWEEN_LOOKS)
        with tensorboard(Path(folder), host, port) as server:
            while server.poll() is None:
                time.sleep(SECONDS_BETWEEN_LOOKS)
                follow(logs, Path(folder))
            raise ended(server)


def follow(uri: str, folder: Path) -> None:
    """Bring local copies of a bucket's event files up to date.

    Event files only grow, and TensorBoard keeps them open: what is new is appended, not renamed over them.
    """
    try:
        files = storage.list_files(uri)
    except storage.NotFoundError:
        return
    for file in files:
        copy = folder / file.name
        have = copy.stat().st_size if copy.exists() else 0
        if EVENT_FILE in file.name and file.bytes > have:
            copy.parent.mkdir(parents=True, exist_ok=True)
            with storage.open_read(storage.join(uri, file.name)) as source, copy.open("ab") as target:
                source.seek(have)
                shutil.copyfileobj(source, target)


@contextmanager
def tensorboard(folder: Path, host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start TensorBoard, and end it with the block."""
    options = ["--logdir", str(folder), "--host", host, "--port", str(port), "--reload_interval", "5"]
    server = subprocess.Popen([sys.executable, "-m", "tensorboard.main", *options])
    try:
        yield server
    finally:
        server.terminate()
        server.wait()


def ended(server: subprocess.Popen[bytes]) -> StageError:
    """The error of a TensorBoard that ended by itself."""
    return StageError(f"TensorBoard ended with exit code {server.returncode}: see its message above")


if __name__ == "__main__":
    run_app(app, "python -m models.trainer.board")
