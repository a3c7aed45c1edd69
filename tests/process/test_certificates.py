"""A certificate that is not accepted: which variables are read, and which are not."""

import contextlib
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime

import pytest

from src import config
from src.domain.answers import Outcome
from src.twitter_handler import XClient
from src.x import failures
from tests import fake_x
from tests.support.world import World

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)


def client(tmp_path, x, **extra):
    world = World(tmp_path, x, None)
    return XClient(config.load({**world.env, **extra}), lambda: datetime.now(UTC))


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """A server on this machine whose certificate no bundle has: its address and the file of the certificate."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key)]
    made += ["-out", str(certificate), "-days", "9", "-subj", "/CN=127.0.0.1"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with (
                        contextlib.suppress(OSError),
                        connection,
                        context.wrap_socket(connection, server_side=True) as open_line,
                    ):
                        got = b""  # all of the request: an unread rest would reset the connection
                        while b'"text"' not in got and (part := open_line.recv(10_000)):
                            got += part
                        open_line.sendall(
                            b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        )

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", str(certificate)


@pytest.mark.parametrize(
    ("variable", "is_read"),
    [
        ("REQUESTS_CA_BUNDLE", True),
        ("CURL_CA_BUNDLE", True),
        ("SSL_CERT_FILE", False),
        ("SSL_CERT_DIR", False),
        (None, False),
    ],
)
def test_which_certificates_are_read(tmp_path, monkeypatch, tls, variable, is_read):
    """The fix for a certificate names the variables that have an effect, and those that have none as such."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    address, certificate = tls
    if variable:
        monkeypatch.setenv(variable, certificate)
    with fake_x.FakeX() as x:
        result = client(tmp_path, x, X_API_BASE_URL=address).send("A text.")
    if is_read:
        assert result.outcome is Outcome.UNKNOWN  # the request left: the certificate was accepted
    else:
        assert (result.outcome, result.fix) == (Outcome.NOT_SENT, failures.FIX_TLS)
    read, _, not_read = failures.FIX_TLS.render().partition("(")
    assert variable is None or (variable in read, variable in not_read) == (is_read, not is_read)
