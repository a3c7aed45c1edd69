"""How X reads a text: its weighted length, the links it would make of it, its mentions and tags.

Source: twitter-text configuration v3 (https://github.com/twitter/twitter-text). A post that X bills as
carrying a link costs thirteen times as much, and X makes links of bare domains: `setup.py` and
`socket.io` are two. So link detection here is deliberately a superset of twitter-text's.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

import regex

MAX_WEIGHT = 280
URL_WEIGHT = 23
_LIGHT_RANGES = ((0x0000, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))
_TLD_FILE = Path(__file__).resolve().parent.parent / "data" / "tlds.txt"

# A grapheme cluster that X draws as one emoji: pictographs, flags, keycaps, and their modifiers.
_EMOJI = regex.compile(
    r"(?:\p{Regional_Indicator}{2}"
    r"|[0-9#*]\uFE0F?\u20E3"
    r"|(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F)\p{EMod}?[\U000E0020-\U000E007F]*"
    r"(?:\u200D\p{Extended_Pictographic}\uFE0F?\p{EMod}?)*"
    r"|\p{Extended_Pictographic}\p{EMod}?(?:\u200D\p{Extended_Pictographic}\uFE0F?\p{EMod}?)+"
    r"|\p{Extended_Pictographic}\p{EMod})"
)
_HOST = re.compile(
    r"(?P<scheme>https?://)?"
    r"(?P<host>(?:[^\W_](?:[\w-]*[^\W_])?\.)+(?P<tld>xn--[a-z0-9-]+|[^\W\d_]{2,}))"
    r"(?![\w@])(?P<rest>(?::\d+)?(?:[/?#][^\s]*)?)",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"\b(?:https?|ftp|mailto|javascript|data)\s*:\s*(?://)?\S", re.IGNORECASE)
_MENTION = re.compile(r"[@＠][A-Za-z0-9_]+")
_HASHTAG = re.compile(r"[#＃]\w*[^\W\d_]\w*")
_CASHTAG = re.compile(r"(?<![\w$])\$[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?(?![\w])")


@cache
def _tlds() -> frozenset[str]:
    lines = _TLD_FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _links(text: str) -> list[tuple[int, int]]:
    """Spans of everything X could turn into a link, left to right, not overlapping."""
    spans = []
    for match in _HOST.finditer(text):
        before = text[match.start() - 1] if match.start() else ""
        if not match["scheme"] and (before in {"@", "＠", "$", "#"} or before == "_"):
            continue
        labels = match["host"].lower().split(".")
        known = [i for i, label in enumerate(labels) if i and (label in _tlds() or label.startswith("xn--"))]
        if match["scheme"] or known:
            spans.append(match.span())
    return spans


def find_links(text: str) -> list[str]:
    """Every URL and bare domain in `text` that X might link (and bill), in order of appearance."""
    found = [text[start:end] for start, end in _links(text)]
    return found or [m.group() for m in _SCHEME.finditer(text)]


def find_mentions(text: str) -> list[str]:
    """Every `@name` X would notify, wherever it stands (stricter than X, which wants a boundary before it)."""
    return _MENTION.findall(text)


def find_hashtags(text: str) -> list[str]:
    """Every `#tag` with at least one letter."""
    return _HASHTAG.findall(text)


def find_cashtags(text: str) -> list[str]:
    """Every `$TICKER`; X refuses a post with more than one."""
    return _CASHTAG.findall(text)


def weighted_length(text: str) -> int:
    """Length of `text` in X's units (maximum 280): NFC, Latin weighs 1, the rest 2, an emoji 2, a URL 23."""
    text = unicodedata.normalize("NFC", text)
    total, position = 0, 0
    for start, end in _links(text):
        total += _plain_weight(text[position:start]) + URL_WEIGHT
        position = end
    return total + _plain_weight(text[position:])


def _plain_weight(text: str) -> int:
    without_emoji, emoji = _EMOJI.subn("", text)
    return 2 * int(emoji) + sum(_character_weight(ord(character)) for character in without_emoji)


def _character_weight(code: int) -> int:
    return 1 if any(low <= code <= high for low, high in _LIGHT_RANGES) else 2


def find_forbidden_characters(text: str) -> list[str]:
    """Characters that X refuses or that hide what a reader sees, as `U+XXXX` names.

    Controls (a line feed is allowed), lone surrogates, private use and unassigned code points, zero-width
    and bidirectional formatting. The zero-width joiner is allowed only inside an emoji.
    """
    bare = _EMOJI.sub("", text)
    return [f"U+{ord(c):04X}" for c in bare if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn"}]
