"""The document of the doors: it is valid, it names every door and no other, and the server keeps to it."""

import re

import pytest
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
