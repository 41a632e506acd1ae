"""As much of a registry, by the OCI distribution specification, as a push and a look need."""

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route


class Registry:
    """What was pushed: blobs by digest, and manifests by name and tag or digest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.address = ""

    def blob(self, digest: str) -> Path:
        """Where a blob is kept."""
        return self.folder / digest.replace(":", "-")

    def manifest(self, name: str, reference: str) -> dict[str, Any]:
        """A manifest that was pushed."""
        return dict(json.loads(self.manifests[name, reference][1]))

    async def begin(self, request: Request) -> Response:
        return self._accepted(request, uuid.uuid4().hex)

    async def append(self, request: Request) -> Response:
        return self._accepted(request, await self._receive(request))

    async def finish(self, request: Request) -> Response:
        upload, digest = self.folder / await self._receive(request), request.query_params["digest"]
        with upload.open("rb") as file:
            found = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        if found != digest:
            return Response(status_code=400)
        upload.rename(self.blob(digest))
        return Response(
            status_code=201, headers={"Docker-Content-Digest": digest, "Location": request.url.path}
        )

    async def give_blob(self, request: Request) -> Response:
        digest = request.path_params["digest"]
        if not self.blob(digest).exists():
            return Response(status_code=404)
        return FileResponse(self.blob(digest), headers={"Docker-Content-Digest": digest})

    async def put_manifest(self, request: Request) -> Response:
        name, reference, body = *_named(request), await request.body()
        document = json.loads(body)
        parts = [document["config"], *document["layers"]]
        if not all(self.blob(part["digest"]).exists() for part in parts):
            return Response(status_code=404)
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        for each in (reference, digest):
            self.manifests[name, each] = (request.headers["Content-Type"], body)
        return Response(
            status_code=201, headers={"Docker-Content-Digest": digest, "Location": request.url.path}
        )

    async def give_manifest(self, request: Request) -> Response:
        kind, body = self.manifests.get(_named(request), ("", b""))
        if not body:
            return Response(status_code=404)
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        return Response(body, media_type=kind, headers={"Docker-Content-Digest": digest})

    async def _receive(self, request: Request) -> str:
        upload: str = request.path_params["upload"]
        with (self.folder / upload).open("ab") as file:
            async for part in request.stream():
                file.write(part)
        return upload

    def _accepted(self, request: Request, upload: str) -> Response:
        path = self.folder / upload
        have = path.stat().st_size if path.exists() else 0
        place = f"/v2/{request.path_params['name']}/blobs/uploads/{upload}"
        return Response(status_code=202, headers={"Location": place, "Range": f"0-{max(have - 1, 0)}"})


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["name"], request.path_params["reference"]


async def _version(_: Request) -> Response:
    return Response(headers={"Docker-Distribution-Api-Version": "registry/2.0"})


@contextmanager
def serving(folder: Path) -> Iterator[Registry]:
    """Serve a registry on loopback, which Docker speaks to without TLS."""
    registry = Registry(folder)
    routes = [
        Route("/v2/", _version),
        Route("/v2/{name:path}/blobs/uploads/", registry.begin, methods=["POST"]),
        Route("/v2/{name:path}/blobs/uploads/{upload}", registry.append, methods=["PATCH"]),
        Route("/v2/{name:path}/blobs/uploads/{upload}", registry.finish, methods=["PUT"]),
        Route("/v2/{name:path}/blobs/{digest}", registry.give_blob),
        Route("/v2/{name:path}/manifests/{reference}", registry.put_manifest, methods=["PUT"]),
        Route("/v2/{name:path}/manifests/{reference}", registry.give_manifest),
    ]
    config = uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    registry.address = f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield registry
    finally:
        server.should_exit = True
        thread.join()
