"""A model hub on this machine: as much of the Hugging Face Hub's protocol as an upload and a download of it need.

Creating a repository, asking which files go by LFS, the LFS batch with plain PUTs, a commit as lines of JSON, the
listing of a revision, and files by their names. Every request that writes must carry the token.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "a" * 40


@dataclass
class Hub:
    url: str
    token: str
    files: dict[str, bytes] = field(default_factory=dict)
    """What was committed, by path."""
    objects: dict[str, bytes] = field(default_factory=dict)
    """What came by LFS, by SHA-256."""


@contextmanager
def serving(token: str) -> Iterator[Hub]:
    hub = Hub("", token)
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self._body()
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self._json({"error": "Invalid user token."}, 401)
        if self.path == "/api/repos/create":
            return self._json({"url": f"{self.hub.url}/me/my-run", "id": "1"})
        if self.path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            modes = [{**file, "uploadMode": _mode(file["path"]), "shouldIgnore": False} for file in asked]
            return self._json({"files": [{k: f[k] for k in ("path", "uploadMode", "shouldIgnore")} for f in modes]})
        if self.path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            return self._json({"transfer": "basic", "objects": [self._upload(each) for each in objects]})
        if "/commit/" in self.path:
            for line in body.decode().splitlines():
                self._commit(json.loads(line))
            return self._json(
                {"success": True, "commitUrl": f"{self.hub.url}/me/my-run/commit/{COMMIT}", "commitOid": COMMIT}
            )
        return self._json({"error": f"unknown {self.path}"}, 404)

    def do_PUT(self) -> None:
        body = self._body()
        self.hub.objects[hashlib.sha256(body).hexdigest()] = body
        self._json({})

    def do_GET(self) -> None:
        self._read(send=True)

    def do_HEAD(self) -> None:
        self._read(send=False)

    def _read(self, *, send: bool) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/me/my-run/tree/"):
            return self._json([_listed(name, content) for name, content in sorted(self.hub.files.items())])
        if path.startswith("/api/models/me/my-run"):
            names = [{"rfilename": name} for name in self.hub.files]
            return self._json({"id": "me/my-run", "sha": COMMIT, "siblings": names, "private": False, "tags": []})
        name = path.partition("/resolve/")[2].partition("/")[2]
        if name not in self.hub.files:
            return self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        content = self.hub.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.end_headers()
        if send:
            self.wfile.write(content)
        return None

    def _upload(self, each: dict[str, Any]) -> dict[str, Any]:
        address = f"{self.hub.url}/objects/{each['oid']}"
        return {"oid": each["oid"], "size": each["size"], "actions": {"upload": {"href": address}}}

    def _commit(self, entry: dict[str, Any]) -> None:
        value = entry["value"]
        if entry["key"] == "file":
            self.hub.files[value["path"]] = base64.b64decode(value["content"])
        elif entry["key"] == "lfsFile":
            self.hub.files[value["path"]] = self.hub.objects[value["oid"]]

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _json(self, document: object, status: int = 200, more: dict[str, str] | None = None) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _listed(name: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}


def _mode(path: str) -> str:
    return "lfs" if path.endswith(".safetensors") else "regular"
