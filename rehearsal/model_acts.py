"""The acts in which the models serve: registered, deployed, asked, replaced."""

import json
from pathlib import Path

import requests

from contracts import storage
from contracts.bundle import ModelBundle
from rehearsal.play import DisagreementError, Play
from rehearsal.project import PROJECT, REGION, RUN


def deployment(play: Play) -> None:
    """Register the first run and deploy it: a container with what Vertex AI tells a model's server."""
    with play.act("python -m vertex register --model gs://… --alias champion") as compared:
        sent = play.vertex_command("register", "--model", RUN, "--alias", "champion")
        compared.append(f"{len(sent)} request, --dry-run's")
    with play.act("make deploy RUN=vertex MODEL=cnn") as compared:
        sent = play.make("deploy", "MODEL=cnn")
        compared.append(f"{len(sent)} requests, --dry-run's; healthy before the deployment was done")


def prediction(play: Play) -> None:
    """Classify the golden images of the first run's bundle through the endpoint."""
    images = golden_images(play)
    with play.act(
        "make predict RUN=vertex IMAGE=photo.jpg, and several with python -m vertex predict"
    ) as compared:
        play.commands("make", "predict", "RUN=vertex", f"IMAGE={images[0]}")
        told = play.commands.python(
            *("-m", "vertex", "predict", "--dataset", "digits", "--json", "--top-k", "10"), *map(str, images)
        )
        apart = distance(told.splitlines(), ModelBundle.read(RUN))
        compared.append(f"{len(images)} golden images: probabilities at most {apart:.1e} from the bundle's")


def distance(answers: list[str], bundle: ModelBundle) -> float:
    """How far the probabilities of lines of JSON are from those that the bundle has for its golden images.

    Raises:
        DisagreementError: further than the bundle allows.
    """
    apart = 0.0
    for line, golden in zip(answers, bundle.golden, strict=True):
        got = {one["class"]: one["probability"] for one in json.loads(line)["top"]}
        expected = dict(zip(bundle.class_names, golden.probabilities, strict=True))
        apart = max(apart, *(abs(got[name] - expected[name]) for name in expected))
    if apart > bundle.golden_tolerance:
        raise DisagreementError(f"a probability is {apart} from the bundle's golden one")
    return apart


def golden_images(play: Play) -> list[Path]:
    """The images of the first run's bundle of which the probabilities are known."""
    images = []
    for golden in ModelBundle.read(RUN).golden:
        images.append(play.commands.folder / Path(golden.file).name)
        images[-1].write_bytes(storage.read_bytes(storage.join(RUN, golden.file)))
    return images


def canary(play: Play, run_id: str) -> None:
    """Give another run a part of the requests, take them back, and give it all of them."""
    deploy = ("deploy", "MODEL=cnn", f"RUN_ID={run_id}")
    with play.act(f'make deploy RUN=vertex RUN_ID={run_id} VERTEX_ARGS="--canary 20"') as compared:
        sent = play.make(*deploy, options="--canary 20")
        compared.append(f"{len(sent)} requests, --dry-run's; {split(play)}")
    with play.act("make rollback RUN=vertex") as compared:
        sent = play.make("rollback")
        compared.append(f"{len(sent)} requests, --dry-run's; {split(play)}")
    prediction(play)
    with play.act("make deploy … as before, and make promote RUN=vertex") as compared:
        play.make(*deploy, options="--canary 20")
        sent = play.make("promote")
        compared.append(f"{len(sent)} requests, --dry-run's; {split(play)}")


def split(play: Play) -> str:
    """How the endpoint's requests are shared, by a request of its own."""
    parent = f"{play.vertex.url}/v1/projects/{PROJECT}/locations/{REGION}/endpoints"
    [endpoint] = requests.get(parent, timeout=10).json()["endpoints"]
    shares = sorted(endpoint.get("trafficSplit", {}).values(), reverse=True)
    return f"{len(endpoint['deployedModels'])} deployed, which get {' and '.join(map(str, shares))} %"
