"""`GET /openapi.json`: what every door takes and answers; `GET /docs`: the same to read and to try out.

The document is written by hand, `openapi.yaml`. The page is Swagger UI, whose two files come from the package
fastapi-offline, so that it needs no network; the package isn't imported, which would load FastAPI.
"""

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from serving.api_key import read_key
from serving.errors import NotReadyError
from serving.service import Service
from serving.settings import Settings

DOCUMENT: Final = Path(__file__).parent.with_name("openapi.yaml")
PAGE: Final = Path(__file__).parent.with_name("docs")
FILES: Final = ("init.js", "docs.css", "swagger-ui-bundle.js", "swagger-ui.css")


def make_docs_doors(service: Service) -> list[Route]:
    """Lay `/openapi.json` and `/docs`."""
    document = cache(lambda: describe_doors(service.settings))

    async def openapi(_: Request) -> Response:
        described = await run_in_threadpool(document)  # reading it takes a while, once
        try:
            model = service.model
        except NotReadyError:
            return JSONResponse(described)
        return JSONResponse(name_model(described, {"Name": model.name, "Version": model.version}))

    def file_of_page(name: str) -> Any:
        async def answer(request: Request) -> Response:
            return await _static_files().get_response(name, request.scope)

        return answer

    return [
        Route("/openapi.json", openapi, include_in_schema=False),
        Route("/docs", file_of_page("index.html"), include_in_schema=False),
        *(Route(f"/docs/{name}", file_of_page(name), include_in_schema=False) for name in FILES),
    ]


def describe_doors(settings: Settings) -> dict[str, Any]:
    """The document in OpenAPI 3.1, with Vertex AI's routes under the names that this server gives them."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the first is ten times as quick
    document: dict[str, Any] = yaml.load(DOCUMENT.read_bytes(), loader)  # noqa: S506 - both are safe
    if read_key(settings) is None:
        document["security"] = []
    paths = document["paths"]
    defaults = Settings.model_fields
    for field in ("vertex_predict_route", "vertex_health_route"):
        operations = paths.pop(defaults[field].default)
        path = getattr(settings, field)
        # Where another door has this name, Vertex AI's comes first, as among the routes.
        paths[path] = {**paths.get(path, {}), **operations}
    return document


def name_model(document: dict[str, Any], served: Mapping[str, str | int]) -> dict[str, Any]:
    """The document with the served model's own name and version as the examples of the paths' parameters."""
    components = document["components"]
    parameters = dict(components["parameters"])
    for parameter, value in served.items():
        parameters[parameter] = {**parameters[parameter], "example": value}
    return {**document, "components": {**components, "parameters": parameters}}


@cache
def _static_files() -> StaticFiles:
    packages: list[str | tuple[str, str]] = [("fastapi_offline", "static")]
    return StaticFiles(directory=PAGE, packages=packages if find_spec("fastapi_offline") else [])
