"""Before the model is there, the server lives but isn't ready; another model takes its place in service."""

import asyncio
import json
import shutil
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from contracts.bundle import BundleFile, ModelBundle
from contracts.champion import Champion
from contracts.verdict import Floors, Verdict
from serving.app import create_app
from serving.loading import Loading
from serving.settings import Settings


def test_until_the_model_is_loaded_the_server_lives_but_is_not_ready(tiny_bundle):
    settings = Settings(model=str(tiny_bundle), vertex_health_route="/ping")

    async def ask():
        # It doesn't start the lifespan: nothing loads.
        transport = httpx.ASGITransport(create_app(settings))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return [await client.get(path) for path in ("/healthz", "/readyz", "/ping", "/model")] + [
                await client.post("/predict", files={"file": b"x"})
            ]

    alive, *others = asyncio.run(ask())
    assert alive.status_code == 200
    for answer in others:
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert "loading" in answer.json()["error"]


def test_a_failure_is_kept_and_told(tmp_path):
    async def load():
        failed = asyncio.Event()
        loading = Loading(Settings(model=str(tmp_path)), on_failure=failed.set)
        loading.start()
        await asyncio.wait_for(failed.wait(), 60)
        return loading

    loading = asyncio.run(load())
    with pytest.raises(ValueError, match=r"bundle\.json"):
        raise loading.error


@pytest.fixture
def models(tiny_bundle, tmp_path):
    """A folder with the bundles `a` and `b`, of which `crown(name)` makes one the champion."""
    for name in "ab":
        folder = shutil.copytree(tiny_bundle, tmp_path / name)
        (folder / "labels.csv").write_text(f"a bundle of its own: {name}\n")
        bundle = ModelBundle.read(str(folder))
        files = {**bundle.files, "labels.csv": BundleFile.of(folder / "labels.csv")}
        bundle.model_copy(update={"name": name, "files": files}).write(str(folder))
    return tmp_path


def crown(models, name):
    verdict = Verdict(
        blessed=True,
        reasons=("The best.",),
        judged_at=datetime.now(UTC),
        dataset_digest="0",
        floors=Floors(min_accuracy=0.9),
        confidence=0.95,
        compared_with=None,
        champion=True,
    )
    digest = ModelBundle.read(str(models / name)).digest
    metrics = {"accuracy": 1.0}
    Champion(dataset="tiny", bundle=name, digest=digest, metrics=metrics, verdict=verdict).write(str(models))


@pytest.fixture
def crowned(run_server, models):
    """A server of the champion, which is `a`."""
    crown(models, "a")
    server = run_server("--model", str(models))
    server.wait_until_ready()
    return server


def wait_for(server, name):
    deadline = time.monotonic() + 60
    while server.get("/model").content["name"] != name:
        assert time.monotonic() < deadline, f"{name} isn't served"
        time.sleep(0.02)


def test_under_load_the_champion_is_replaced_and_no_request_is_lost(crowned, models, picture):
    """Four clients ask without a pause, while each reload follows the last, by request and by signal."""
    done, answers, image = threading.Event(), [], picture("red")

    def ask():
        while not done.is_set():
            answers.append(crowned.post(files=[("files", image), ("files", image)]))

    clients = [threading.Thread(target=ask) for _ in range(4)]
    # A line for each request: a pipe that nobody reads would fill, and stop the server.
    reader = threading.Thread(target=crowned.process.stderr.read)
    for thread in (reader, *clients):
        thread.start()
    for round_ in range(6):
        name = "ba"[round_ % 2]
        crown(models, name)
        if round_ % 3:
            crowned.process.send_signal(signal.SIGHUP)
        else:
            answer = crowned.post("/reload")
            assert (answer.status, answer.content["status"]) == (200, "reloaded")
            assert answer.content["model"]["name"] == name
        wait_for(crowned, name)
    done.set()
    for client in clients:
        client.join()
    assert {answer.status for answer in answers} == {200}
    assert {answer.content["model"]["name"] for answer in answers} == {"a", "b"}
    assert all(item["class"] == "red" for answer in answers for item in answer.content["predictions"])
    threads = len(list(Path(f"/proc/{crowned.process.pid}/task").iterdir()))
    assert threads < 30, "those of the models that were replaced have ended"
    crowned.process.send_signal(signal.SIGTERM)
    reader.join()


def test_the_same_model_is_not_loaded_again(crowned):
    answer = crowned.post("/reload")
    assert (answer.status, answer.content["status"], answer.content["model"]["name"]) == (
        200,
        "unchanged",
        "a",
    )


def test_texts_of_the_classes_change_without_another_model(crowned, models):
    texts = models / "a" / "class_info.yaml"
    texts.write_text("red: {text: A colour.}")
    assert crowned.post("/reload").content["status"] == "reloaded"
    assert crowned.get("/model").content["class_info"]["red"]["text"] == "A colour."
    assert crowned.post("/reload").content["status"] == "unchanged"
    texts.write_text("red: [")
    answer = crowned.post("/reload")
    assert (answer.status, "class_info.yaml" in answer.content["error"]) == (409, True)
    assert crowned.get("/model").content["class_info"]["red"]["text"] == "A colour."


def test_the_model_in_service_is_verified_where_it_lies(crowned, models):
    (models / "a" / "model.tflite").write_bytes(b"damaged")
    answer = crowned.post("/reload")
    assert (answer.status, "model.tflite isn't the file" in answer.content["error"]) == (409, True)


def test_what_can_not_be_loaded_leaves_the_old_one_in_service(crowned, models, picture):
    crown(models, "b")
    (models / "b" / "model.tflite").write_bytes(b"damaged")
    answer = crowned.post("/reload")
    assert answer.status == 409
    assert "b/model.tflite isn't the file" in answer.content["error"]
    assert "stays in service" in answer.content["error"]
    (models / "champion.json").write_text("{")
    assert crowned.post("/reload").status == 409
    (models / "champion.json").unlink()
    assert "neither" in crowned.post("/reload").content["error"]
    assert crowned.get("/readyz").content["model"] == "a"
    assert crowned.post(files={"file": picture("red")}).status == 200
    crowned.process.send_signal(signal.SIGTERM)
    _, errors = crowned.process.communicate(timeout=60)
    assert crowned.process.returncode == 0
    reasons = [json.loads(line)["reason"] for line in errors.splitlines() if '"reload failed"' in line]
    assert len(reasons) == 3
    assert "model.tflite" in reasons[0]


def test_two_reloads_at_once_load_once(crowned, models):
    crown(models, "b")
    answers = []
    clients = [threading.Thread(target=lambda: answers.append(crowned.post("/reload"))) for _ in range(3)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert sorted(answer.content["status"] for answer in answers) == ["reloaded", "unchanged", "unchanged"]
    assert {answer.content["model"]["name"] for answer in answers} == {"b"}


@pytest.mark.parametrize("seconds", [0, 0.05, 0.2])
def test_sigterm_ends_a_server_that_reloads(crowned, models, seconds):
    crown(models, "b")
    crowned.process.send_signal(signal.SIGHUP)
    time.sleep(seconds)
    crowned.process.send_signal(signal.SIGTERM)
    _, errors = crowned.process.communicate(timeout=60)
    assert crowned.process.returncode == 0, errors
    assert "Traceback" not in errors


def test_a_name_that_is_set_stays_whatever_the_bundles_is(run_server, models):
    crown(models, "a")
    server = run_server("--model", str(models / "champion.json"), "--model-name", "digits")
    server.wait_until_ready()
    crown(models, "b")
    assert server.post("/reload").content["model"]["name"] == "digits"


def test_without_a_key_only_this_machine_may_reload(crowned):
    for header in (
        {"x-forwarded-for": "192.0.2.1"},
        {"forwarded": "for=192.0.2.1"},
        {"origin": "http://evil"},
    ):
        answer = crowned.post("/reload", headers=header)
        assert answer.status == 403
        assert ("curl" if "origin" in header else "CHRYSALIS_API_KEY") in answer.content["error"]


def test_with_a_key_whoever_has_it_may_reload(run_server, models):
    crown(models, "a")
    server = run_server("--model", str(models), CHRYSALIS_API_KEY="k")
    server.wait_until_ready()
    assert server.post("/reload").status == 401
    headers = {"x-api-key": "k", "x-forwarded-for": "192.0.2.1"}
    assert server.post("/reload", headers=headers).content["status"] == "unchanged"
