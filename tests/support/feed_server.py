"""A server of feeds on loopback that does on script what real ones do, and keeps what it was asked."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Reply:
    """One answer. `pieces` makes the body arrive bit by bit; `gzipped` packs it."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Callable[[], Any] | None = None
    gzipped: bool = False


@dataclass
class Asked:
    """A request as it came in."""

    path: str
    headers: dict[str, str]


class FeedServer:
    """Pages by path. A page is a `Reply`, a list of them for one request each, or a function of the request."""

    def __init__(self) -> None:
        self.pages: dict[str, Reply | list[Reply] | Callable[[Asked], Reply]] = {}
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/feed.xml", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def reply(self, asked: Asked) -> Reply:
        page = self.pages.get(asked.path, Reply(b"none", 404))
        if isinstance(page, list):
            return page.pop(0) if len(page) > 1 else page[0]
        return page if isinstance(page, Reply) else page(asked)


def _handler(server: FeedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = Asked(self.path, dict(self.headers.items()))
            server.asked.append(asked)
            reply = server.reply(asked)
            body = gzip.compress(reply.body) if reply.gzipped else reply.body
            headers = {"Content-Type": "application/xml; charset=utf-8", **reply.headers}
            if reply.gzipped:
                headers["Content-Encoding"] = "gzip"
            self.send_response(reply.status)
            for name, value in headers.items():
                self.send_header(name, value)
            if reply.pieces is None:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                if reply.pieces:
                    for piece in reply.pieces():
                        self.wfile.write(piece)
                        self.wfile.flush()
                else:
                    self.wfile.write(body)
            except OSError:
                pass  # the program has heard enough

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@dataclass(frozen=True)
class Entry:
    """An entry of a made feed; a field that is None is left out."""

    title: str | None = None
    link: str | None = None
    guid: str | None = None
    date: datetime | str | None = None
    summary: str | None = None
    raw: bool = False  # the fields are XML already


def rss(entries: Sequence[Entry], head: str = '<?xml version="1.0" encoding="utf-8"?>') -> bytes:
    """Return an RSS 2.0 document, the first entry at its top."""
    rows = []
    for entry in entries:
        quote = (lambda text: text) if entry.raw else escape
        date = (
            entry.date.strftime("%a, %d %b %Y %H:%M:%S GMT")
            if isinstance(entry.date, datetime)
            else entry.date
        )
        fields = {
            "title": entry.title,
            "link": entry.link,
            "guid": entry.guid,
            "pubDate": date,
            "description": entry.summary,
        }
        rows.append("".join(f"<{n}>{quote(v)}</{n}>" for n, v in fields.items() if v is not None))
    items = "".join(f"<item>{row}</item>" for row in rows)
    return f"{head}<rss version='2.0'><channel><title>A blog</title>{items}</channel></rss>".encode()


def releases(project: str, tags: Sequence[tuple[str, str]], host: str = "forge.dev") -> bytes:
    """Return the `releases.atom` of a project: (tag, notes as HTML), the newest first."""
    rows = "".join(
        f"<entry><id>tag:{host},2008:Repository/1/{tag}</id><updated>2026-11-{20 - n:02}T10:00:00Z</updated>"
        f'<link rel="alternate" type="text/html" href="https://{host}/owner/{project}/releases/tag/{tag}"/>'
        f'<title>{tag}</title><content type="html">{escape(notes)}</content></entry>'
        for n, (tag, notes) in enumerate(tags)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en-US">'
        f"<id>tag:{host},2008:/owner/{project}/releases</id><title>Release notes from {project}</title>"
        f"<updated>{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}</updated>{rows}</feed>"
    ).encode()
