"""Requests for feeds: bounded, polite, and to no address that must not be asked."""

import gzip
import socket
import threading
import time
from datetime import UTC, datetime

import pytest

from src.domain.feeds import Answer, Validators
from src.feeds import fetch as module
from src.feeds.fetch import MAX_BYTES, fetch, is_public, retry_after
from tests.support.feed_server import Entry, FeedServer, Reply, rss

NOW = datetime(2026, 11, 27, 6, tzinfo=UTC)
FEED = rss([Entry("T", "https://a.example/1")])
HOME = frozenset({"127.0.0.1", "home.example"})


@pytest.fixture
def server():
    with FeedServer() as made:
        made.pages["/feed.xml"] = Reply(FEED)
        yield made


def ask(server, path="/feed.xml", hosts=HOME, known=None, seconds=5.0, host="127.0.0.1"):
    return fetch(server.url(path, host), known or Validators(), hosts, seconds=seconds, now=NOW)


@pytest.fixture
def names(monkeypatch):
    """Names that lead where the test says; a list gives one address for each lookup."""
    real, known = socket.getaddrinfo, {}

    def lookup(host, port, *args, **options):
        if host in known:
            found = known[host]
            found = found.pop(0) if isinstance(found, list) and len(found) > 1 else found[0] if isinstance(found, list) else found  # fmt: skip
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found.split()]
        return real(host, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return known


def test_a_document(server):
    """The body comes with its type and what the server validates it by."""
    server.pages["/feed.xml"] = Reply(
        FEED, headers={"ETag": '"a"', "Last-Modified": "Fri, 20 Nov 2026 10:00:00 GMT"}
    )
    got = ask(server)
    assert (got.answer, got.body) == (Answer.NEW, FEED)
    assert got.validators == Validators('"a"', "Fri, 20 Nov 2026 10:00:00 GMT")
    assert "xml" in got.content_type


def test_conditional(server):
    """Validators go back as they came, and 304 says that nothing has changed."""
    server.pages["/feed.xml"] = Reply(status=304)
    assert ask(server, known=Validators('W/"a b"', "whatever it was")).answer is Answer.SAME
    sent = server.asked[0].headers
    assert (sent["If-None-Match"], sent["If-Modified-Since"]) == ('W/"a b"', "whatever it was")
    assert "twitter_manager/" in sent["User-Agent"]
    assert not {"Cookie", "Authorization"} & set(sent)


def test_no_netrc_and_no_proxy(server, tmp_path, monkeypatch):
    """Neither `~/.netrc` nor a proxy of the environment has a part in it."""
    (tmp_path / ".netrc").write_text("default login a password b")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert ask(server).answer is Answer.NEW
    assert "Authorization" not in server.asked[0].headers


@pytest.mark.parametrize(
    ("reply", "answer", "detail"),
    [
        (Reply(status=410), Answer.GONE, "has ended"),
        (Reply(status=404), Answer.FAILED, "404"),
        (Reply(status=500), Answer.FAILED, "500"),
        (Reply(status=429, headers={"Retry-After": "7200"}), Answer.LATER, "asks to wait"),
        (Reply(status=503), Answer.LATER, "asks to wait"),
        (Reply(FEED, headers={"Content-Encoding": "br"}), Answer.FAILED, "not asked for"),
        (Reply(b"x" * (MAX_BYTES + 1)), Answer.FAILED, "more than"),
        (Reply(b"x" * (MAX_BYTES * 40), gzipped=True), Answer.FAILED, "more than"),  # a bomb
        (Reply(b"rubbish", headers={"Content-Encoding": "gzip"}), Answer.FAILED, "incorrect header"),
        (Reply(gzip.compress(FEED)[:-9], headers={"Content-Encoding": "gzip"}), Answer.FAILED, "cut short"),
    ],
)
def test_answers(server, reply, answer, detail):
    """Each answer has its class and says what happened."""
    server.pages["/feed.xml"] = reply
    got = ask(server)
    assert (got.answer, detail in got.detail) == (answer, True), got.detail
    assert got.wait_seconds == (7200.0 if "Retry-After" in reply.headers else 0.0)


def test_gzip(server):
    """A packed document is unpacked, in one piece or many."""
    server.pages["/feed.xml"] = Reply(FEED, gzipped=True)
    assert ask(server).body == FEED


@pytest.mark.parametrize("tail", [b"", b"\0\0\0"])
def test_packed_in_parts(server, tail):
    """A document that is packed in several parts is read to its end; what pads it is left out."""
    parts = [gzip.compress(FEED[:100]), gzip.compress(FEED[100:150]), gzip.compress(FEED[150:]), tail]
    server.pages["/feed.xml"] = Reply(b"".join(parts), headers={"Content-Encoding": "gzip"})
    assert ask(server).body == FEED


@pytest.mark.parametrize("chunk", [b"x" * 100_000, b"\0" * 1_000_000, b""])
@pytest.mark.parametrize("packed", [False, True])
def test_an_endless_body(server, packed, chunk):
    """A body without an end is cut off at the cap, also where it is packed to nothing, or nothing is packed."""
    chunk = gzip.compress(chunk) * 20 if packed else chunk or b"<" * 9000

    def pieces():
        while True:
            yield chunk

    headers = {"Content-Encoding": "gzip"} if packed else {}
    server.pages["/feed.xml"] = Reply(pieces=pieces, headers=headers)
    got = ask(server)
    assert (got.answer, got.detail) == (Answer.FAILED, "more than 2,000,000 bytes")


def test_a_slow_drip(server):
    """A server that sends a byte now and then is left when the time is over."""
    stop = threading.Event()

    def pieces():
        while not stop.wait(0.05):
            yield b"<"

    server.pages["/feed.xml"] = Reply(pieces=pieces)
    started = time.monotonic()
    got = ask(server, seconds=0.5)
    stop.set()
    assert (got.answer, got.detail) == (Answer.FAILED, "it took longer than 0 s")
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("status", "moved"), [(301, True), (308, True), (302, False), (303, False), (307, False)]
)
def test_redirects(server, status, moved):
    """A redirect is followed for this read; a permanent one is told, and none is kept."""
    server.pages["/old"] = Reply(status=status, headers={"Location": "/feed.xml"})
    got = ask(server, "/old")
    assert (got.answer, got.moved_to) == (Answer.NEW, server.url() if moved else "")


def test_redirects_without_end(server):
    """A circle of redirects is given up."""
    server.pages["/old"] = Reply(status=302, headers={"Location": "/old"})
    assert "redirects" in ask(server, "/old").detail
    assert len(server.asked) == module.MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    ("target", "detail"),
    [
        ("file:///etc/passwd", "no web address"),
        ("ftp://127.0.0.1/x", "no web address"),
        ("http://user:secret@127.0.0.1/x", "name or password"),
        ("gopher://x", "no web address"),
    ],
)
def test_redirects_elsewhere(server, target, detail):
    """A redirect to anything but a plain web address is refused, and no password is repeated."""
    server.pages["/old"] = Reply(status=302, headers={"Location": target})
    got = ask(server, "/old")
    assert (got.answer, detail in got.detail, "secret" in got.detail) == (Answer.FAILED, True, False)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.8", "192.168.1.1", "172.16.9.9", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255",
     "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1", "fe80::1%eth0"],
)  # fmt: skip
def test_addresses_that_are_not_public(server, names, address):
    """No loopback, private, link-local or multicast address is asked, nor one of these inside IPv6."""
    assert not is_public(address)
    names["evil.example"] = address.partition("%")[0]
    got = ask(server, host="evil.example")
    assert (got.answer, "no public address" in got.detail) == (Answer.FAILED, True), got.detail
    assert server.asked == []


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_public_addresses(address):
    """The public internet is public."""
    assert is_public(address)


def test_a_name_with_a_good_and_a_bad_address(server, names):
    """One bad address among good ones is enough to refuse a name."""
    names["evil.example"] = "93.184.216.34 127.0.0.1"
    assert "127.0.0.1" in ask(server, host="evil.example").detail
    assert server.asked == []


def test_a_name_that_changes_its_address(server, names, monkeypatch):
    """The connection goes to the address that was checked: no second lookup leads elsewhere."""
    names["evil.example"] = ["93.184.216.34", "127.0.0.1"]
    connected = []

    def connect(place, **_options):
        connected.append(place[0])
        raise OSError("the network of this test ends here")

    monkeypatch.setattr(module, "create_connection", connect)
    ask(server, host="evil.example")
    assert connected == ["93.184.216.34"]


def test_hosts_of_the_owners_network(server, names):
    """A host that FEED_PRIVATE_HOSTS lists may be private, and no other."""
    names |= {"home.example": "127.0.0.1", "other.example": "127.0.0.1"}
    assert ask(server, host="home.example").answer is Answer.NEW
    assert ask(server, host="other.example").answer is Answer.FAILED


def test_a_redirect_from_outside_into_the_network(server, names, monkeypatch):
    """A stranger's feed does not get at a host that the owner lists, though it is listed."""
    names |= {"stranger.example": "93.184.216.34", "home.example": "127.0.0.1"}
    server.pages["/feed.xml"] = Reply(status=302, headers={"Location": server.url("/inside", "home.example")})
    real = module.create_connection
    monkeypatch.setattr(
        module, "create_connection", lambda place, **o: real(("127.0.0.1", place[1]) if place[0].startswith("93") else place, **o)
    )  # fmt: skip
    got = ask(server, host="stranger.example")
    assert "FEED_PRIVATE_HOSTS" in got.detail
    assert [asked.path for asked in server.asked] == ["/feed.xml"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("Fri, 27 Nov 2026 06:10:00 GMT", 600.0),
        ("Fri, 27 Nov 2020 06:10:00 GMT", 0.0),
        ("99999999999999999999", 86400.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("", 0.0),
        ("١٢", 0.0),
    ],
)
def test_retry_after(value, seconds):
    """Both forms of `Retry-After` are read, a day at most."""
    assert retry_after(value, NOW) == seconds
