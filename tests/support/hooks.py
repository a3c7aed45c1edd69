"""A webhook on loopback that keeps what it is sent."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class HookServer(ThreadingHTTPServer):
    """The server: every (path, body) that it got, the status that it answers with, and when it answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.seen: list[tuple[str, str]] = []
        self.status = 200
        self.answers = threading.Event()
        self.answers.set()


class Hook(BaseHTTPRequestHandler):
    """Keeps what is sent; answers as the server's `status` says, once `answers` is set."""

    server: HookServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.seen.append((self.path, body))
        self.server.answers.wait(120)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def new_hook() -> Iterator[HookServer]:
    """Run a webhook until the block ends."""
    with HookServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.answers.set()
        server.shutdown()
