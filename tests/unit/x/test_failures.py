"""Exchanges without a whole response: what left, and what to fix."""

import contextlib
import errno
import socket
import socketserver
import ssl
import threading
from datetime import UTC, datetime

import pytest
import requests
import urllib3

from src import config
from src.domain.answers import Outcome
from src.domain.errors import DeadlineError
from src.system import machine
from src.twitter_handler import XClient
from src.x import failures
from src.x.failures import FIXES, fix_for_failure, read_failure
from tests import fake_x
from tests.support.world import World

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
ROOTS = {requests.RequestException, urllib3.exceptions.HTTPError}


def tree(root):
    """Return a class and everything below it."""
    return {root}.union(*(tree(kind) for kind in root.__subclasses__())) if root.__subclasses__() else {root}


@pytest.mark.parametrize(
    "kind", sorted((tree(requests.RequestException) | tree(urllib3.exceptions.HTTPError)) - ROOTS, key=str)
)
def test_every_exception_has_its_words(kind):
    """Each exception of requests and urllib3 is in the table, itself or by a class below the roots."""
    assert any(
        base in FIXES for base in kind.__mro__ if base not in {*ROOTS, OSError, ValueError, Exception}
    ), kind


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        None,
        ValueError("x"),
        requests.ReadTimeout("x"),
        requests.ConnectTimeout("x"),
        DeadlineError("x"),
        MemoryError(),
    ],
)
def test_what_may_have_left_is_unknown(error, sent):
    """The trace of the connection decides, whatever was raised."""
    result = read_failure(error, sent=sent)
    assert result.outcome is (Outcome.UNKNOWN if sent else Outcome.NOT_SENT)
    assert result.fix


def caused(error, cause):
    """Return an error as `raise error from cause` makes it: urllib3 does so for sockets."""
    error.__cause__ = cause
    return error


def pool_error(reason):
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/", reason))


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (pool_error(urllib3.exceptions.NewConnectionError(None, "refused")), failures.FIX_NETWORK),
        (
            pool_error(urllib3.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed"))),
            failures.FIX_TLS,
        ),
        (
            requests.exceptions.ProxyError(
                urllib3.exceptions.MaxRetryError(
                    None, "/", urllib3.exceptions.ProxyError("x", OSError("407"))
                )
            ),
            failures.FIX_PROXY,
        ),
        (OSError("Could not find a suitable TLS CA certificate bundle"), failures.FIX_BUNDLE),
        (OSError(errno.EMFILE, "Too many open files"), machine.FIX_FILES),
        (pool_error(OSError(errno.EMFILE, "Too many open files")), machine.FIX_FILES),
        (
            pool_error(
                caused(urllib3.exceptions.NewConnectionError(None, "x"), OSError(errno.EMFILE, "Too many"))
            ),
            machine.FIX_FILES,
        ),
        (
            pool_error(urllib3.exceptions.SSLError(PermissionError(errno.EACCES, "Permission denied"))),
            failures.FIX_BUNDLE,
        ),
        (
            pool_error(
                caused(urllib3.exceptions.NewConnectionError(None, "x"), PermissionError(errno.EACCES, "no"))
            ),
            failures.FIX_NETWORK,
        ),
        (requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support."), failures.FIX_SOCKS),
        (requests.exceptions.InvalidProxyURL("x"), failures.FIX_PROXY),
        (OSError(errno.EHOSTUNREACH, "No route to host"), failures.FIX_NETWORK),
        (pool_error(urllib3.exceptions.SSLError(ConnectionResetError(104, "reset"))), failures.FIX_NETWORK),
        (pool_error(urllib3.exceptions.SSLError(ValueError("x"))), failures.FIX_SIGNING),
        (TypeError("Consumer key must be string or bytes, not NoneType"), failures.FIX_SIGNING),
        (MemoryError(), machine.FIX_MEMORY),
    ],
)
def test_the_fix_names_what_to_change(error, fix):
    """Certificates, proxies, names, sockets, keys: each cause has words of its own."""
    assert fix_for_failure(error) is fix


def test_the_password_of_a_proxy_is_not_repeated():
    """It stands in the messages of urllib3."""
    result = read_failure(OSError("cannot reach http://me:secret@proxy:8080"), sent=False)
    assert result.detail == "cannot reach http://***@proxy:8080"


def test_a_long_password_of_a_proxy():
    """It is taken out before the message is cut, so that no part of it is left."""
    result = read_failure(OSError(f"no http://{'s' * 500}@proxy {'y' * 500}"), sent=True)
    assert result.detail == f"no http://***@proxy {'y' * 500}"[:200]


def test_causes_end():
    """Of a chain without end the eighth cause counts."""
    error = OSError("19")
    for number in reversed(range(19)):
        error = caused(OSError(str(number)), error)
    assert read_failure(error, sent=True).detail == "7"


class _Proxy(socketserver.StreamRequestHandler):
    """A proxy that answers CONNECT with what `answer` says, and keeps what it was sent."""

    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    seen: list[bytes]

    def handle(self):
        self.seen.append(self.rfile.readline())
        with contextlib.suppress(OSError):
            while self.rfile.readline().strip():
                pass
            self.wfile.write(self.answer)


@pytest.fixture
def proxy():
    seen = []
    handler = type("Handler", (_Proxy,), {"seen": seen})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://name:secret@127.0.0.1:{server.server_address[1]}", seen, handler
        server.shutdown()


def client(tmp_path, x, **extra):
    world = World(tmp_path, x, None)
    return XClient(config.load({**world.env, **extra}), lambda: datetime.now(UTC))


@pytest.mark.parametrize(
    "status", [b"407 Proxy Authentication Required", b"502 Bad Gateway", b"403 Forbidden"]
)
def test_a_proxy_that_refuses(tmp_path, monkeypatch, proxy, status):
    """Its answer to CONNECT is not X's: nothing of the post left, and the fix names the proxy."""
    address, seen, handler = proxy
    handler.answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"
    monkeypatch.setenv("HTTPS_PROXY", address)
    with fake_x.FakeX() as x:
        result = client(tmp_path, x, X_API_BASE_URL="https://api.example.org").send("A text.")
    assert (result.outcome, result.fix) == (Outcome.NOT_SENT, failures.FIX_PROXY)
    (line,) = seen
    assert line.startswith(b"CONNECT api.example.org:443 HTTP/1.")
    assert "secret" not in result.detail


@pytest.mark.parametrize(
    ("variables", "fix"),
    [
        ({"REQUESTS_CA_BUNDLE": "/nowhere/bundle.pem"}, failures.FIX_BUNDLE),
        ({"HTTPS_PROXY": "socks5://127.0.0.1:1"}, failures.FIX_NETWORK),
        ({"HTTPS_PROXY": "gopher://127.0.0.1:1"}, failures.FIX_SOCKS),
        ({"HTTPS_PROXY": "http://127.0.0.1:1"}, failures.FIX_PROXY),
        ({}, failures.FIX_NETWORK),
    ],
)
def test_what_fails_on_the_way(tmp_path, monkeypatch, variables, fix):
    """A bundle that is not there, a proxy that does not answer, nobody there: never sent, and what to fix."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with fake_x.FakeX() as x:
        result = client(tmp_path, x, X_API_BASE_URL="https://127.0.0.1:1").send("A text.")
    assert (result.outcome, result.fix) == (Outcome.NOT_SENT, fix)


def test_no_keys(tmp_path):
    """Without keys nothing is asked of X."""
    with fake_x.FakeX() as x:
        asked = XClient(config.load({"X_API_BASE_URL": x.url, "DATA_DIR": str(tmp_path)}), lambda: NOW).send(
            "A text."
        )
        assert (asked.outcome, x.requests) == (Outcome.NOT_SENT, [])


@pytest.mark.parametrize(
    "fault", [fake_x.close(accept=True), fake_x.reset(accept=False), fake_x.half_status(accept=True)]
)
def test_what_breaks_after_the_request(tmp_path, fault):
    """The request was on a connected socket: nobody knows."""
    with fake_x.FakeX() as x:
        x.on_post(fault)
        assert client(tmp_path, x).send("A text.").outcome is Outcome.UNKNOWN


def test_a_handshake_that_hangs(tmp_path):
    """A server that takes the connection and never answers the TLS greeting got no request."""
    with socket.create_server(("127.0.0.1", 0)) as listener, fake_x.FakeX() as x:
        address = f"https://127.0.0.1:{listener.getsockname()[1]}"
        slow = client(
            tmp_path, x, X_API_BASE_URL=address, CONNECT_TIMEOUT_SECONDS="0.2", READ_TIMEOUT_SECONDS="0.2"
        )
        assert slow.send("A text.").outcome is Outcome.NOT_SENT


def test_netrc_is_never_read(tmp_path, monkeypatch):
    """A name and a password for every host do not replace the bearer token."""
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    session = requests.Session()
    prepared = session.prepare_request(
        requests.Request("GET", "http://127.0.0.1/", headers={"Authorization": "Bearer x"})
    )
    assert prepared.headers["Authorization"].startswith("Basic "), "the trap works"
    from src.x.session import XSession

    ours = XSession(config.load({"DATA_DIR": str(tmp_path)}))
    prepared = ours.prepare_request(
        requests.Request("GET", "http://127.0.0.1/", headers={"Authorization": "Bearer x"})
    )
    assert prepared.headers["Authorization"] == "Bearer x"
