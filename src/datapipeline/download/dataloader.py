"""Bring a data set into `raw/<dataset>`: its files as they are, then `source.json`.

In: names of the catalogue, folders, archives, http(s) addresses, gs:// objects or prefixes.
Out: the same bytes in the output folder; an archive is never unpacked.
"""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from contracts import options
from contracts.console import run_app
from contracts.dataset import Source
from contracts.errors import StageError
from contracts.lock import locked
from datapipeline.download import catalogue, standing
from datapipeline.download.filling import fill
from datapipeline.download.sources import find_all

app = typer.Typer(add_completion=False, rich_markup_mode=None)

EXAMPLES = """\b
Examples:
  What comes with Chrysalis, what the catalogue names, a folder of yours:
    python -m datapipeline.download.dataloader --source digits --output data/raw/digits
    python -m datapipeline.download.dataloader --source flowers --output gs://b/raw/flowers
    python -m datapipeline.download.dataloader --source ~/photos --output data/raw/photos
\b
  An archive by its address; killed or cut off, the same command goes on where it was:
    python -m datapipeline.download.dataloader --source https://host/moths.zip \\
      --sha256 HEX --output data/raw/moths
\b
  From a bucket, an archive or all below a prefix:
    python -m datapipeline.download.dataloader --source gs://a/photos.zip --output gs://b/raw/photos
    python -m datapipeline.download.dataloader --source gs://a/photos --output data/raw/photos
\b
  Several in one: archives side by side, each folder in one of its own name. Add a --source
  later and only that is fetched; leave one out and only its files go:
    python -m datapipeline.download.dataloader --source ~/moths --source https://host/a.zip \\
      --source https://host/b.zip --sha256 b.zip=HEX --output data/raw/moths"""


@app.command(epilog=EXAMPLES)
def dataloader_cli(
    source: Annotated[
        list[str],
        typer.Option(
            metavar="NAME|PATH|URI",
            help="A name of the catalogue (digits, flowers, dogs), a folder, an archive (zip, tar, tar.gz), "
            "an http(s) address of one, or a gs:// object or prefix. Once for each of several.",
        ),
    ],
    output: options.Output,
    sha256: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]HEX",
            help="What an archive must hash to; with its file name where there are several.",
        ),
    ] = None,
    catalogue: Annotated[
        Path,
        typer.Option(
            envvar="CHRYSALIS_CATALOGUE",
            help="Folder of the catalogue's *.toml.",
            show_default="data/sources",
        ),
    ] = catalogue.FOLDER,
) -> None:
    """Fetch a data set as it is and say in source.json what was fetched.

    What is there and whole isn't fetched again. Over http(s), what came of a file is kept through kills and
    failures and the rest asked for; nothing stands under its final name before it is whole and checked.
    """
    dataloader(source, output, catalogue, sha256 or ())


def dataloader(
    source: str | Sequence[str], output: str, catalogue: Path = catalogue.FOLDER, sha256: Sequence[str] = ()
) -> Source:
    """Fill the folder `output` (a path or a gs:// URI) with the files of each `source`, and describe them.

    What is there and whole stays, so a killed run is finished by the same call. `sha256` is `HEX` of the only
    archive, or `NAME=HEX` for each.

    Raises:
        InputError: there is nothing to fetch, two sources clash, or the output holds something else.
        StageError: the transfer failed, or another run works in the output.
    """
    began = datetime.now(UTC)  # a file of a source that is younger than this counts as changed
    wanted = find_all([source] if isinstance(source, str) else source, output, catalogue, sha256)
    standing.listing(output)  # refuses a file
    with locked(output), _room_told(output):
        return fill(wanted, output, began)


@contextmanager
def _room_told(output: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StageError(
            f"{output} has no room left ({error.strerror}): make some and run the same command again, which "
            "goes on with what is there"
        ) from error


if __name__ == "__main__":
    run_app(app, "python -m datapipeline.download.dataloader")
