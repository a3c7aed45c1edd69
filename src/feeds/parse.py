"""A document becomes items. feedparser reads it; what it may hold, and how much, is decided here."""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from src.content.links import bare
from src.domain.feeds import Item
from src.feeds.clean import plain

MAX_ENTRIES = 10_000
MAX_NESTING = 60
MAX_TITLE = 300
MAX_SUMMARY = 600
MAX_LINK = 1_000
_DECLARATIONS = (b"<!doctype", b"<!entity")
_CDATA = re.compile(rb"<!\[cdata\[.*?\]\]>", re.DOTALL)
_TRACKERS = re.compile(r"utm_\w+|fbclid|gclid|mc_[ce]id|ref_src")
_TAG = re.compile(rb"<(/?)[A-Za-z_][^<>]*?(/?)>")
_RELEASE = re.compile(r"/([^/]+)/([^/]+)/(?:-/)?releases/(?:tag/)?([^/?#]+)/?$")
_VERSION = re.compile(r"v?(\d+(?:\.\d+)*(?:[-+.]?[0-9A-Za-z]+)*)$", re.IGNORECASE)
_PRERELEASE = re.compile(
    r"(?:^|[-._+\d])(?:a|b|c|rc|alpha|beta|dev|pre|preview|nightly|canary|snapshot|m|next)[-._]?\d*(?:[-.+_]|$)"
    r"|latest|nightly|snapshot",
    re.IGNORECASE,
)


# What an item is known by; a key begins with the first letter.
GUID, LINK, TITLE = "guid", "link", "title"


class NoFeedError(Exception):
    """A document that is no feed, or one that this program does not read; the message says why."""


def only_its_guid(item: Item, known: Iterable[str]) -> bool:
    """Return whether the guid alone of an item is known, though it has a link and a title: it was reused."""
    return {key[0] for key in known} == {GUID[0]} and {key[0] for key in item.keys} >= {LINK[0], TITLE[0]}


@dataclass(frozen=True, slots=True)
class Document:
    """What a feed holds: its title, and its items, oldest first as far as it dates them."""

    title: str
    items: tuple[Item, ...]


def parse(body: bytes, content_type: str = "", address: str = "") -> Document:
    """Return the items of a document. Raises `NoFeedError`. `address` is what relative links count from."""
    _refuse_odd(body)
    import feedparser  # noqa: PLC0415 (a run in which no feed is due never loads it)

    headers = {"content-type": content_type, "content-location": address}
    # A stream, never a string: feedparser opens a string that looks like an address or a file.
    read = feedparser.parse(io.BytesIO(body), response_headers=headers)
    if not read.get("version"):
        message = "it is no feed: the server sent something else, such as a page"
        raise NoFeedError(message)
    entries = read.get("entries", [])
    if len(entries) > MAX_ENTRIES:
        message = f"it has {len(entries):,} entries, at most {MAX_ENTRIES:,} are read"
        raise NoFeedError(message)
    items = [item for entry in entries if (item := _item(entry))]
    return Document(plain(str(read.feed.get("title", "")), MAX_TITLE), tuple(_in_order(_told_apart(items))))


def _refuse_odd(body: bytes) -> None:
    """Raise for declarations of entities, also in UTF-16, and for what is nested without end."""
    small = _CDATA.sub(b"", body.replace(b"\0", b"").lower())
    for declaration in _DECLARATIONS:
        # A page of HTML has one too, and is no feed either.
        if declaration in small:
            message = "it has a document type or entities of its own, which this program does not read"
            raise NoFeedError(message)
    depth = 0
    for match in _TAG.finditer(small):
        depth += -1 if match[1] else 0 if match[2] else 1
        if depth > MAX_NESTING:
            message = f"its elements are nested more than {MAX_NESTING} deep"
            raise NoFeedError(message)


def _item(entry: Any) -> Item | None:
    """Return the item of an entry, None for one without title and link."""
    link = _web(str(entry.get("link", "")))
    title = plain(str(entry.get("title", "")), MAX_TITLE)
    summary = plain(_longest(entry), MAX_SUMMARY)
    if not (title or summary) or not (link or title):
        return None
    dated = _date(entry)
    project, version = _release(link)
    guid = str(entry.get("id", ""))[:MAX_LINK]
    keys = (_key(GUID, guid), _key(LINK, canonical(link)), _key(TITLE, _normal_title(title, dated)))
    return Item(
        title or summary,
        link,
        summary if title else "",
        version,
        project,
        tuple(plain(str(tag.get("term") or ""), 40) for tag in entry.get("tags", [])[:20]),
        dated,
        prerelease=bool(_PRERELEASE.search(version)),
        keys=tuple(filter(None, keys)),
    )


def _longest(entry: Any) -> str:
    """Return the summary of an entry, or its content where it has no summary."""
    summary = str(entry.get("summary", ""))
    contents = entry.get("content") or []
    return summary or (str(contents[0].get("value", "")) if contents else "")


def _web(link: str) -> str:
    """Return a link of the web, empty for anything else."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(link.strip())
        if parts.scheme in {"http", "https"} and parts.hostname and len(link) <= MAX_LINK:
            return link.strip()
    return ""


def _date(entry: Any) -> datetime | None:
    for name in ("published_parsed", "updated_parsed"):
        if given := entry.get(name):
            with contextlib.suppress(ValueError, OverflowError, OSError, TypeError):
                return datetime.fromtimestamp(calendar.timegm(given), UTC)
    return None


def _release(link: str) -> tuple[str, str]:
    """Return project and version of a release on a forge, by its link; empty for anything else."""
    match = _RELEASE.search(urlsplit(link).path) if link else None
    if not match:
        return "", ""
    tag = unquote(match[3])
    version = _VERSION.search(tag)
    return match[2], version[1] if version else tag


# ---- identity ----------------------------------------------------------------------------------------------


def _key(kind: str, value: str) -> str:
    """Return the kind's first letter and 32 hex digits, for one thing that an item is known by."""
    if not value:
        return ""
    return kind[0] + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def canonical(link: str) -> str:
    """Return a link without what changes while the page stays: scheme, `www.`, trackers, fragment, slash."""
    if not link:
        return ""
    parts = urlsplit(link)
    query = [
        pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKERS.fullmatch(pair[0])
    ]
    host = bare(parts.hostname or "") + (f":{parts.port}" if parts.port not in {None, 80, 443} else "")
    return urlunsplit(("", host, parts.path.rstrip("/"), urlencode(sorted(query)), ""))


def _normal_title(title: str, dated: datetime | None) -> str:
    """Return a title with the day that the feed gives it; without a day a title alone identifies nothing."""
    words = " ".join("".join(c if c.isalnum() else " " for c in title.casefold()).split())
    return f"{words} {dated:%F}" if words and dated else ""


def _told_apart(items: Iterable[Item]) -> list[Item]:
    """Take from items the keys that several of one document share: those identify nothing there.

    An entry that stands twice, with every key the same, is one item.
    """
    once = list({item.keys: item for item in items if item.keys}.values())
    shared = Counter(key for item in once for key in item.keys)
    apart = [replace(item, keys=tuple(k for k in item.keys if shared[k] == 1)) for item in once]
    return [item for item in apart if item.keys]


def _in_order(items: Iterable[Item]) -> list[Item]:
    """Return items oldest first. A document without dates has its newest at the top, as feeds do."""
    turned = list(items)[::-1]
    return sorted(turned, key=lambda item: item.dated or datetime.max.replace(tzinfo=UTC))
