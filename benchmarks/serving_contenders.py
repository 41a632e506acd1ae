"""Who serves: ours and its peers, each in the settings that suit it; and the same photo without a server."""

from pathlib import Path
from typing import Final

from benchmarks.commands import CONTENDERS, ENVIRONMENT, PYTHON, ROOT
from benchmarks.serving_process import Contender

FOLDER: Final = ROOT / "benchmarks/serving_peers"
PEERS: Final = FOLDER / ".venv/bin"
CORES: Final = 2
"""On which everything runs, the load included."""
HOST: Final = "127.0.0.1"

OURS: Final = "ours"
FASTAPI: Final = "FastAPI, SavedModel"
FLASK: Final = "Flask, gunicorn, SavedModel"
LITSERVE: Final = ("LitServe, a worker a core", "LitServe, one worker")
BENTOML: Final = ("BentoML, a worker a core", "BentoML, one worker")
BARE: Final = ("bare, an interpreter a core", "bare, one interpreter")

WORKERS: Final = ((CORES, 1), (1, CORES))
"""Workers and the threads of each: what gives throughput, and what gives latency."""
QUIET: Final = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "BENTOML_DO_NOT_TRACK": "true",
    "LITSERVE_DISABLE_TELEMETRY": "1",
}


def ours(bundle: Path, **settings: int) -> Contender:
    """`python -m serving`, by default in the settings that it chooses by itself."""
    variables = {f"CHRYSALIS_{name.upper()}": str(value) for name, value in settings.items()}
    command = (PYTHON, "-m", "serving", "--model", str(bundle), "--port")
    return Contender(lambda port: (*command, str(port)), {**ENVIRONMENT, **variables})


def settings(bundle: Path) -> dict[str, Contender]:
    """Ours as it chooses by itself, and as it can be told."""
    return {
        OURS: ours(bundle),
        f"workers {CORES}": ours(bundle, workers=CORES),
        f"workers {CORES}, threads 1": ours(bundle, workers=CORES, threads=1),
        f"workers {CORES}, threads {CORES}": ours(bundle, workers=CORES, threads=CORES),
    }


def everybody(bundle: Path) -> dict[str, Contender]:
    """Ours and all peers."""
    bound = ("--host", HOST, "--port")
    fastapi = (str(PEERS / "uvicorn"), "serve_fastapi:app", "--log-level", "warning", *bound)
    flask = (str(PEERS / "gunicorn"), "serve_flask:app", "--threads", "4", "--timeout", "0", "--bind")
    litserve = (str(PEERS / "python"), "serve_litserve.py")
    bentoml = (str(PEERS / "bentoml"), "serve", "serve_bentoml:Flowers", *bound)

    def peer(command: tuple[str, ...], workers: int = 1, threads: int = 1) -> Contender:
        variables = {"BUNDLE": str(bundle), "WORKERS": str(workers), "THREADS": str(threads)}
        return Contender(lambda port: (*command, str(port)), {**QUIET, **variables}, FOLDER)

    found = {
        OURS: ours(bundle),
        FASTAPI: peer(fastapi),
        FLASK: Contender(lambda port: (*flask, f"{HOST}:{port}"), peer(flask).environment, FOLDER),
    }
    for names, command in ((LITSERVE, litserve), (BENTOML, bentoml)):
        for name, (workers, threads) in zip(names, WORKERS, strict=True):
            found[name] = peer(command, workers, threads)
    return found


def bare_command(bundle: Path, photo: Path, name: str, seconds: float) -> list[str]:
    """Decoding and asking without HTTP."""
    workers, threads = WORKERS[BARE.index(name)]
    script = CONTENDERS / "serving_bare.py"
    return [PYTHON, *map(str, (script, bundle, photo, workers, threads, seconds))]
