"""`python -m serving.predict`: classify image files, in this process or by a running server.

In: image files. Out: a table on standard output, and with `--show` a picture of each with its bars.
"""

import io
import os
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Annotated

import requests
import typer

from contracts import storage
from contracts.console import log, run_app
from contracts.errors import InputError, StageError
from contracts.options import check_fillable
from imaging import ImageError, decode
from serving.predictor import Ranked, load_predictor
from serving.runtimes import RuntimeName

Classify = Callable[[bytes], Sequence[Ranked]]

TIMEOUT_S = 60
BAR = 24
"""Characters of a certain class's bar."""
PICTURE = ".prediction.png"
"""Behind the image's own name without its ending."""

EXAMPLES = """\b
Examples:
  python -m serving.predict --model data/models/digits/vgg16 photo.jpg
  python -m serving.predict --url http://127.0.0.1:8080 --top-k 3 *.jpg
  python -m serving.predict --model data/models/digits/vgg16 --show photo.jpg
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def predict_cli(
    images: Annotated[
        list[str], typer.Argument(help="Image files: paths or gs:// URIs.", show_default=False)
    ],
    model: Annotated[
        str | None, typer.Option(envvar="CHRYSALIS_MODEL", help="Bundle: a folder or gs://bucket/prefix.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Ask the server there instead.")] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Classes shown for each image.")] = 3,
    runtime: Annotated[RuntimeName, typer.Option(help="What runs the model in this process.")] = (
        RuntimeName.AUTO
    ),
    show: Annotated[
        bool, typer.Option("--show", help=f"Draw each image with its bars: <name>{PICTURE} in this folder.")
    ] = False,
    show_in: Annotated[
        str | None, typer.Option(help="Draw them into this folder: a path or gs://bucket/prefix.")
    ] = None,
) -> None:
    """Print the most probable classes of images."""
    if url:
        classify = ask_server(url, top_k)
    elif model:
        classify = ask_model(model, runtime, top_k)
    else:
        raise InputError("expected --model with a bundle, or --url with a running server")
    predict(images, classify, show_in if show_in is not None else "." if show else None)


def predict(images: Sequence[str], classify: Classify, pictures: str | None = None) -> None:
    """Print a small table for each image; those that can't be used are named at the end.

    Args:
        images: paths or gs:// URIs.
        classify: who says what they show.
        pictures: the folder to draw them into; None: they aren't drawn.

    Raises:
        InputError: some couldn't be used.
    """
    bad = []
    if pictures is not None:
        check_fillable(pictures, "--show-in")
    names = [None] * len(images) if pictures is None else picture_uris(images, pictures)
    for uri, picture in zip(images, names, strict=True):
        try:
            image = storage.read_bytes(uri)
        except (InputError, storage.NotFoundError, OSError) as error:
            bad.append(str(error))
            continue
        try:
            best = classify(image)
            typer.echo(table(uri, best))
            if picture:
                write_picture(picture, image, uri, best)
        except ImageError as error:
            bad.append(f"{uri}: {error}")
    if bad:
        raise InputError("; ".join(bad))


def table(uri: str, best: Sequence[Ranked]) -> str:
    """An image's name, and under it a line for each class: name, percent, bar."""
    width = max(len(name) for name, _ in best)
    lines = [
        f"  {name:<{width}}  {probability:6.1%}  {'█' * round(probability * BAR)}".rstrip()
        for name, probability in best
    ]
    return "\n".join([uri, *lines])


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


def ask_model(uri: str, runtime: RuntimeName, top_k: int) -> Classify:
    """Load a bundle, and classify in this process."""
    predictor = load_predictor(uri, runtime)
    return lambda image: predictor.predict(image, top_k)


def ask_server(url: str, top_k: int) -> Classify:
    """Classify by a running server."""
    session = requests.Session()

    def classify(image: bytes) -> list[Ranked]:
        try:
            answer = session.post(
                f"{url.rstrip('/')}/predict", files={"file": image}, data={"top_k": top_k}, timeout=TIMEOUT_S
            )
            content = answer.json()
        except requests.JSONDecodeError:
            raise InputError(f"{url} isn't a Chrysalis server: it answered no JSON") from None
        except requests.RequestException as error:
            raise InputError(
                f"{url} can't be asked ({type(error).__name__}): is the server running?"
            ) from None
        if answer.status_code == 422:
            raise ImageError(content["error"])
        if not answer.ok:
            raise StageError(f"{url} answered {answer.status_code}: {content.get('error', content)}")
        return [Ranked(item["class"], item["probability"]) for item in content["predictions"][0]["top"]]

    return classify


if __name__ == "__main__":
    run_app(app, "python -m serving.predict")
