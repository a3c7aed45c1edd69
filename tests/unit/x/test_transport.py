"""What the trace of a connection tells: whether a byte of the request may have left."""

import http.server
import socket
import threading

import pytest
import requests

from src.x.transport import Trace, TracingAdapter


class _Closing(http.server.BaseHTTPRequestHandler):
    """A server, or a proxy, that reads a request and closes the connection without a word."""

    def do_GET(self):
        self.server.seen.append(self.path)

    do_POST = do_GET


@pytest.fixture
def server():
    with http.server.HTTPServer(("127.0.0.1", 0), _Closing) as made:
        made.seen = []
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def nobody():
    """The address of a port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"


def trace_of(method, url, proxy=None):
    """Make a request that fails; return whether a byte of it may have left."""
    trace = Trace()
    assert not trace.sent
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", TracingAdapter(trace))
        with pytest.raises(requests.ConnectionError):
            session.request(method, url, proxies={"http": proxy} if proxy else {}, timeout=5)
    return trace.sent


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_was_read(server, method):
    """What a server read has left, and is asked once."""
    assert trace_of(method, f"http://127.0.0.1:{server.server_address[1]}/x")
    assert server.seen == ["/x"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_there(nobody, method):
    """Without a connection nothing leaves."""
    assert not trace_of(method, nobody)


def test_through_a_proxy(server):
    """What a proxy read may have reached X."""
    assert trace_of("POST", "http://api.example.org/x", f"http://127.0.0.1:{server.server_address[1]}")
    assert server.seen == ["http://api.example.org/x"]


def test_a_proxy_that_is_not_there(nobody):
    """What no proxy took has not left."""
    assert not trace_of("POST", "http://api.example.org/x", nobody)


def test_a_manager_is_followed_once():
    """Each request asks for the manager of its proxy; its connections are traced once, not once more each time."""
    adapter = TracingAdapter(Trace())
    classes = [adapter.proxy_manager_for("http://127.0.0.1:1").pool_classes_by_scheme for _ in range(2)]
    assert classes[0] is classes[1]


def test_a_connection_made_before(server):
    """Over TLS the connection is made before the request: nothing has left then, and the request does."""
    trace = Trace()
    pool = TracingAdapter(trace).poolmanager.connection_from_url(
        f"http://127.0.0.1:{server.server_address[1]}"
    )
    connection = pool._new_conn()
    connection.connect()
    assert not trace.sent
    connection.send(b"GET / HTTP/1.0\r\n\r\n")
    assert trace.sent
    connection.close()
