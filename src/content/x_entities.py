"""The links that X makes of a text, found by the rules of its own library.

Ported from the patterns of twitter-text 3.1.0 (https://github.com/twitter/twitter-text, Copyright 2018
Twitter, Inc., Apache License 2.0), with today's top-level domains. Those patterns see UTF-16 code units, so
these do as well: a character beyond the Basic Multilingual Plane is two surrogates, and half of it can stand
before a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from src.config import ROOT

_TLD_FILE = ROOT / "data" / "tlds.txt"
# The names of that file that twitter-text 3.1.0 does not know. X's servers may.
_NEWER_TLDS = frozenset(
    [
        "amazon",
        "kids",
        "merck",
        "music",
        "spa",
        "ישראל",
        "السعوديه",
        "السعودیة",
        "السعودیۃ",
        "اليمن",
        "ايران",
        "سوريا",
        "پاكستان",
        "アマゾン",
        "亚马逊",
        "澳门",
        "臺灣",
    ]
)
_MAX_URL = 4096
_MAX_LABEL = 63
_MAX_TCO_SLUG = 40

# Stands for a dot before a top-level domain, so that 1,600 names are tried once for each dot, not for each
# try.
_TOP_DOT = "\ufdd0"
_DOT = rf"[.{_TOP_DOT}]"
_SPACES = "\t-\r \x85\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_INVALID = "\ufffe\ufeff\uffff"
_DIRECTIONS = "\u202a-\u202e\u061c\u200e\u200f\u2066-\u2069"
_OUTSIDE = _TOP_DOT + r"!'#%&()*+,\\./:;<=>?@\[\]^{|}~$" + _SPACES + _INVALID + _DIRECTIONS
_LATIN = (
    "\xc0-\xd6\xd8-\xf6\xf8-\xff\u0100-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268\u026f\u0272\u0289"
    "\u028b\u02bb"
    "\u0300-\u036f\u1e00-\u1eff\ua7dc"
)
_LETTER = rf"[^_\-{_OUTSIDE}]"
_SUBDOMAIN = rf"{_LETTER}(?:[^{_OUTSIDE}]*{_LETTER})?{_DOT}"
_DOMAIN_NAME = rf"{_LETTER}(?:[^_{_OUTSIDE}]*{_LETTER})?{_TOP_DOT}"
_PATH = rf"[a-z\u0400-\u04ff0-9!*';:=+,.{_TOP_DOT}$/%#\[\]\-\u2013_~@|&{_LATIN}]"
_PATH_END = rf"[+\-a-z\u0400-\u04ff0-9=_#/{_LATIN}]"
_PARENTHESES = rf"\((?:{_PATH}+|{_PATH}*\({_PATH}+\){_PATH}*)\)"
_QUERY = rf"\?[a-z0-9!?*'@();:&=+$/%#\[\]\-_.{_TOP_DOT},~|]*[a-z0-9\-_&=#/]"
_INNER_DOT = re.compile(rf"\.{_LETTER}")
# A sign of ours in the text itself, and letters that only Python's IGNORECASE takes for i, k and s.
_NO_FOLDING = str.maketrans(
    {
        _TOP_DOT: "\ufdd1",
        "\u0130": "\xff",
        "\u0131": "\xff",
        "\u017f": "\xff",
        "\u212a": "\u2126",
        "\u212b": "\u2126",
    }
)
_BEFORE = rf"(?P<before>[^A-Za-z0-9@＠$#＃{_INVALID}]|[{_DIRECTIONS}]|^)"
_HOST = re.compile(
    rf"{_BEFORE}(?P<scheme>https?://)?(?P<domain>(?:{_SUBDOMAIN})*{_DOMAIN_NAME})", re.IGNORECASE
)  # without its top-level domain: `_Marked` knows where that ends
_REST = re.compile(
    rf"(?::[0-9]+)?(?P<path>/(?:(?:{_PATH}|{_PARENTHESES})*(?:{_PATH_END}|{_PARENTHESES}))?)?(?:{_QUERY})?",
    re.IGNORECASE,
)
_LATIN_HOST = re.compile(rf"(?:[-a-z0-9{_LATIN}]+{_DOT})*[-a-z0-9{_LATIN}]+{_TOP_DOT}", re.IGNORECASE)
_TCO = re.compile(rf"https?://t{_TOP_DOT}co/([a-z0-9]+)(?:{_QUERY})?", re.IGNORECASE)
_NO_BARE_LINK_AFTER = ("-", "_", ".", "/", _TOP_DOT)


@dataclass(frozen=True, slots=True)
class _Marked:
    """A text with each dot before a top-level domain marked, and the end of each such domain by its start."""

    text: str
    ends: dict[int, int]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What looks like a link: where it, its domain and its path are in the marked text."""

    before: str
    scheme: str
    start: int
    domain: tuple[int, int]
    has_path: bool
    end: int


def to_utf16(text: str) -> str:
    """Return `text` with each character beyond the Basic Multilingual Plane as its two surrogates."""
    if not text or max(text) <= "\uffff":
        return text
    data = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(data[i] | data[i + 1] << 8) for i in range(0, len(data), 2))


def from_utf16(units: str) -> str:
    """Return the text that `to_utf16` took apart."""
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def has_newer_name(text: str) -> bool:
    """Return whether a top-level domain that twitter-text 3.1.0 does not know stands after a dot."""
    lowered = text.lower()
    return any(f".{name}" in lowered for name in _NEWER_TLDS)


def may_have_links(units: str) -> bool:
    """Return whether a text has a dot before a letter, which every link has; most texts have none."""
    return _INNER_DOT.search(units) is not None


def link_spans(units: str, *, newer_names: bool = True) -> list[tuple[int, int]]:
    """Return the start and end of each link that X makes of a text in UTF-16 units, left to right."""
    if not may_have_links(units):  # spares most texts the pattern of all names
        return []
    marked = _mark(units, newer_names=newer_names)
    spans: list[tuple[int, int]] = []
    for candidate in _candidates(marked) if marked.ends else ():
        if not _is_valid(marked, candidate):
            continue
        if candidate.scheme:
            spans += _url_span(marked, candidate)
        elif not candidate.before.endswith(_NO_BARE_LINK_AFTER):
            spans += _bare_spans(marked, candidate)
    return spans


@cache
def known_tlds() -> frozenset[str]:
    """Return the top-level domains that X may link, in lower case."""
    lines = _TLD_FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


@cache
def _top_pattern() -> re.Pattern[str]:
    longest_first = "|".join(sorted(known_tlds(), key=lambda name: (-len(name), name)))
    return re.compile(rf"\.(?=((?:{longest_first})(?=[^0-9a-zA-Z@+-]|\Z)|xn--[-0-9a-z]+))", re.IGNORECASE)


def _mark(units: str, *, newer_names: bool) -> _Marked:
    text = units.translate(_NO_FOLDING)
    characters, ends = list(text), {}
    for match in _top_pattern().finditer(text):
        if newer_names or match[1].lower() not in _NEWER_TLDS:
            characters[match.start()] = _TOP_DOT
            ends[match.end()] = match.end(1)
    return _Marked("".join(characters), ends)


def _candidates(marked: _Marked) -> Iterator[_Candidate]:
    position = 0
    while host := _HOST.search(marked.text, position):
        domain_end = marked.ends[host.end()]
        rest = _REST.match(marked.text, domain_end)
        position = rest.end() if rest else domain_end
        yield _Candidate(
            before=host["before"],
            scheme=host["scheme"] or "",
            start=host.end("before"),
            domain=(host.start("domain"), domain_end),
            has_path=bool(rest and rest["path"]),
            end=position,
        )


def _is_valid(marked: _Marked, candidate: _Candidate) -> bool:
    """Return whether the labels and the whole are short enough, and a punycode domain has a Latin part."""
    domain = marked.text[slice(*candidate.domain)]
    if domain.startswith("xn--") and not _LATIN_HOST.search(domain):
        return False
    length = len(candidate.scheme or "https://") + candidate.end - candidate.start
    return length <= _MAX_URL and all(
        _encoded_length(label) <= _MAX_LABEL for label in re.split(_DOT, domain)
    )


def _encoded_length(label: str) -> int:
    if label.isascii():
        return len(label)
    return len("xn--") + len(from_utf16(label).encode("punycode"))


def _url_span(marked: _Marked, candidate: _Candidate) -> Iterator[tuple[int, int]]:
    """Yield the span of a link with a scheme. X cuts its own short links after the slug and the query."""
    end = candidate.end
    if tco := _TCO.match(marked.text, candidate.start, candidate.end):
        if len(tco[1]) > _MAX_TCO_SLUG:
            return
        end = tco.end()
    yield candidate.start, end


def _bare_spans(marked: _Marked, candidate: _Candidate) -> Iterator[tuple[int, int]]:
    """Yield the span of each Latin domain in what looks like one. Port, path and query belong to the last."""
    position, domain_end = candidate.domain
    spans: list[tuple[int, int]] = []
    while host := _LATIN_HOST.search(marked.text, position, domain_end):
        position = marked.ends[host.end()]
        spans.append((host.start(), position))
    if spans and candidate.has_path:
        start, end = spans.pop()
        spans.append((start, end + candidate.end - domain_end))
    yield from spans
