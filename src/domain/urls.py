"""Addresses of other machines that settings name."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_LONGEST_HOST = 253
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:/+|/*")


def require_secure(url: str, *, path_allowed: bool) -> str:
    """Return a base address without a final slash. Raises `ValueError` unless it is https or loopback.

    The message never repeats the address, which may hold a password.
    """
    if not _is_secure(url, path_allowed=path_allowed):
        message = "must be https://HOST (plain http only to 127.0.0.1), without a path"
        if path_allowed:
            message = "must be https://HOST, or https://HOST/PATH for a mirror (plain http only to 127.0.0.1)"
        raise ValueError(message)
    return url.rstrip("/")


def _is_secure(url: str, *, path_allowed: bool) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    plain = not (parts.query or parts.fragment or "@" in url)
    return bool(secure and host and plain and (path_allowed or not parts.path.strip("/")))


def require_feed(address: str) -> str:
    """Return the address of a feed. Raises `ValueError` unless it is http(s), without a password in it."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    plain = address.isprintable() and not set(address) & set(" @#")
    if not (host and plain and address.startswith(("https://", "http://"))):
        message = "must be addresses such as https://example.org/feed.xml, without name and password"
        raise ValueError(message)
    return address


def require_host(host: str) -> str:
    """Return a host as it was given. Raises `ValueError` unless it is a name such as example.org."""
    if len(host) > _LONGEST_HOST or not _HOST.fullmatch(host):
        message = "must be host names such as example.org, without https:// and path"
        raise ValueError(message)
    return host


def addresses_in(text: str) -> list[str]:
    """Return the addresses in a list of them, cut at commas too: each piece is to be kept out of logs.

    What has no `://` is the rest of an address, and may be as short as a digit of every log line.
    """
    return [piece for piece in re.split(r"[\s,]+", text) if "://" in piece]


def masked(text: str) -> str:
    """Return a refused value to be shown: what may be a name, a password or a token in an address is `***`.

    Somebody mistyped it, so everything before the last @ counts as a password, whatever stands in it.
    """
    before, at, rest = text.rpartition("@")
    if at and ("//" in text or ":" in before):
        scheme = _SCHEME.match(before)
        text = f"{scheme[0] if scheme else ''}***@{rest}"
    head, mark, _ = text.partition("?")
    return f"{head}?***" if mark and "//" in head else text
