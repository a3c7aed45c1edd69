"""One bounded request for a feed: to the checked address, few redirects, capped bytes, a limit in time.

A feed is a stranger's. The name of its host is looked up once for a connection, the addresses are checked,
and the connection goes to one of them: no second lookup can lead elsewhere. Loopback and private addresses
are for hosts that the owner lists. No cookie, no `.netrc`, no proxy of the environment, and no key of X.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util.connection import create_connection
from urllib3.util.retry import Retry

from src import __version__
from src.domain.errors import DeadlineError
from src.domain.feeds import Answer, Validators
from src.domain.fixes import NO_FIX, Fix
from src.system.interrupts import hard_limit

MAX_BYTES = 2_000_000
MAX_REDIRECTS = 4
PAUSE_SECONDS = 5.0  # between two pieces of an answer
LONGEST_WAIT_SECONDS = 86_400.0
USER_AGENT = f"twitter_manager/{__version__} (feed reader of one account)"
_ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1"
_CHUNK = 65_536
_GZIP_OR_ZLIB = 47
_GZIP_MARK = b"\x1f"  # the first byte of a packed part
_TOO_LONG = f"more than {MAX_BYTES:,} bytes"


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer to one request. `body` is set for NEW, `wait_seconds` for LATER, `fix` where it helps.

    `moved_to` is the address of a permanent redirect: followed now, never kept, told to the owner.
    """

    answer: Answer
    body: bytes = b""
    content_type: str = ""
    validators: Validators = field(default_factory=Validators)
    moved_to: str = ""
    wait_seconds: float = 0.0
    detail: str = ""
    fix: Fix = NO_FIX


class _RefusedError(Exception):
    """An address or an answer that this program does not take."""


def fetch(
    address: str, known: Validators, private_hosts: frozenset[str], *, seconds: float, now: datetime
) -> Fetched:
    """Ask for a feed once; `known` is what its server gave before. Never raises for what the server does."""
    try:
        with hard_limit(seconds), _session(_private(address, private_hosts)) as session:
            return _follow(session, address, known, private_hosts, now)
    except DeadlineError:
        return _failed(f"it took longer than {seconds:.0f} s")
    except _RefusedError as refused:
        return _failed(str(refused))
    except (requests.RequestException, HTTPError, OSError, ValueError, zlib.error) as error:
        return _failed(_words(error))


def _failed(detail: str) -> Fetched:
    return Fetched(Answer.FAILED, detail=detail)


def _words(error: BaseException) -> str:
    """Return the innermost reason of an error of requests and urllib3."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _RefusedError):
            return str(seen)
        inner = getattr(seen, "reason", None)
        inner = inner if isinstance(inner, BaseException) else seen.__cause__ or seen.__context__
        if inner is None and seen.args and isinstance(seen.args[0], BaseException):
            inner = seen.args[0]
        if inner is None or inner is seen:
            break
        seen = inner
    return f"{type(seen).__name__}: {seen}"[:300]


def _follow(
    session: requests.Session,
    address: str,
    known: Validators,
    private_hosts: frozenset[str],
    now: datetime,
) -> Fetched:
    moved_to, place = "", address
    for hop in range(MAX_REDIRECTS + 1):
        _require_plain(place, address, private_hosts, first=hop == 0)
        # Validators belong to the address that was asked first, and to a document at its end.
        with contextlib.closing(_ask(session, place, known)) as response:
            target = response.headers.get("Location", "")
            if response.status_code in {301, 302, 303, 307, 308} and target:
                place = urljoin(place, target)
                permanent = response.status_code in {301, 308}
                moved_to = place if permanent and (moved_to or hop == 0) else moved_to
                continue
            return _read(response, moved_to, now)
    message = f"more than {MAX_REDIRECTS} redirects"
    raise _RefusedError(message)


def _require_plain(place: str, address: str, private_hosts: frozenset[str], *, first: bool) -> None:
    """Raise unless the address is http(s) without a name in it, and no redirect from https to http."""
    parts = urlsplit(place)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        message = "a redirect to what is no web address"
        raise _RefusedError(message)
    if "@" in parts.netloc:
        message = "a redirect to an address with a name or password in it"
        raise _RefusedError(message)
    if parts.scheme == "http" and urlsplit(address).scheme == "https":
        message = f"a redirect from https to http ({parts.hostname})"
        raise _RefusedError(message)
    if not first and parts.hostname in private_hosts and urlsplit(address).hostname not in private_hosts:
        message = f"a redirect from outside to {parts.hostname} of FEED_PRIVATE_HOSTS"
        raise _RefusedError(message)


def _ask(session: requests.Session, place: str, known: Validators) -> requests.Response:
    headers = {"User-Agent": USER_AGENT, "Accept": _ACCEPT, "Accept-Encoding": "gzip", "Connection": "close"}
    if known.etag:
        headers["If-None-Match"] = known.etag
    if known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    session.cookies.clear()
    return session.get(
        place,
        headers=headers,
        timeout=(PAUSE_SECONDS, PAUSE_SECONDS),
        allow_redirects=False,
        stream=True,
        auth=lambda request: request,  # without any, requests looks into ~/.netrc
    )


def _read(response: requests.Response, moved_to: str, now: datetime) -> Fetched:
    status = response.status_code
    if status == 304:
        return Fetched(Answer.SAME, moved_to=moved_to)
    if status == 410:
        return Fetched(Answer.GONE, detail="410: the feed has ended", fix=Fix("take it out of FEEDS"))
    if status in {429, 503}:
        wait = retry_after(response.headers.get("Retry-After", ""), now)
        return Fetched(Answer.LATER, wait_seconds=wait, detail=f"{status}: the server asks to wait")
    if status != 200:
        fix = {404: Fix("look whether the address in FEEDS is right")}.get(status, NO_FIX)
        return Fetched(Answer.FAILED, detail=f"{status} {response.reason or ''}".strip()[:100], fix=fix)
    validators = Validators(_header(response, "ETag"), _header(response, "Last-Modified"))
    body = b"".join(_capped(response))
    return Fetched(Answer.NEW, body, _header(response, "Content-Type"), validators, moved_to)


def _header(response: requests.Response, name: str) -> str:
    value = str(response.headers.get(name, ""))
    return value if len(value) <= 1000 and value.isprintable() else ""


def retry_after(value: str, now: datetime) -> float:
    """Return the seconds that a `Retry-After` asks for, in either of its forms, a day at most."""
    seconds = 0.0
    if value.strip().isascii() and value.strip().isdigit():
        seconds = float(value.strip()[:9])
    else:
        with contextlib.suppress(ValueError, TypeError):
            until = parsedate_to_datetime(value)
            until = until if until.tzinfo else until.replace(tzinfo=UTC)
            seconds = (until - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def _capped(response: requests.Response) -> Iterator[bytes]:
    """Return the unpacked body in pieces. It is refused once what came, or what that holds, is too long."""
    packed = response.headers.get("Content-Encoding", "").strip().lower()
    if packed not in {"", "identity", "gzip", "x-gzip", "deflate"}:
        message = f"an encoding that was not asked for: {packed[:20]}"
        raise _RefusedError(message)
    came = _at_most(response.raw.stream(_CHUNK, decode_content=False))
    return came if packed in {"", "identity"} else _at_most(_unpacked(came))


def _at_most(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pass pieces on, and refuse the one that makes them more than MAX_BYTES."""
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > MAX_BYTES:
            raise _RefusedError(_TOO_LONG)
        yield piece


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what packed chunks hold, each piece too long by one byte at most: `_at_most` refuses that one.

    A body may be several packed parts, one behind the other (RFC 1952, 2.2); what else follows is padding.
    """
    unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
    for chunk in chunks:
        rest = chunk
        while rest and (not unpack.eof or rest.startswith(_GZIP_MARK)):
            if unpack.eof:
                unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
            yield unpack.decompress(rest, MAX_BYTES + 1)
            rest = unpack.unused_data
    if not unpack.eof:
        message = "an answer that was cut short"
        raise _RefusedError(message)


# ---- connections to checked addresses ----------------------------------------------------------------------


def _private(address: str, private_hosts: frozenset[str]) -> frozenset[str]:
    """Return the hosts whose addresses may be private in this request: none if a stranger's feed is asked."""
    return private_hosts if (urlsplit(address).hostname or "") in private_hosts else frozenset()


def _session(private_hosts: frozenset[str]) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    for scheme in ("https://", "http://"):
        session.mount(scheme, _CheckedAdapter(private_hosts))
    return session


class _CheckedAdapter(HTTPAdapter):
    """One try for each request, over connections that go to checked addresses only."""

    def __init__(self, private_hosts: frozenset[str]) -> None:
        self._private_hosts = private_hosts
        super().__init__(max_retries=Retry(0, redirect=0, read=False, status=0, other=0))

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        classes = self.poolmanager.pool_classes_by_scheme.items()
        self.poolmanager.pool_classes_by_scheme = {
            scheme: _checked(pool, self._private_hosts) for scheme, pool in classes
        }


def _checked(pool: Any, private_hosts: frozenset[str]) -> Any:
    """Return the class of pools whose connections check the address that they connect to."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:  # the one place in which urllib3 looks up a name and connects
            private = self.host in private_hosts
            failure: OSError | None = None
            for found in public_addresses(self.host, self.port, private=private):
                try:
                    return create_connection((found, self.port), timeout=self.timeout)
                except OSError as error:
                    failure = error
            raise failure or OSError(f"{self.host} has no address")

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def public_addresses(host: str, port: int, *, private: bool = False) -> list[str]:
    """Look a host up once; return its addresses. Raises if one is not public, unless `private` ones may be.

    One bad address is enough: a name that has both kinds is made to be mixed up.
    """
    found = dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    if not private and (bad := [address for address in found if not is_public(address)]):
        message = (
            f"{host} leads to {bad[0]}, which is no public address (FEED_PRIVATE_HOSTS lists exceptions)"
        )
        raise _RefusedError(message)
    return list(found)


def is_public(address: str) -> bool:
    """Return whether an IP address lies on the public internet, also one of IPv4 inside one of IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = None
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:  # how a network without IPv4 reaches the rest of the world
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
    kept = ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)
    return kept and (inner is None or is_public(str(inner)))


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
