"""The document of the doors: it is valid, it names every door and no other, and the server keeps to it."""

import base64
import json
import os
import re
import subprocess
import sys
import threading

import pytest
import requests
import schemathesis
from starlette.routing import Route

from serving.doors import make_doors
from serving.doors.docs import describe_doors
from serving.loading import Loading
from serving.service import Service
from serving.settings import Settings

EXAMPLES = os.environ.get("CHRYSALIS_TEST_EXAMPLES", "10")
"""Of each door; more in large: CHRYSALIS_TEST_EXAMPLES=500 make test ARGS=tests/serving/test_openapi.py."""
UNFIT = (
    "positive_data_acceptance",  # a string that is none of an image is refused, as the schema can't tell
    "negative_data_rejection",  # "3" is a number too, and what nobody knows is let be
    "missing_required_header",
)
OTHER_NAMES = {"vertex_predict_route": "/v1/endpoints/7:predict", "vertex_health_route": "/healthz"}


def laid(settings: Settings) -> set[tuple[str, str]]:
    """The methods and paths of the app, HEAD aside, which goes with every GET."""
    routes = make_doors(Service(settings, Loading(settings)))
    assert all(isinstance(route, Route) for route in routes)
    return {
        (method, re.sub(r"{(\w+):\w+}", r"{\1}", route.path))
        for route in routes
        if route.include_in_schema
        for method in set(route.methods or ()) - {"HEAD"}
    }


def operations(document):
    """Each door's method, path and description."""
    for path, item in document["paths"].items():
        for method in item.keys() - {"parameters"}:
            yield method, path, item[method]


@pytest.mark.parametrize("names", [{}, OTHER_NAMES], ids=["usual", "given"])
def test_the_document_names_exactly_the_doors(names):
    settings = Settings(model="unused", **names)
    described = {(method.upper(), path) for method, path, _ in operations(describe_doors(settings))}
    assert described == laid(settings)


def test_the_document_is_valid_and_served(server):
    answer = server.get("/openapi.json")
    assert answer.status == 200
    schemathesis.openapi.from_dict(answer.content).validate()


def test_paths_are_filled_with_the_served_models_own_name(server):
    parameters = server.get("/openapi.json").content["components"]["parameters"]
    model = server.get("/model").content
    assert [parameters[name]["example"] for name in ("Name", "Version")] == [model["name"], model["version"]]


@pytest.mark.parametrize("path", ["/docs", "/docs/init.js", "/docs/swagger-ui.css"])
def test_the_page_is_sent_again_only_when_it_changed(server, path):
    tag = server.get(path).headers["etag"]
    again = requests.get(server.url + path, headers={"if-none-match": tag}, timeout=30)
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.browser
def test_a_door_can_be_tried_out_on_the_page(browser, server, picture):
    page = browser.new_page()
    complaints = []
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if elsewhere(request.url) else None)

    def elsewhere(url):
        return not url.startswith((server.url, "data:"))

    page.goto(f"{server.url}/docs")
    door = page.locator("#operations-Predict-predict")
    door.locator(".opblock-summary-control").click()
    photo = {"name": "rose.png", "mimeType": "image/png", "buffer": picture("red")}
    door.locator("input[type=file]").first.set_input_files(photo)
    door.get_by_role("button", name="Add").first.click()  # a row in which no file is chosen
    door.get_by_role("button", name="Execute").click()
    answer = door.locator(".live-responses-table .response").first
    answer.get_by_text("200", exact=True).wait_for()
    assert '"class": "red"' in answer.inner_text()
    page.close()
    assert complaints == []


def test_exactly_the_doors_that_want_the_key_say_so(run_server, tiny_bundle):
    server = run_server("--model", str(tiny_bundle), CHRYSALIS_API_KEY="open sesame")
    server.wait_until_ready()
    document = server.get("/openapi.json").content
    assert document["security"]
    for method, path, operation in operations(document):
        address = server.url + re.sub("{.*?}", "7", path)
        answers = [
            requests.request(method, address, headers=headers, timeout=30).status_code
            for headers in ({}, {"x-api-key": "sesame"}, {"authorization": "Bearer open sesame"})
        ]
        wanted = operation.get("security", document["security"]) != []
        assert [status == 401 for status in answers] == [wanted, wanted, False], (method, path, answers)


def findable(document, model, images):
    """The document with names that the server knows and images that are some, beside those made up."""
    served = {"Name": model["name"], "Version": model["version"], "Label": "stable"}
    found = {("parameters", name): [value] for name, value in served.items()}
    found["schemas", "Base64"] = images
    for (kind, name), values in found.items():
        described = document["components"][kind][name]
        if kind == "parameters":
            described["schema"] = {"anyOf": [{"enum": values}, described["schema"]]}
            described["example"] = values[0]
        else:
            document["components"][kind][name] = {"anyOf": [{"enum": values}, described]}
    return document


@pytest.fixture
def logging_server(run_server, tiny_bundle):
    """A server in a process of its own, whose log is read: unread it would fill the pipe, and block it."""
    server = run_server("--model", str(tiny_bundle))
    reader = threading.Thread(target=server.process.stderr.read)
    reader.start()
    server.wait_until_ready()
    yield server
    server.process.kill()
    reader.join()


def test_the_server_keeps_to_the_document(logging_server, picture, tmp_path):
    document, model = (logging_server.get(path).content for path in ("/openapi.json", "/model"))
    images = [base64.b64encode(picture("red", kind=kind)).decode() for kind in ("PNG", "JPEG")]
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(findable(document, model, images)))
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(file), "--url", logging_server.url]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES]
    command += ["--generation-deterministic", "--exclude-checks", ",".join(UNFIT)]
    tried = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert logging_server.get("/readyz").status == 200
