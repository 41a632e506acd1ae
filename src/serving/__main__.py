"""`python -m serving`: serve a bundle over HTTP, with its web page."""

import errno
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from contracts.console import Terminated, log, run_app
from contracts.errors import InputError, StageError
from serving import libtiff
from serving.descriptors import fit_connections
from serving.loading import Loading
from serving.logs import configure_logs
from serving.memory import share_heap
from serving.options import variables, with_settings
from serving.predictor import load_predictor
from serving.settings import Settings
from serving.source import read_bundle

if TYPE_CHECKING:
    from serving.server import Server

GRACE_S: Final = 8
"""How long requests under way may take to end after SIGTERM; Cloud Run and Docker kill after 10 seconds."""

EXAMPLES = f"""\b
Examples:
  python -m serving --model data/models/digits/vgg16
  python -m serving --model data/models/digits/champion.json --require-blessed
  python -m serving --model gs://bucket/models/flowers/xception --host 0.0.0.0 --port 80
  curl -F file=@photo.jpg http://127.0.0.1:8080/predict

What the model's folder or champion.json names is loaded again, and takes over without a request lost, at
SIGHUP or POST /reload.

\b
Further settings, by their variables:
{variables()}
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
@with_settings
def serve_cli(
    settings: Settings,
    host: Annotated[
        str,
        typer.Option(envvar="CHRYSALIS_HOST", help="Address to listen on; 0.0.0.0 for every interface."),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            envvar=["CHRYSALIS_PORT", "AIP_HTTP_PORT", "PORT"], min=0, max=65535, help="0 takes a free one."
        ),
    ] = 8080,
    check: Annotated[
        bool, typer.Option("--check", help="Only load all that a start would, and replay the golden images.")
    ] = False,
) -> None:
    """Serve a trained model: a web page at /, POST /predict, and the routes of other model servers.

    /healthz answers as soon as the server runs; /readyz once the model is loaded and has given the
    same probabilities for the bundle's golden images as at its export.
    """
    if check:
        check_start(settings)
    else:
        serve(settings, host, port)


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then let the requests under way end.

    Raises:
        InputError: there is no such bundle, it isn't blessed and must be, or the address is taken.
        StageError: the model can't be loaded, or fails its golden replay.
    """
    # What is wrong with the name or the address shows before anything is loaded.
    read_bundle(settings.model, require_blessed=settings.require_blessed)
    with listen(host, port) as listener:
        share_heap()
        configure_logs()
        settings = fit_connections(settings)
        libtiff.silence()
        loading = Loading(settings, on_failure=lambda: setattr(server, "should_exit", True))
        loading.preload()
        # Meanwhile: the model, which isn't Python's, and they take as long as each other.
        from serving.app import create_app
        from serving.protocol import make_config
        from serving.server import Server

        # uvloop was measured: where a network takes 20 ms it is no quicker, and it costs 2 MB.
        options = {"loop": "asyncio", "timeout_graceful_shutdown": GRACE_S}
        server = Server(make_config(create_app(settings, loading), settings, **options))
        signal.signal(signal.SIGHUP, _reload_or_end(server, loading))
        log("listening", url=f"http://{host}:{listener.getsockname()[1]}", model=settings.model)
        try:
            server.run(sockets=[listener])
        except (KeyboardInterrupt, Terminated):  # uvicorn hands the signal on once it has shut down
            log("stopped")
    if loading.error:
        raise loading.error
    if not server.started:
        raise StageError("the server didn't start; its log says why")


def check_start(settings: Settings) -> None:
    """Do all that a start would, but take no address: another server may be at work there.

    Raises:
        InputError: as `serve`, or there is to be an API key and it can't be read.
        StageError: as `serve`.
    """
    from serving.app import create_app

    create_app(settings)  # which reads the key
    load_predictor(
        settings.model,
        settings.runtime,
        settings.max_pixels,
        require_blessed=settings.require_blessed,
        execution=settings.execution,
    )
    log("fit to be served", model=settings.model)


def _reload_or_end(server: "Server", loading: Loading) -> Callable[..., None]:
    """The handler of SIGHUP: reload; but end where it tells that our terminal was closed."""
    at_terminal = sys.stderr.isatty()

    def handle(*_: object) -> None:
        if at_terminal and not sys.stderr.isatty():
            server.should_exit = True
        else:
            loading.reload_soon()

    return handle


def listen(host: str, port: int) -> socket.socket:
    """Bind an address.

    Raises:
        InputError: it is taken, isn't this machine's, or needs rights that we lack.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host or None, port, family)  # whose error says what is wrong with a name
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:  # UnicodeError: what can't be a host's name
        advice = "stop what listens there, or choose another --port"
        if not (isinstance(error, OSError) and error.errno == errno.EADDRINUSE):
            advice = "choose another --host or --port"
        raise InputError(f"can't listen on {host}:{port}: {_reason(error)}; {advice}") from None
    # asyncio leaves Nagle's algorithm on for sockets made elsewhere: it held each answer back for 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, socket.gaierror):  # its numbers are the resolver's own
        return str(error.strerror)
    return os.strerror(error.errno or 0) if isinstance(error, OSError) else "no such name can be"


if __name__ == "__main__":
    run_app(app, "python -m serving")
