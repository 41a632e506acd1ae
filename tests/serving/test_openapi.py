"""The document of the doors: it is valid, it names every door and no other, and the server keeps to it."""

import re

import pytest
import requests
import schemathesis
from starlette.routing import Route

from serving.doors import make_doors
from serving.doors.docs import describe_doors
from serving.loading import Loading
from serving.service import Service
from serving.settings import Settings

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


@pytest.mark.parametrize("names", [{}, OTHER_NAMES], ids=["usual", "given"])
def test_the_document_names_exactly_the_doors(names):
    settings = Settings(model="unused", **names)
    described = {
        (method.upper(), path)
        for path, operations in describe_doors(settings)["paths"].items()
        for method in operations
        if method not in ("parameters", "summary", "description")
    }
    assert described == laid(settings)


def test_the_document_is_valid_and_served(server):
    answer = server.get("/openapi.json")
    assert answer.status == 200
    schemathesis.openapi.from_dict(answer.content).validate()


@pytest.mark.parametrize("path", ["/docs", "/docs/init.js", "/docs/swagger-ui.css"])
def test_the_page_is_sent_again_only_when_it_changed(server, path):
    tag = server.get(path).headers["etag"]
    again = requests.get(server.url + path, headers={"if-none-match": tag}, timeout=30)
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.browser
def test_a_door_can_be_tried_out_on_the_page(browser, server, picture):
    page = browser.new_page()
    complaints = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if elsewhere(request.url) else None)

    def elsewhere(url):
        return not url.startswith((server.url, "data:"))

    page.goto(f"{server.url}/docs")
    door = page.locator("#operations-Predict-predict")
    door.locator(".opblock-summary-control").click()
    photo = {"name": "rose.png", "mimeType": "image/png", "buffer": picture("red")}
    door.locator("input[type=file]").first.set_input_files(photo)
    door.get_by_role("button", name="Execute").click()
    answer = door.locator(".live-responses-table .response").first
    answer.get_by_text("200", exact=True).wait_for()
    assert '"class": "red"' in answer.inner_text()
    page.close()
    assert complaints == []
