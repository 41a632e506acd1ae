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
    with play.act("python -m vertex deploy --model gs://…") as compared:
        sent = play.vertex_command("deploy", "--model", RUN)
        compared.append(f"{len(sent)} requests, --dry-run's; healthy before the deployment was done")


def prediction(play: Play) -> None:
    """Classify the golden images of the first run's bundle through the endpoint."""
    with play.act("python -m vertex predict --dataset digits IMAGE…") as compared:
        images = golden_images(play)
        told = play.commands.python(
            *("-m", "vertex", "predict", "--dataset", "digits", "--json", "--top-k", "10"), *map(str, images)
        )
        answers = [
            {one["class"]: one["probability"] for one in json.loads(line)["top"]}
            for line in told.splitlines()
        ]
        golden = ModelBundle.read(RUN)
        expected = [dict(zip(golden.class_names, one.probabilities, strict=True)) for one in golden.golden]
        apart = max(
            abs(answer[name] - wanted[name])
            for answer, wanted in zip(answers, expected, strict=True)
            for name in wanted
        )
        if apart > golden.golden_tolerance:
            raise DisagreementError(f"a probability is {apart} from the bundle's golden one")
        compared.append(f"{len(images)} golden images: probabilities at most {apart:.1e} from the bundle's")


def golden_images(play: Play) -> list[Path]:
    """The images of the first run's bundle of which the probabilities are known."""
    images = []
    for golden in ModelBundle.read(RUN).golden:
        images.append(play.commands.folder / Path(golden.file).name)
        images[-1].write_bytes(storage.read_bytes(storage.join(RUN, golden.file)))
    return images


def canary(play: Play, bundle: str) -> None:
    """Give another bundle a part of the requests, then take it back and put it in for good."""
    with play.act("python -m vertex deploy --model gs://… --canary 20") as compared:
        sent = play.vertex_command("deploy", "--model", bundle, "--canary", "20")
        compared.append(f"{len(sent)} requests, --dry-run's; {split(play)}")
    with play.act("python -m vertex rollback") as compared:
        sent = play.vertex_command("rollback", "--dataset", "digits")
        compared.append(f"{len(sent)} requests, --dry-run's; {split(play)}")
    prediction(play)
    with play.act("python -m vertex deploy --model gs://… --canary 20, and promote") as compared:
        play.vertex_command("deploy", "--model", bundle, "--canary", "20")
        sent = play.vertex_command("promote", "--dataset", "digits")
        compared.append(f"{len(sent)} requests, --dry-run's; {split(play)}")


def split(play: Play) -> str:
    """How the endpoint's requests are shared, by a request of its own."""
    parent = f"{play.vertex.url}/v1/projects/{PROJECT}/locations/{REGION}/endpoints"
    [endpoint] = requests.get(parent, timeout=10).json()["endpoints"]
    shares = sorted(endpoint.get("trafficSplit", {}).values(), reverse=True)
    return f"{len(endpoint['deployedModels'])} deployed, which get {' and '.join(map(str, shares))} %"
