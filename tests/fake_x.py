"""A fake X on loopback that keeps what it accepted, verifies OAuth 1.0a signatures, and misbehaves on script.

    with FakeX() as x:
        x.on_post(lost_answer(), ok())      # one fault a request; afterwards it behaves
        ...
        assert x.texts() == [...]

Every fault comes in two kinds: before (`accept=False`) and after (`accept=True`) the tweet was stored. By hand:
`python -m tests.fake_x --port 8765`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import html
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

EPOCH_MS = 1288834974657
PROBLEMS = "https://api.twitter.com/2/problems/"


@dataclass(frozen=True)
class Credentials:
    """The four keys of an app and its user; the user id is the first part of the access token."""

    api_key: str = "fakeApiKey0123456789abcdef"
    api_secret: str = "fakeApiSecret0123456789abcdefABCDEF0123456789"
    access_token: str = "1234567890-fakeAccessToken0123456789abcdef"
    access_token_secret: str = "fakeAccessTokenSecret0123456789abcdefABCD"

    @property
    def user_id(self) -> str:
        return self.access_token.partition("-")[0]


@dataclass
class Stored:
    """A tweet on the fake X. `via` is api (this program) or hand (a person)."""

    id: int
    text: str
    at: float
    via: str = "api"
    deleted: bool = False
    visible_at: float = 0.0
    asked: float = 0.0


@dataclass(frozen=True)
class Seen:
    """A request as it came in, with the status that was sent (0: none)."""

    method: str
    path: str
    query: dict[str, str]
    body: str
    status: int
    at: float


@dataclass(frozen=True)
class Fault:
    """What to do instead of answering. `accept` stores the tweet first, `accept_late` so many seconds later."""

    kind: str = "ok"
    accept: bool = True
    status: int = 201
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 30.0
    accept_late: float | None = None


# ---- faults with names ---------------------------------------------------------------------------------------


def ok() -> Fault:
    return Fault()


def hang(accept: bool, seconds: float = 30.0) -> Fault:
    return Fault("hang", accept, seconds=seconds)


def reset(accept: bool) -> Fault:
    return Fault("reset", accept)


def close(accept: bool) -> Fault:
    return Fault("close", accept)


def truncated(accept: bool = True) -> Fault:
    return Fault("truncate", accept, body='{"data":{"id":"14560')


def half_status(accept: bool) -> Fault:
    return Fault("raw", accept, body="HTTP/1.1 20")


def dribble(accept: bool) -> Fault:
    return Fault("dribble", accept)


def answer(
    status: int, body: str = "", accept: bool = False, *headers: tuple[str, str], late: float | None = None
) -> Fault:
    return Fault("answer", accept, status, body, headers, accept_late=late)


def html_200(accept: bool) -> Fault:
    return answer(
        200, "<html><body>Something went wrong</body></html>", accept, ("Content-Type", "text/html")
    )


def empty_201(accept: bool) -> Fault:
    return answer(201, "", accept)


def no_id_201(accept: bool) -> Fault:
    return answer(201, '{"data":{"text":"x"}}', accept)


def bad_id_201(accept: bool) -> Fault:
    return answer(201, '{"data":{"id":"not-a-number"}}', accept)


def garbage_201(accept: bool) -> Fault:
    return answer(201, "\x00\xff{{{", accept)


def big(accept: bool) -> Fault:
    return answer(201, "x" * 10_000_000, accept)


def server_error(status: int, accept: bool, body: str = "", late: float | None = None) -> Fault:
    return answer(
        status, body or json.dumps({"title": "Service Unavailable", "status": status}), accept, late=late
    )


def redirect(status: int = 307, accept: bool = False) -> Fault:
    return Fault("redirect", accept, status)


def refuse(code: int, accept: bool = False, /, **body: Any) -> Fault:
    return answer(code, json.dumps(body), accept)


def unauthorized() -> Fault:
    return refuse(401, title="Unauthorized", type="about:blank", status=401, detail="Unauthorized")


def no_credits() -> Fault:
    return refuse(
        402,
        title="CreditsDepleted",
        type=PROBLEMS + "credits",
        detail="Your enrolled account [1] does not have any credits to fulfill this request.",
    )


def duplicate(accept: bool = False) -> Fault:
    return refuse(
        403,
        accept,
        detail="You are not allowed to create a Tweet with duplicate content.",
        type="about:blank",
        title="Forbidden",
        status=403,
    )


def suspended() -> Fault:
    return refuse(403, detail="This account is suspended (user-suspended).", title="Forbidden", status=403)


def read_only() -> Fault:
    return refuse(
        403,
        title="Forbidden",
        type=PROBLEMS + "oauth1-permissions",
        detail="Your client app is not configured with the appropriate oauth1 app permissions for this endpoint.",
    )


def not_enrolled() -> Fault:
    return refuse(
        403,
        title="Client Forbidden",
        reason="client-not-enrolled",
        type=PROBLEMS + "client-forbidden",
        detail="attach",
    )


def bad_text() -> Fault:
    return refuse(403, detail="Posts are limited to a maximum of one cashtag.", title="Forbidden", status=403)


def invalid_request() -> Fault:
    return refuse(
        400,
        title="Invalid Request",
        type=PROBLEMS + "invalid-request",
        detail="One or more parameters to your request was invalid.",
    )


def rate_limited(reset_at: float | str | None, *more: tuple[str, str]) -> Fault:
    headers = (
        ()
        if reset_at is None
        else (
            ("x-rate-limit-reset", str(reset_at)),
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-limit", "100"),
        )
    )
    return answer(
        429,
        json.dumps(
            {
                "title": "Too Many Requests",
                "detail": "Too Many Requests",
                "type": "about:blank",
                "status": 429,
            }
        ),
        False,
        *headers,
        *more,
    )


# ---- faults of the timeline -----------------------------------------------------------------------------------


def not_found() -> Fault:
    return refuse(
        404, title="Not Found Error", type=PROBLEMS + "resource-not-found", detail="Could not find user"
    )


def stale() -> Fault:
    """Show the timeline as it was before the newest three tweets, and without any we know of late."""
    return Fault("stale")


def empty() -> Fault:
    return answer(200, '{"meta":{"result_count":0}}')


def malformed() -> Fault:
    return answer(200, "null")


def errors_200() -> Fault:
    return answer(200, '{"errors":[{"title":"x"}],"meta":{"result_count":0}}')


@dataclass
class OAuth2:
    """The state of the token endpoints."""

    client_id: str = "fakeClientId"
    client_secret: str = "fakeClientSecret0123456789"
    refresh_token: str = "refresh-0"
    access_tokens: dict[str, float] = field(default_factory=dict)  # token -> when it ends
    life: float = 7200.0
    codes_denied: bool = False
    used: set[str] = field(default_factory=set)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    revoked: bool = False
    token_requests: int = 0
    number: int = 0


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
        # What a page of the timeline really shows of its items: left out, odd, in another order, with t.co links.
        self.view: Callable[[list[Any]], list[Any]] = lambda items: items
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
            if tweet.id == tweet_id:
                tweet.deleted = True

    def store(self, text: str, via: str = "api", late: float = 0.0, owner: str = "") -> Stored:
        with self._lock:
            at = self.now() + late
            self._last_id = max(self._last_id + 1, (int(at * 1000) - EPOCH_MS) << 22)
            tweet = Stored(self._last_id, text, at, via, visible_at=at, asked=at - late)
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
            key=lambda t: -t.id,
        )

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


class _Handler(BaseHTTPRequestHandler):
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
        if path.startswith("/2/users/") and path.endswith("/tweets") and method == "GET":
            return self._timeline(path.split("/")[3])
        if path == "/2/users/me":
            fault = self.x.next_fault("ME")
            if fault.kind != "ok":
                return self._misbehave(fault)
            return self._json(200, {"data": {"id": self.user, "name": "Fake", "username": "fake"}})
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
        for name, value in (*headers, *self._usual_headers()):
            if (name, value) in headers or name.lower() not in given:
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

    def _authenticate(self) -> tuple[int, str] | None:
        header = self.headers.get("Authorization") or ""
        unauthorized = (
            401,
            json.dumps(
                {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}
            ),
        )
        if header.startswith("Bearer "):
            self.user = self.x.credentials.user_id
            return None if self.x.oauth2.access_tokens.get(header[7:], 0) > self.x.now() else unauthorized
        if not header.startswith("OAuth "):
            return unauthorized
        oauth = {
            k.strip(): unquote(v.strip('"'))
            for k, _, v in (part.strip().partition("=") for part in header[6:].split(","))
        }
        if abs(float(oauth.get("oauth_timestamp", 0)) - self.x.now()) > 300:
            return 401, json.dumps({"errors": [{"code": 135, "message": "Timestamp out of bounds."}]})
        account = self.x.accounts.get(oauth.get("oauth_token", ""))
        if (
            account is None
            or oauth.get("oauth_consumer_key") != account.api_key
            or not self.x.check_nonce(oauth.get("oauth_nonce", ""))
        ):
            return unauthorized
        if not hmac.compare_digest(
            oauth.get("oauth_signature", ""),
            self._signature(oauth, account.api_secret, account.access_token_secret),
        ):
            return unauthorized
        self.user = account.user_id
        return None

    def _signature(self, oauth: dict[str, str], secret: str, token_secret: str) -> str:
        """HMAC-SHA1 over method, address and parameters, RFC 5849 section 3.4."""
        form = (
            parse_qsl(self.body, keep_blank_values=True)
            if "urlencoded" in (self.headers.get("Content-Type") or "")
            else []
        )
        pairs = [
            *self.query.items(),
            *form,
            *((k, v) for k, v in oauth.items() if k not in {"oauth_signature", "realm"}),
        ]

        def escape(text: str) -> str:
            return quote(text, safe="~")

        normal = "&".join(f"{k}={v}" for k, v in sorted((escape(k), escape(v)) for k, v in pairs))
        base = "&".join(
            map(escape, (self.command, f"http://{self.headers['Host']}{self.parts.path}", normal))
        )
        key = f"{escape(secret)}&{escape(token_secret)}".encode()
        return base64.b64encode(hmac.new(key, base.encode(), hashlib.sha1).digest()).decode()

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
                        "text": html.escape(text, quote=False),
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
        tweets = [t for t in tweets if low < t.id < high][start:]
        page = tweets[:count]
        if not page:
            return self._json(200, {"meta": {"result_count": 0}})
        meta: dict[str, Any] = {
            "result_count": len(page),
            "newest_id": str(page[0].id),
            "oldest_id": str(page[-1].id),
        }
        if len(tweets) > count:
            meta["next_token"] = str(start + count)
        data = [
            {"id": str(t.id), "text": html.escape(t.text, quote=False), "edit_history_tweet_ids": [str(t.id)]}
            for t in page
        ]
        shown = self.x.view(data)
        meta["result_count"] += len(shown) - len(data)
        return self._json(200, {"data": shown, "meta": meta})

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

    def _delete(self, tweet_id: int) -> None:
        fault = self.x.next_fault("DELETE")
        if fault.accept:
            self.x.delete_by_hand(tweet_id)
        if fault.kind == "ok":
            return self._json(200, {"data": {"deleted": True}})
        return self._misbehave(fault)

    # keys

    def _oauth1_flow(self, path: str) -> None:
        c = self.x.credentials
        plain = (("Content-Type", "application/x-www-form-urlencoded"),)
        header = self.headers.get("Authorization") or ""
        oauth = {
            k.strip(): unquote(v.strip('"'))
            for k, _, v in (part.strip().partition("=") for part in header[6:].split(","))
        }
        if path == "/oauth/authorize":
            return self._send(200, f"PIN {self.x.pin}", (("Content-Type", "text/plain"),))
        if oauth.get("oauth_consumer_key") != c.api_key:
            return self._send(401, '{"errors":[{"code":32,"message":"Could not authenticate you."}]}')
        token_secret = "" if path == "/oauth/request_token" else "requestSecret"
        if not hmac.compare_digest(
            oauth.get("oauth_signature", ""), self._signature(oauth, c.api_secret, token_secret)
        ):
            return self._send(401, '{"errors":[{"code":32,"message":"Could not authenticate you."}]}')
        fault = self.x.next_fault("TOKEN")
        if fault.kind != "ok":
            return self._misbehave(fault)
        if path == "/oauth/request_token":
            return self._send(
                200,
                "oauth_token=requestToken&oauth_token_secret=requestSecret&oauth_callback_confirmed=true",
                plain,
            )
        form = dict(parse_qsl(self.body))
        if (
            oauth.get("oauth_verifier") or form.get("oauth_verifier") or self.query.get("oauth_verifier")
        ) != self.x.pin:
            return self._send(401, '{"errors":[{"code":89,"message":"Invalid or expired token."}]}')
        return self._send(
            200,
            f"oauth_token={quote(c.access_token)}&oauth_token_secret={c.access_token_secret}&user_id={c.user_id}&screen_name=fake",
            plain,
        )

    def _authorize2(self) -> None:
        state = self.x.oauth2
        if state.codes_denied:
            return self._send(
                302,
                "",
                (
                    (
                        "Location",
                        f"{self.query.get('redirect_uri', '')}?error=access_denied&state={quote(self.query.get('state', ''))}",
                    ),
                ),
            )
        code = f"code-{len(state.codes)}"
        state.codes[code] = self.query
        where = f"{self.query.get('redirect_uri', '')}?code={code}&state={quote(self.query.get('state', ''))}"
        return self._send(302, "", (("Location", where),))

    def _token(self) -> None:
        state, form = self.x.oauth2, dict(parse_qsl(self.body))
        state.token_requests += 1
        fault = self.x.next_fault("TOKEN")
        if fault.kind != "ok" and not fault.accept:
            return self._misbehave(fault)
        basic = base64.b64encode(f"{state.client_id}:{state.client_secret}".encode()).decode()
        if (
            self.headers.get("Authorization", f"Basic {basic}") != f"Basic {basic}"
            or form.get("client_id") != state.client_id
        ):
            return self._json(
                401,
                {"error": "unauthorized_client", "error_description": "Missing valid authorization header"},
            )
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") in state.used:
                state.revoked = True  # a second use is taken for theft: the whole family ends
                state.access_tokens.clear()
            if state.revoked or form.get("refresh_token") != state.refresh_token:
                return self._json(
                    400,
                    {
                        "error": "invalid_request",
                        "error_description": "Value passed for the token was invalid.",
                    },
                )
            state.used.add(state.refresh_token)
        elif form.get("grant_type") == "authorization_code":
            asked = state.codes.pop(form.get("code", ""), None)
            digest = (
                base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
                .rstrip(b"=")
                .decode()
            )
            if (
                asked is None
                or asked.get("code_challenge") != digest
                or asked.get("redirect_uri") != form.get("redirect_uri")
            ):
                return self._json(
                    400,
                    {
                        "error": "invalid_request",
                        "error_description": "Value passed for the code was invalid.",
                    },
                )
        else:
            return self._json(400, {"error": "unsupported_grant_type", "error_description": "unknown grant"})
        state.number += 1
        state.refresh_token = f"refresh-{state.number}"
        token = f"access-{state.number}"
        state.access_tokens[token] = self.x.now() + state.life
        if fault.kind != "ok":
            return self._misbehave(fault)
        return self._json(
            200,
            {
                "token_type": "bearer",
                "expires_in": int(state.life),
                "access_token": token,
                "scope": "tweet.read users.read tweet.write offline.access",
                "refresh_token": state.refresh_token,
            },
        )


FAULTS: dict[str, Callable[[], Fault]] = {
    "lost-answer": lambda: close(accept=True),
    "unavailable": lambda: server_error(503, accept=False),
    "hang": lambda: hang(accept=True),
    "duplicate": duplicate,
    "no-credits": no_credits,
    "unauthorized": unauthorized,
    "rate-limited": lambda: rate_limited(int(time.time()) + 900),
}


def main() -> None:
    """Run by hand: print the settings that point the program here, then what happens."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fake_x",
        description="Run a fake X on this machine, to try the program without an account.",
    )
    parser.add_argument("--port", type=int, default=8765, help="port on 127.0.0.1 (default 8765)")
    parser.add_argument(
        "--fault",
        choices=sorted(FAULTS),
        action="append",
        default=[],
        help="misbehave this way at the next post; may be repeated",
    )
    options = parser.parse_args()
    x = FakeX(options.port, log=lambda line: print(line, flush=True))
    x.on_post(*(FAULTS[name]() for name in options.fault))
    c = x.credentials
    print(
        f"X_API_BASE_URL={x.url}\nTWITTER_API_KEY={c.api_key}\nTWITTER_API_SECRET={c.api_secret}\nTWITTER_ACCESS_TOKEN={c.access_token}\nTWITTER_ACCESS_TOKEN_SECRET={c.access_token_secret}",
        flush=True,
    )
    with x:
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
