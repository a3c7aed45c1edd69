"""The server of the fake X: what it holds, and how it answers."""

from __future__ import annotations

import hashlib
import html
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fake_x.faults import PROBLEMS, Fault, duplicate, invalid_request, ok, read_only
from tests.fake_x.logins import LoginHandler
from tests.fake_x.lookup import Figures, lookup_of, no_figures
from tests.fake_x.memory import EPOCH_MS, SEQUENCE_OF_LATE_TWEETS, Credentials, OAuth2, Seen, Stored
from tests.fake_x.timeline import Honest, Look, page_of, short_links


class FakeX:
    """The server. Start it as a context manager; `url` is its address, `accepted` what it holds."""

    def __init__(
        self,
        port: int = 0,
        *,
        credentials: Credentials | None = None,
        now: Callable[[], float] | None = None,
        duplicate_filter: bool = False,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.credentials = credentials or Credentials()
        self.now = now or (lambda: time.time())  # looked up at each call, so that tests can move time
        self.duplicate_filter = duplicate_filter
        self.log = log
        self.accepted: list[Stored] = []
        self.requests: list[Seen] = []
        self.always_post: Fault | None = None
        self.always_get: Fault | None = None
        self.read_lag = 0.0
        self.lag: Callable[[], float] = lambda: 0.0  # seconds until the timeline shows a tweet made now
        self.look: Look = Honest()
        self.links = False  # whether X shows t.co in the place of what it takes for a link
        self.slot = ""  # what the test calls the time of the tweets made now
        # The last word on what a page of the timeline shows of its items.
        self.view: Callable[[list[Any]], list[Any]] = lambda items: items
        self.figures: Figures = no_figures  # of each tweet
        # The last word on the answer to a request for tweets by their ids.
        self.lookup_view: Callable[[dict[str, Any]], dict[str, Any]] = lambda body: body
        self.access_level = "read-write"
        self.limits: dict[str, str] = {}
        self.pace: Callable[[], float] = lambda: 0.0  # seconds that an answer takes
        self.oauth2 = OAuth2()
        self.pin = "1234567"
        self.accounts: dict[str, Credentials] = {self.credentials.access_token: self.credentials}
        self.owners: dict[int, str] = {}
        self._faults: dict[str, deque[Fault]] = {
            "POST": deque(),
            "GET": deque(),
            "DELETE": deque(),
            "TOKEN": deque(),
            "ME": deque(),
            "LOOKUP": deque(),
        }
        self._nonces: set[str] = set()
        self._last_id = 0
        self._lock = threading.RLock()
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.x = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> FakeX:
        self._thread.start()
        return self

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> FakeX:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # scripts

    def on_post(self, *faults: Fault) -> None:
        self._faults["POST"].extend(faults)

    def on_get(self, *faults: Fault) -> None:
        self._faults["GET"].extend(faults)

    def on_delete(self, *faults: Fault) -> None:
        self._faults["DELETE"].extend(faults)

    def on_token(self, *faults: Fault) -> None:
        self._faults["TOKEN"].extend(faults)

    def on_me(self, *faults: Fault) -> None:
        self._faults["ME"].extend(faults)

    def on_lookup(self, *faults: Fault) -> None:
        self._faults["LOOKUP"].extend(faults)

    def next_fault(self, kind: str) -> Fault:
        with self._lock:
            if self._faults[kind]:
                return self._faults[kind].popleft()
        return {"POST": self.always_post, "GET": self.always_get}.get(kind) or ok()

    # memory

    def texts(self) -> list[str]:
        return [t.text for t in self.accepted if t.via == "api"]

    def posts_seen(self) -> int:
        return sum(r.method == "POST" and r.path == "/2/tweets" for r in self.requests)

    def reads_seen(self) -> int:
        return sum(r.method == "GET" for r in self.requests)

    def tweet_by_hand(self, text: str) -> int:
        return self.store(text, via="hand").id

    def delete_by_hand(self, tweet_id: int) -> None:
        for tweet in self.accepted:
            if tweet_id in tweet.ids:
                tweet.deleted, tweet.deleted_at = True, self.now()

    def edit_by_hand(self, tweet_id: int, text: str) -> int:
        """Edit a tweet as its owner may: it gets a further id, under which the timeline shows it from now on."""
        with self._lock:
            tweet = next(t for t in self.accepted if tweet_id in t.ids)
            self._last_id = max(self._last_id + 1, (int(self.now() * 1000) - EPOCH_MS) << 22)
            tweet.newer, tweet.edited = (*tweet.newer, self._last_id), text
            return self._last_id

    def store(self, text: str, via: str = "api", late: float = 0.0, owner: str = "") -> Stored:
        with self._lock:
            asked = self.now()
            at = asked + late
            number = (int(at * 1000) - EPOCH_MS) << 22
            if late:  # made later, so its id is not the newest now
                number += SEQUENCE_OF_LATE_TWEETS + len(self.accepted)
            else:
                number = self._last_id = max(self._last_id + 1, number)
            tweet = Stored(number, text, at, via, visible_at=at + self.lag(), asked=asked, slot=self.slot)
            self.accepted.append(tweet)
            self.owners[tweet.id] = owner or self.credentials.user_id
        if self.log:
            self.log(f"accepted {tweet.id}: {text!r}")
        return tweet

    def visible(self, user_id: str = "") -> list[Stored]:
        """Return what a timeline shows now, newest first."""
        now = self.now()
        shown = [t for t in self.accepted if not t.deleted and t.visible_at + self.read_lag <= now]
        return sorted(
            (t for t in shown if self.owners[t.id] == (user_id or self.credentials.user_id)),
            key=lambda t: -t.ids[-1],
        )

    def count_tweets(self, user_id: str) -> int:
        """Return how many tweets an account has, as X shows it on its profile."""
        return sum(not t.deleted and self.owners[t.id] == user_id for t in self.accepted)

    def check_nonce(self, nonce: str) -> bool:
        with self._lock:
            fresh = nonce not in self._nonces
            self._nonces.add(nonce)
        return fresh


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    x: FakeX

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients vanish in these tests; that is not worth a traceback."""


class _Handler(LoginHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self.x = self.server.x
        self.sent = 0
        self.parts = urlsplit(self.path)
        self.query = dict(parse_qsl(self.parts.query, keep_blank_values=True))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        self.close_connection = True
        at = self.x.now()
        position = len(self.x.requests)
        seen = Seen(self.command, self.parts.path, self.query, self.body, 0, at)
        self.x.requests.append(seen)
        time.sleep(self.x.pace())
        try:
            self._route()
        finally:
            self.x.requests[position] = replace(seen, status=self.sent)
            if self.x.log:
                self.x.log(f"{self.command} {self.path} -> {self.sent or 'no answer'}")

    def _route(self) -> None:
        path, method = self.parts.path, self.command
        if path == "/" and method == "GET":
            return self._send(
                200,
                "\n\n".join(t.text for t in self.x.visible()),
                (("Content-Type", "text/plain; charset=utf-8"),),
            )
        if path.startswith("/oauth/"):
            return self._oauth1_flow(path)
        if path == "/2/oauth2/token":
            return self._token()
        if path == "/i/oauth2/authorize":
            return self._authorize2()
        problem = self._authenticate()
        if problem:
            return self._send(*problem)
        if path == "/2/tweets" and method == "POST":
            return self._post()
        if path == "/2/tweets" and method == "GET":
            return self._lookup()
        if path.startswith("/2/users/") and path.endswith("/tweets") and method == "GET":
            return self._timeline(path.split("/")[3])
        if path == "/2/users/me":
            fault = self.x.next_fault("ME")
            if fault.kind != "ok":
                return self._misbehave(fault)
            return self._json(200, {"data": self._profile()})
        if path.startswith("/2/tweets/") and method == "DELETE":
            return self._delete(int(path.rpartition("/")[2]))
        if path.startswith("/2/tweets/") and method == "GET":
            return self._single(int(path.rpartition("/")[2]))
        return self._json(
            404, {"title": "Not Found", "status": 404, "type": "about:blank", "detail": "Not Found"}
        )

    # answers

    def _send(self, status: int, body: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        raw = body.encode("latin-1", "replace") if "\xff" in body else body.encode("utf-8")
        self.sent = status
        self.send_response_only(status)
        given = {name.lower() for name, _ in headers}
        usual = [(name, value) for name, value in self._usual_headers() if name.lower() not in given]
        for name, value in (*headers, *usual):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _json(self, status: int, data: dict[str, Any], headers: tuple[tuple[str, str], ...] = ()) -> None:
        self._send(status, json.dumps(data, separators=(",", ":")), headers)

    def _usual_headers(self) -> list[tuple[str, str]]:
        now = self.x.now()
        usual = {
            "Date": formatdate(now, usegmt=True),
            "Content-Type": "application/json; charset=utf-8",
            "api-version": "2.167",
            "x-access-level": self.x.access_level,
            "x-transaction-id": hashlib.md5(str(now).encode()).hexdigest()[:16],
            "x-rate-limit-limit": "100",
            "x-rate-limit-remaining": "99",
            "x-rate-limit-reset": str(int(now) + 900),
            **self.x.limits,
        }
        return list(usual.items())

    # who asks

    # posting

    def _post(self) -> None:
        try:
            data = json.loads(self.body)
            text = data["text"]
        except (ValueError, KeyError, TypeError):
            return self._json(
                400,
                {
                    "title": "Invalid Request",
                    "type": PROBLEMS + "invalid-request",
                    "detail": "One or more parameters to your request was invalid.",
                },
            )
        if set(data) - {"text", "reply", "media", "poll"}:
            return self._json(
                400,
                {"title": "Invalid Request", "type": PROBLEMS + "invalid-request", "detail": "unknown field"},
            )
        if "write" not in self.x.access_level:
            fault = read_only()
            return self._send(fault.status, fault.body)
        fault = self.x.next_fault("POST")
        if fault.kind == "ok":
            if self.x.duplicate_filter and any(t.text == text and not t.deleted for t in self.x.accepted):
                fault = duplicate()
                return self._send(fault.status, fault.body)
            if len(text) > 280:
                return self._json(
                    403,
                    {
                        "detail": "You are not permitted to perform this action.",
                        "title": "Forbidden",
                        "status": 403,
                        "type": "about:blank",
                    },
                )
        if fault.accept_late is not None:
            self.x.store(text, late=fault.accept_late, owner=self.user)
        tweet = self.x.store(text, owner=self.user) if fault.accept else None
        if fault.kind == "ok" and tweet:
            return self._json(
                201,
                {
                    "data": {
                        "id": str(tweet.id),
                        "text": html.escape(short_links(text) if self.x.links else text, quote=False),
                        "edit_history_tweet_ids": [str(tweet.id)],
                    }
                },
            )
        return self._misbehave(fault)

    def _misbehave(self, fault: Fault) -> None:
        match fault.kind:
            case "hang":
                self._wait(fault.seconds)
            case "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            case "close":
                pass
            case "raw":
                self.wfile.write(fault.body.encode())
            case "truncate":
                self.sent = 201
                self.wfile.write(
                    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
                    + fault.body.encode()
                )
            case "dribble":
                self.sent = 201
                self.wfile.write(
                    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
                )
                until = time.monotonic() + fault.seconds
                while time.monotonic() < until and not self.x.stopping.wait(0.1):
                    self.wfile.write(b" ")
                    self.wfile.flush()
            case "redirect":
                self.x._nonces.clear()  # so that a client that follows gets its second tweet
                self._send(
                    fault.status, "", (("Location", f"{self.x.url}/2/tweets"), ("Connection", "close"))
                )  # it may not ask on this one
            case _:
                self._send(fault.status, fault.body, fault.headers)

    def _wait(self, seconds: float) -> None:
        """Hold the connection until the client goes, the server stops, or time is up."""
        self.connection.settimeout(0.05)
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.x.stopping.is_set():
            try:
                if self.connection.recv(1) == b"":
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    # reading

    def _timeline(self, user_id: str) -> None:
        count = int(self.query.get("max_results", "10"))
        if not 5 <= count <= 100:
            return self._json(
                400,
                {"title": "Invalid Request", "type": PROBLEMS + "invalid-request", "detail": "max_results"},
            )
        fault = self.x.next_fault("GET")
        if fault.kind not in {"ok", "stale"}:
            return self._misbehave(fault)
        tweets = self.x.visible(user_id)
        if fault.kind == "stale":
            tweets = []
        low, high = int(self.query.get("since_id", 0)), int(self.query.get("until_id", 2**63))
        start = int(self.query.get("pagination_token", 0))
        wanted = [t for t in tweets if low < t.ids[-1] < high]
        items, meta = page_of(wanted, start, count, self.x.look, links=self.x.links)
        shown = self.x.view(items)
        meta["result_count"] += len(shown) - len(items)
        return self._json(200, {"data": shown, "meta": meta} if shown else {"meta": meta})

    def _profile(self) -> dict[str, Any]:
        profile: dict[str, Any] = {"id": self.user, "name": "Fake", "username": "fake"}
        if "public_metrics" in self.query.get("user.fields", ""):
            profile["public_metrics"] = {"tweet_count": self.x.count_tweets(self.user)}
        return profile

    def _single(self, tweet_id: int) -> None:
        found = next((t for t in self.x.visible() if t.id == tweet_id), None)
        if found is None:
            return self._json(
                200,
                {
                    "errors": [
                        {
                            "title": "Not Found Error",
                            "type": PROBLEMS + "resource-not-found",
                            "value": str(tweet_id),
                        }
                    ]
                },
            )
        return self._json(200, {"data": {"id": str(found.id), "text": html.escape(found.text, quote=False)}})

    def _lookup(self) -> None:
        ids = self.query.get("ids", "").split(",")
        if not 1 <= len(ids) <= 100 or not all(one.isdigit() for one in ids):
            fault = invalid_request()
            return self._send(fault.status, fault.body)
        fault = self.x.next_fault("LOOKUP")
        if fault.kind != "ok":
            return self._misbehave(fault)
        fields = self.query.get("tweet.fields", "")
        body = lookup_of(ids, self.x.visible(self.user), self.x.figures, fields, links=self.x.links)
        return self._json(200, self.x.lookup_view(body))

    def _delete(self, tweet_id: int) -> None:
        fault = self.x.next_fault("DELETE")
        if fault.accept:
            self.x.delete_by_hand(tweet_id)
        if fault.kind == "ok":
            return self._json(200, {"data": {"deleted": True}})
        return self._misbehave(fault)
