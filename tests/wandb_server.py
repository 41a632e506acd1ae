"""A stand-in for W&B on loopback: GraphQL, the file stream and uploads, as far as wandb 0.31 uses them.

`WandbServer` keeps what it hears. Lines of the history go where their offset says, as W&B's own server
keeps them: one sent twice is one line, and a double epoch is two lines with the same `_step`.
"""

import gzip
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HISTORY, EVENTS, SUMMARY = "wandb-history.jsonl", "wandb-events.jsonl", "wandb-summary.json"


@dataclass
class Run:
    """What is known of a run."""

    name: str
    project: str
    config: dict[str, Any] = field(default_factory=dict)
    display_name: str | None = None
    streams: dict[str, dict[int, str]] = field(default_factory=dict)
    exit_code: int | None = None
    files: set[str] = field(default_factory=set)
    used: list[str] = field(default_factory=list)

    def rows(self, stream: str = HISTORY) -> list[dict[str, Any]]:
        """The lines of a stream, in their order."""
        lines = self.streams.get(stream, {})
        return [json.loads(lines[offset]) for offset in sorted(lines)]

    @property
    def summary(self) -> dict[str, Any]:
        """The newest summary."""
        return self.rows(SUMMARY)[-1] if self.streams.get(SUMMARY) else {}

    def steps(self, key: str = "epoch") -> list[int]:
        """The steps of the history's rows that hold `key`."""
        return [row["_step"] for row in self.rows() if key in row]


@dataclass
class Artifact:
    """A version of an artifact."""

    type: str
    name: str
    run: str
    metadata: dict[str, Any]
    manifest: dict[str, Any] = field(default_factory=dict)
    committed: bool = False


class WandbServer:
    """Serves until `close`; `runs` by id, `artifacts` by type, `uploads` by storage path."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.uploads: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.keys: set[str] = set()
        self.unknown: list[str] = []
        self.hanging = threading.Event()
        """While it is set, requests wait, and never get an answer."""
        self.lock = threading.RLock()
        self._closed = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """Stop answering: whoever connects from now on is refused."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def wait_if_hanging(self) -> bool:
        """Whether the request is to go unanswered."""
        waited = self.hanging.is_set()
        while self.hanging.is_set() and not self._closed.is_set():
            self._closed.wait(0.05)
        return waited or self._closed.is_set()

    def wait_until(self, happened: Callable[[], bool], seconds: float = 30) -> None:
        """Wait for something that clients do."""
        deadline = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > deadline:
                raise TimeoutError(f"asked so far: {self.asked}")
            time.sleep(0.05)

    def of_type(self, kind: str) -> list[Artifact]:
        """The artifacts of a type, as they were made."""
        return [artifact for artifact in self.artifacts.values() if artifact.type == kind]

    def graphql(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Answer an operation."""
        self.asked.append(operation)
        answer = getattr(self, "_" + re.sub("([a-z])([A-Z])", r"\1_\2", operation).lower(), None)
        if answer is None:
            self.unknown.append(operation)
            return {"errors": [{"message": f"this stand-in knows no {operation}"}]}
        return {"data": answer(variables.get("input", variables))}

    def stream(self, name: str, chunk: dict[str, Any]) -> None:
        """Take in what a run streams."""
        run = self.runs[name]
        for stream, lines in (chunk.get("files") or {}).items():
            kept = run.streams.setdefault(stream, {})
            for place, line in enumerate(lines["content"], lines["offset"]):
                kept[place] = line
        run.files |= set(chunk.get("uploaded") or ())
        if chunk.get("complete"):
            run.exit_code = chunk["exitcode"]

    def _viewer(self, _: dict[str, Any]) -> Any:
        viewer = {"id": "1", "entity": "tester", "username": "tester", "email": "", "flags": "{}"}
        return {"viewer": viewer | {"teams": {"edges": []}}}

    def _server_features_query(self, _: dict[str, Any]) -> Any:
        return {"serverInfo": {"features": []}}

    def _run_resume_status(self, asked: dict[str, Any]) -> Any:
        entity = {"id": "e", "name": "tester"}
        model = {"id": "p", "name": asked["project"], "entity": entity, "bucket": None}
        if run := self.runs.get(asked["name"]):
            counts = {stream: len(lines) for stream, lines in run.streams.items()}
            model["bucket"] = {
                "id": run.name,
                "name": run.name,
                "displayName": run.display_name,
                "summaryMetrics": json.dumps(run.summary),
                "logLineCount": counts.get("output.log", 0),
                "historyLineCount": counts.get(HISTORY, 0),
                "eventsLineCount": counts.get(EVENTS, 0),
                "historyTail": json.dumps([json.dumps(row) for row in run.rows()[-1:]]),
                "eventsTail": json.dumps([json.dumps(row) for row in run.rows(EVENTS)[-1:]]),
                "config": json.dumps(run.config),
                "tags": [],
                "notes": None,
                "wandbConfig": json.dumps({"t": 1}),
            }
        return {"model": model}

    def _upsert_bucket(self, asked: dict[str, Any]) -> Any:
        name = asked["name"]
        inserted = name not in self.runs
        run = self.runs.setdefault(name, Run(name, asked["project"]))
        run.display_name = asked.get("displayName") or run.display_name
        if asked.get("config"):
            run.config = json.loads(asked["config"])
        project = {"id": "p", "name": run.project, "entity": {"id": "e", "name": "tester"}}
        bucket = {"id": name, "name": name, "displayName": run.display_name, "project": project}
        bucket |= {"description": None, "config": json.dumps(run.config), "sweepName": None}
        bucket["historyLineCount"] = len(run.streams.get(HISTORY, {}))
        return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}

    def _create_run_files(self, asked: dict[str, Any]) -> Any:
        files = [
            {"name": name, "uploadUrl": f"{self.url}/storage/{asked['run']}/{name}"}
            for name in asked["files"]
        ]
        return {"createRunFiles": {"runID": asked["run"], "uploadHeaders": [], "files": files}}

    def _mark_run_files_uploaded(self, _: dict[str, Any]) -> Any:
        return {"markRunFilesUploaded": {"success": True}}

    def _xxhash_digests_enabled(self, _: dict[str, Any]) -> Any:
        return {"entity": {"xxhashDigestsEnabled": False}}

    def _fetch_artifact_digest_algorithm(self, _: dict[str, Any]) -> Any:
        return {"project": None}

    def _create_artifact(self, asked: dict[str, Any]) -> Any:
        identity = f"artifact-{len(self.artifacts)}"
        self.artifacts[identity] = Artifact(
            asked["artifactTypeName"],
            asked["artifactCollectionName"],
            asked["runName"],
            json.loads(asked.get("metadata") or "{}"),
        )
        artifact = {"id": identity, "state": "PENDING", "artifactSequence": {"latestArtifact": None}}
        return {"createArtifact": {"artifact": artifact}}

    def _create_artifact_manifest(self, asked: dict[str, Any]) -> Any:
        return {"createArtifactManifest": self._manifest(asked["artifactID"], asked)}

    def _update_artifact_manifest(self, asked: dict[str, Any]) -> Any:
        return {"updateArtifactManifest": self._manifest(asked["artifactManifestID"], asked)}

    def _manifest(self, identity: str, asked: dict[str, Any]) -> Any:
        file: dict[str, Any] = {"id": identity}
        if asked["includeUpload"]:
            file |= {"uploadUrl": f"{self.url}/storage/{identity}/manifest.json", "uploadHeaders": []}
        return {"artifactManifest": {"id": identity, "file": file}}

    def _create_artifact_files(self, asked: dict[str, Any]) -> Any:
        edges = []
        for spec in asked["artifactFiles"]:
            path = f"{spec['artifactID']}/{spec['name']}"
            node = {"storagePath": path, "uploadUrl": f"{self.url}/storage/{path}", "uploadHeaders": []}
            node |= {"uploadMultipartUrls": None, "artifact": {"id": spec["artifactID"]}}
            edges.append({"node": node})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _commit_artifact(self, asked: dict[str, Any]) -> Any:
        identity = asked["artifactID"]
        artifact = self.artifacts[identity]
        artifact.committed = True
        artifact.manifest = json.loads(self.uploads[f"{identity}/manifest.json"])["contents"]
        return {"commitArtifact": {"artifact": {"id": identity, "digest": "0"}}}

    def _use_artifact(self, asked: dict[str, Any]) -> Any:
        self.runs[asked["runName"]].used.append(asked["artifactID"])
        return {"useArtifact": {"artifact": {"id": asked["artifactID"]}}}


def _handler(server: WandbServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self._body()
            if server.wait_if_hanging():
                return
            path = urlsplit(self.path).path
            server.keys.add(self.headers.get("Authorization", ""))
            with server.lock:
                if path == "/graphql":
                    asked = json.loads(body)
                    self._answer(server.graphql(asked["operationName"], asked.get("variables") or {}))
                elif path.endswith("/file_stream"):
                    server.stream(path.split("/")[-2], json.loads(body))
                    self._answer({"limits": {}})
                else:
                    server.unknown.append(path)
                    self._answer({}, 404)

        def do_PUT(self) -> None:
            body = self._body()
            if server.wait_if_hanging():
                return
            with server.lock:
                server.uploads[urlsplit(self.path).path.removeprefix("/storage/")] = body
            self._answer({})

        def do_GET(self) -> None:
            server.unknown.append(self.path)
            self._answer({}, 404)

        def _body(self) -> bytes:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

        def _answer(self, document: Any, status: int = 200) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    return Handler
