"""A stand-in for a model hub on loopback: the addresses that huggingface_hub calls, and scripted faults.

Small files come from the hub itself, large ones by a redirect to another host name (its storage), as on the
real one: ETag, X-Repo-Commit, X-Linked-Size, X-Linked-Etag, X-Error-Code and Range are there.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = ".safetensors"


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Repo:
    """One revision of a model. `promised` overrides what the listing states of a file, `says` the commit."""

    files: dict[str, bytes]
    revision: str
    gated: bool = False
    token: str = "hf_read"
    promised: dict[str, dict[str, Any]] = field(default_factory=dict)
    says: str = ""


@dataclass
class Fault:
    """What to do instead of answering: `cut` after some bytes, a `status`, wait for `until`, `spoil`."""

    cut: int | None = None
    status: int | None = None
    until: threading.Event | None = None
    spoil: bool = False
    html: bool = False


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    authorization: str
    range: str
    host: str


class FakeHub:
    """A hub on 127.0.0.1, a context manager. `on(part, fault)` scripts requests whose path has `part`."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.branches: dict[str, str] = {}  # where the main branch of a model is
        self.seen: list[Seen] = []
        self._faults: list[tuple[str, Fault]] = []
        self._lock = threading.Lock()
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> FakeHub:
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def add(self, name: str, files: dict[str, bytes], **more: Any) -> Repo:
        """Publish a revision; its commit is the checksum of its files."""
        revision = hashlib.sha1(json.dumps({k: git_sha1(v) for k, v in files.items()}).encode()).hexdigest()
        repo = self.repos[name, revision] = Repo(files, revision, **more)
        self.branches[name] = revision
        return repo

    def on(self, part: str, *faults: Fault) -> None:
        self._faults += [(part, fault) for fault in faults]

    def next_fault(self, path: str) -> Fault:
        with self._lock:
            for index, (part, fault) in enumerate(self._faults):
                if part in path:
                    del self._faults[index]
                    return fault
        return Fault()

    def bytes_asked(self, name: str) -> list[str]:
        """Return the Range headers of the requests for a large file, in order ("" for the whole)."""
        return [s.range for s in self.seen if s.path.startswith("/storage/") and s.path.endswith(name)]


class _Handler(BaseHTTPRequestHandler):
    server: ThreadingHTTPServer
    protocol_version = "HTTP/1.1"
    hub: FakeHub
    send: Callable[..., None]

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        authorization = self.headers.get("Authorization") or ""
        self.hub.seen.append(
            Seen(
                self.command,
                path,
                authorization,
                self.headers.get("Range") or "",
                self.headers.get("Host") or "",
            )
        )
        fault = self.hub.next_fault(path)
        if fault.until:
            fault.until.wait(30)
        if fault.status:
            return self._error(fault.status, "")
        if fault.html:
            return self._send(
                200, b"<html>Please log in to the network</html>", {"Content-Type": "text/html"}, body=body
            )
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"] and len(parts) == 6 and parts[4] == "revision":
            return self._info(f"{parts[2]}/{parts[3]}", parts[5], authorization)
        if len(parts) == 5 and parts[2] == "resolve":
            return self._resolve(
                f"{parts[0]}/{parts[1]}", parts[3], parts[4], authorization, fault, body=body
            )
        if parts[0] == "storage":
            return self._storage("/".join(parts[1:3]), parts[3], parts[4], fault, body=body)
        return self._error(404, "RepoNotFound")

    def _find(self, name: str, revision: str, authorization: str) -> Repo | None:
        repo = self.hub.repos.get((name, revision))
        if repo is None:
            known = any(n == name for n, _ in self.hub.repos)
            self._error(404 if known else 401, "RevisionNotFound" if known else "RepoNotFound")
        elif authorization and authorization != f"Bearer {repo.token}":
            self._error(401, "", message="Invalid credentials in Authorization header")
            return None
        return repo

    def _info(self, name: str, revision: str, authorization: str) -> None:
        revision = self.hub.branches.get(name, revision) if revision == "main" else revision
        repo = self._find(name, revision, authorization)
        if repo is None:
            return
        siblings = []
        for file, data in repo.files.items():
            entry: dict[str, Any] = {"rfilename": file, "size": len(data), "blobId": git_sha1(data)}
            if file.endswith(LARGE):
                entry["lfs"] = {
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "size": len(data),
                    "pointerSize": 134,
                }
            entry.update(repo.promised.get(file, {}))
            siblings.append(entry)
        self._send(
            200,
            json.dumps(
                {
                    "_id": "1",
                    "id": name,
                    "modelId": name,
                    "sha": repo.says or revision,
                    "private": False,
                    "gated": "manual" if repo.gated else False,
                    "tags": [],
                    "downloads": 0,
                    "likes": 0,
                    "siblings": siblings,
                }
            ).encode(),
            {"Content-Type": "application/json"},
        )

    def _resolve(
        self, name: str, revision: str, file: str, authorization: str, fault: Fault, *, body: bool
    ) -> None:
        repo = self._find(name, revision, authorization)
        if repo is None:
            return
        if repo.gated and not authorization:
            return self._error(401, "GatedRepo")
        data = repo.files.get(file)
        if data is None:
            return self._error(404, "EntryNotFound")
        head = {"X-Repo-Commit": revision, "Accept-Ranges": "bytes"}
        if file.endswith(LARGE):
            head |= {
                "X-Linked-Size": str(len(data)),
                "X-Linked-Etag": f'"{hashlib.sha256(data).hexdigest()}"',
                "Location": f"http://localhost:{self.server.server_port}/storage/{name}/{revision}/{file}",
            }
            return self._send(302, b"", head)
        return self._bytes(data, head | {"ETag": f'"{git_sha1(data)}"'}, fault, body=body)

    def _storage(self, name: str, revision: str, file: str, fault: Fault, *, body: bool) -> None:
        data = self.hub.repos[name, revision].files[file]
        return self._bytes(data, {"ETag": f'"{hashlib.sha256(data).hexdigest()}"'}, fault, body=body)

    def _bytes(self, data: bytes, head: dict[str, str], fault: Fault, *, body: bool) -> None:
        if fault.spoil:
            data = bytes(b ^ 1 for b in data[:100]) + data[100:]
        start, code = 0, 200
        asked = self.headers.get("Range")
        if asked:
            start, code = int(asked.removeprefix("bytes=").partition("-")[0]), 206
            head = head | {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        self._send(code, data[start:], head, body=body, cut=fault.cut)

    def _error(self, status: int, code: str, message: str = "") -> None:
        head = {"X-Error-Code": code} if code else {}
        self._send(
            status,
            json.dumps({"error": message or code or "no"}).encode(),
            head | ({"X-Error-Message": message} if message else {}),
        )

    def _send(
        self, status: int, data: bytes, head: dict[str, str], *, body: bool = True, cut: int | None = None
    ) -> None:
        try:
            self.send_response(status)
            for name, value in (head | {"Content-Length": str(len(data))}).items():
                self.send_header(name, value)
            self.end_headers()
            if body and self.command != "HEAD":
                self.wfile.write(data[:cut])
                self.wfile.flush()
            if cut is not None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass
