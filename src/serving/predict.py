"""`python -m serving.predict`: classify image files, in this process or by a running server.

In: image files. Out: a table or lines of JSON on standard output, and with `--show` a picture of each with
its bars.
"""

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, NamedTuple, Protocol

import typer

from contracts import storage
from contracts.console import log, progress, run_app
from contracts.errors import InputError
from contracts.options import check_fillable
from imaging import ImageError, decode
from serving.api_key import read_key
from serving.client import Client
from serving.predictions import Prediction
from serving.predictor import Ranked, load_predictor
from serving.runtimes import RuntimeName
from serving.settings import Settings


class Classify(Protocol):
    """Who says what images show."""

    parallel: int
    """From how many threads it may be called at once."""

    def __call__(self, images: Sequence[bytes]) -> list[Prediction | ImageError]:
        """Classify encoded images, in their order; an error stands for one that can't be used."""
        ...


class Looked(NamedTuple):
    """What became of an image."""

    uri: str
    answer: Prediction | Exception


TOGETHER = 8
"""Images that are read and classified at once; for more, progress is shown."""
PICTURE = ".prediction.png"
"""Behind the image's own name without its ending."""

EXAMPLES = """\b
Examples:
  python -m serving.predict --model data/models/digits/vgg16 photo.jpg
  python -m serving.predict --url http://127.0.0.1:8080 --top-k 3 *.jpg
  CHRYSALIS_API_KEY_FILE=key python -m serving.predict --url https://example.org --json *.jpg
  python -m serving.predict --model data/models/digits/vgg16 --show photo.jpg

Images of more than 300 kB are made smaller before they are sent, so that a request stays below 1.5 MB.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def predict_cli(
    context: typer.Context,
    images: Annotated[
        list[str], typer.Argument(help="Image files: paths or gs:// URIs.", show_default=False)
    ],
    model: Annotated[
        str | None, typer.Option(envvar="CHRYSALIS_MODEL", help="Bundle: a folder or gs://bucket/prefix.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Ask the server there instead; its key is CHRYSALIS_API_KEY's.")
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Classes shown for each image.")] = 3,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Below it, a best class is told as not sure [0.5, or the server's]."),
    ] = None,
    runtime: Annotated[RuntimeName, typer.Option(help="What runs the model in this process.")] = (
        RuntimeName.AUTO
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each image.")] = False,
    show: Annotated[
        bool, typer.Option("--show", help=f"Draw each image with its bars: <name>{PICTURE} in this folder.")
    ] = False,
    show_in: Annotated[
        str | None, typer.Option(help="Draw them into this folder: a path or gs://bucket/prefix.")
    ] = None,
) -> None:
    """Print the most probable classes of images."""
    source = context.get_parameter_source("model")
    if url and source and source.name == "COMMANDLINE":  # the environment's is for other commands, too
        raise InputError("expected either --model or --url, got both: the server at --url has its own model")
    if url:
        classify: Classify = ask_server(url, top_k, threshold)
    elif model:
        classify = InProcess(model, runtime, top_k, threshold)
    else:
        raise InputError("expected --model with a bundle, or --url with a running server")
    pictures = show_in if show_in is not None else "." if show else None
    predict(images, classify, pictures, as_json=as_json)


def predict(
    images: Sequence[str], classify: Classify, pictures: str | None = None, *, as_json: bool = False
) -> None:
    """Print a small table for each image; those that can't be used are named at the end.

    Args:
        images: paths or gs:// URIs.
        classify: who says what they show.
        pictures: the folder to draw them into; None: they aren't drawn.
        as_json: print lines of JSON instead.

    Raises:
        InputError: some couldn't be used.
        StageError: the server failed.
    """
    bad = []
    if pictures is not None:
        check_fillable(pictures, "--show-in")
    names = [None] * len(images) if pictures is None else picture_uris(images, pictures)
    for looked, picture in zip(_shown(look(images, classify), len(images)), names, strict=True):
        uri, answer = looked
        if isinstance(answer, Exception):
            bad.append(f"{uri}: {answer}" if isinstance(answer, ImageError) else str(answer))
            continue
        typer.echo(answer.json(uri) if as_json else answer.table(uri))
        if picture:
            write_picture(picture, storage.read_bytes(uri), uri, answer.top)
    if bad:
        raise InputError("; ".join(bad))


def look(images: Sequence[str], classify: Classify) -> Iterator[Looked]:
    """Read and classify images, some at once, and give them in their order.

    Raises:
        InputError: there is no server of ours.
        StageError: it failed.
    """
    parts = [images[start : start + TOGETHER] for start in range(0, len(images), TOGETHER)]
    with ThreadPoolExecutor(classify.parallel) as threads:
        try:
            for part in threads.map(lambda uris: _look(uris, classify), parts):
                yield from part
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def _look(uris: Sequence[str], classify: Classify) -> list[Looked]:
    read = [_read(uri) for uri in uris]
    good = [data for data in read if isinstance(data, bytes)]
    answers = iter(classify(good) if good else [])
    return [
        Looked(uri, data if isinstance(data, Exception) else next(answers))
        for uri, data in zip(uris, read, strict=True)
    ]


def _read(uri: str) -> bytes | Exception:
    if not storage.is_remote(uri) and Path(uri).is_dir():
        return InputError(f"{uri} is a folder: name its images, such as {Path(uri) / '*.jpg'}")
    try:
        return storage.read_bytes(uri)
    except (InputError, OSError) as error:  # NotFoundError, too
        return error


def _shown(looked: Iterator[Looked], total: int) -> Iterable[Looked]:
    if total <= TOGETHER:
        return looked
    return progress(looked, total=total, what="classifying images", unit="images")


def picture_uris(images: Sequence[str], folder: str) -> list[str]:
    """Name a picture for each image: no two alike, and none an image's own name."""
    taken = {_absolute(uri) for uri in images}
    pictures = []
    for uri in images:
        stem, number = PurePosixPath(storage.last_part(uri)).stem, 1
        picture = storage.join(folder, f"{stem}{PICTURE}")
        while _absolute(picture) in taken:
            number += 1
            picture = storage.join(folder, f"{stem}-{number}{PICTURE}")
        taken.add(_absolute(picture))
        pictures.append(picture)
    return pictures


def _absolute(uri: str) -> str:
    return uri if storage.is_remote(uri) else os.path.realpath(uri)


def write_picture(picture: str, image: bytes, uri: str, best: Sequence[Ranked]) -> None:
    """Draw a classified image with its bars, as a PNG.

    Args:
        picture: the PNG's path or URI.
        image: encoded.
        uri: where it came from, whose last part stands above the bars.
        best: likeliest first.

    Raises:
        ImageError: it can't be decoded here.
    """
    from serving.picture import draw

    buffer = io.BytesIO()
    draw(decode(image).image, storage.last_part(uri), best).save(buffer, "PNG")
    storage.write_bytes(picture, buffer.getvalue())
    log("picture", file=picture)


class InProcess:
    """Classifies by a bundle that is loaded into this process."""

    parallel = 1

    def __init__(self, model: str, runtime: RuntimeName, top_k: int, threshold: float | None) -> None:
        settings = Settings.from_environment(os.environ, model=model, runtime=runtime, threshold=threshold)
        self._predictor = load_predictor(settings.model, settings.runtime)
        self._top_k, self._threshold = top_k, settings.threshold

    def __call__(self, images: Sequence[bytes]) -> list[Prediction | ImageError]:
        """Classify one image after the other."""
        return [self._classify(image) for image in images]

    def _classify(self, image: bytes) -> Prediction | ImageError:
        try:
            top = self._predictor.predict(image, self._top_k)
        except ImageError as error:
            return error
        return Prediction(top, sure=top[0].probability >= self._threshold)


def ask_server(url: str, top_k: int, threshold: float | None) -> Client:
    """Classify by a running server, with the key of the environment if there is one."""
    parameters: dict[str, Any] = {"top_k": top_k}
    if threshold is not None:
        parameters["threshold"] = threshold
    return Client(url, parameters, read_key(Settings.from_environment(os.environ, model=url)))


if __name__ == "__main__":
    run_app(app, "python -m serving.predict")
