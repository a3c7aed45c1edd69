"""How X reads a text: its weighted length, the links it would make of it, its mentions and tags.

Source: twitter-text configuration v3 (https://github.com/twitter/twitter-text). A post that X bills as
carrying a link costs thirteen times as much, and X makes links of bare domains: `setup.py` and
`socket.io` are two. So `find_links` returns what X's own library would link (`x_entities.py`) and, beyond
that, what a reader could follow. The weight counts the links of X's library alone.
"""

from __future__ import annotations

import html
import ipaddress
import re
import unicodedata
from functools import lru_cache
from urllib.parse import unquote

import regex

from src.content.emoji import emoji_of_x, without_emoji
from src.content.x_entities import (
    from_utf16,
    has_newer_name,
    known_tlds,
    link_spans,
    may_have_links,
    to_utf16,
)

MAX_WEIGHT = 280
URL_WEIGHT = 23
EMOJI_WEIGHT = 2
_LIGHT_RANGES = ((0x0000, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))

# What a reader does not see, or sees in the wrong place: invisible letters, fillers, enclosing marks, many
# accents.
_HIDDEN = regex.compile(
    r"[\p{Cc}\p{Cs}\p{Co}\p{Cn}\p{Cf}\p{Zl}\p{Zp}\p{Me}\p{Default_Ignorable_Code_Point}\u2800--\n]|\p{Mn}{3,}",
    regex.V1,
)
_ACCENT_ON_ASCII = regex.compile(r"(?<=[\x21-\x7e])\p{Mn}")
_MIXED_SCRIPTS = regex.compile(
    r"\p{Latin}[\p{Cyrillic}\p{Cherokee}\p{Armenian}]|[\p{Cyrillic}\p{Cherokee}\p{Armenian}]\p{Latin}"
)
_INVISIBLE = regex.compile(r"[\p{Mn}\p{Me}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]|(?!\n)\p{Cc}")
# Letters of other scripts that look like Latin ones: what a reader sees is what counts.
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕһԁԛԝьӏѵгАЕОРСУХІЈЅНТМКВαονρτυκιηεΑΕΟΡΤΥΚΙΗΒΜΝΧΖօսհոɑɡıɩʟɪɴʀʏʜɢʙᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜱꜰøØłŁđƒ₣μ",
    "aeopcyxijshdqwblvrAEOPCYXIJSHTMKBaovptukineAEOPTYKIHBMNXZouhnagiilinryhgbacdejkmoptuvwzsfoOlLdffu",
) | {first + n: chr(ord("a") + n) for first in (0x1F1E6, 0x1F170, 0x1F150) for n in range(26)}
_DISGUISE = re.compile(
    r"[^\x00-\x7f]|%[0-9a-f]{2}|&#?\w+;|\w\s?[\[({<]\s?(?:\.|:|dot|@|at)\s?[\])}>]| dot |\s\.|\.\s|\w\n\w",
    re.IGNORECASE,
)
_COMMON_TLD = r"(?=(?:com|COM|org|xyz|ru)\b)"
_UNDO = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"[。．｡․۔]", "."),
        (r"(?<=\w)[·•∙⋅‧・･]" + _COMMON_TLD, "."),
        (r"[／⁄∕⧸]", "/"),
        (r"[：꞉∶]", ":"),
        (r"(?<=\w)\s?[\[({<]\s?(?:\.|dot|DOT)\s?[\])}>]\s?(?=\w)", "."),
        (r"[\[({<]:[\])}>]", ":"),
        (r"(?<=\w)\s?[\[({<]\s?(?:@|at|AT)\s?[\])}>]\s?(?=\w+\.)", "@"),
        (r"(?<=\w)(?: dot | DOT | ?\. ?)" + _COMMON_TLD, "."),
        (r"(?<=\w)\s?\.\s(?=[a-z]{2,}/\w)", "."),
        (r"(?<=\w)(?:\.\n|\n\.)(?=[a-z])", "."),
        (r"(?<=\.[a-z])\n(?=[a-z])", ""),
    )
)
_HOST = re.compile(
    r"(?P<scheme>https?://)?"
    r"(?P<host>(?:[^\W_](?:[\w-]*[^\W_])?\.)+(?P<tld>xn--[a-z0-9-]+|[^\W\d_]{2,}))"
    r"(?![\w@])(?P<rest>(?::\d+)?(?:[/?#][^\s]*)?)",
    re.IGNORECASE,
)
_INNER_DOT = re.compile(r"[^\W_]\.[^\W_]")  # every host has one
_SCHEME = re.compile(
    r"\b(?:[a-z][a-z0-9+.-]*:[/\\]{2}\w|h(?:tt|xx)ps?\s*:\s*/\s*/|(?:(?:mailto|javascript|vbscript):\S|data:\w+/|file:/|tel:\+?\d|magnet:\?))",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)|(?<=\[)[0-9a-f:]*:[0-9a-f:]+(?=\])", re.IGNORECASE
)
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_MENTION = re.compile(r"[@＠][A-Za-z0-9_]+")
# X also counts marks, some signs ("・", "·") and some private characters as part of a tag. A cashtag may end
# before `_`.
_TAG_LETTERS = r"\p{L}\p{M}\uf870-\uf8d6"
_TAG_SIGNS = r"\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\xb7"
_HASHTAG = regex.compile(
    rf"[#＃](?![\uFE0F\u20E3])[\w{_TAG_LETTERS}{_TAG_SIGNS}]*[{_TAG_LETTERS}][\w{_TAG_LETTERS}{_TAG_SIGNS}]*"
)
_CASHTAG = re.compile(r"(?<![\w$])\$[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?(?![^\W_])")


def _followable(text: str) -> list[str]:
    """Return what a reader may take for a link, left to right: also where X's patterns see none."""
    links: list[str] = []
    if not _INNER_DOT.search(text):  # most texts: spares them the slow pattern
        return links
    for match in _HOST.finditer(text):
        before = text[match.start() - 1] if match.start() else ""
        if not match["scheme"] and before and before in "@＠_":
            continue
        labels = match["host"].lower().split(".")[1:]
        if match["scheme"] or any(label in known_tlds() or label.startswith("xn--") for label in labels):
            links.append(match.group())
    return links


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """Return the text as a reader or a decoder may take it.

    Entities, percent signs, look-alikes and `[.]` are undone, hidden marks are removed.
    """
    if not _DISGUISE.search(text):
        return text
    text = unicodedata.normalize("NFKD", _undo(html.unescape(unquote(text))))
    return _undo(unicodedata.normalize("NFC", _INVISIBLE.sub("", text).translate(_LOOKALIKES)))


def _undo(text: str) -> str:
    for pattern, plain in _UNDO:
        text = pattern.sub(plain, text)
    return text


def find_links(text: str) -> list[str]:
    """Return the URLs, bare domains and public addresses that X links or a reader might follow."""
    links: list[str] = []
    for form in dict.fromkeys((text, canonical(text))):
        units = to_utf16(form)
        links = links or [from_utf16(units[start:end]) for start, end in link_spans(units)]
        links = links or _followable(form)
        links = links or [m.group() for m in _SCHEME.finditer(form)]
        links = links or [m.group() for m in _ADDRESS.finditer(form) if _is_public(m.group())]
    return links


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def find_mentions(text: str) -> list[str]:
    """Return every `@name` that X might notify, wherever it stands; X itself wants a boundary before it."""
    return _MENTION.findall(text) or _MENTION.findall(canonical(text))


def find_hashtags(text: str) -> list[str]:
    """Return every `#tag` with at least one letter."""
    tags: list[str] = _HASHTAG.findall(text) or _HASHTAG.findall(canonical(text))
    return tags


def find_cashtags(text: str) -> list[str]:
    """Return every `$TICKER`; X refuses a post with more than one."""
    return _CASHTAG.findall(text) or _CASHTAG.findall(canonical(text))


def weighted_length(text: str) -> int:
    """Return the length of `text` in X's units: Latin weighs 1, the rest 2, an emoji 2, a URL 23.

    It counts the composed form (NFC). A text with a top-level domain newer than X's library weighs the more
    of what it weighs with and without that link.
    """
    if text.isascii() and not may_have_links(text):
        return len(text)
    units = to_utf16(unicodedata.normalize("NFC", text))
    weight = _weight(units, link_spans(units, newer_names=False))
    if has_newer_name(units):
        weight = max(weight, _weight(units, link_spans(units)))
    return weight


def _weight(units: str, links: list[tuple[int, int]]) -> int:
    """Return the weight of a text in UTF-16 units, added up as X's library does: by what starts at each."""
    if units.isascii() and not links:
        return len(units)
    link_ends, emoji_ends = dict(links), emoji_of_x(units)
    total, position = 0, 0
    while position < len(units):
        if position in link_ends:
            total += URL_WEIGHT
            position = link_ends[position]
        elif position in emoji_ends:
            total += EMOJI_WEIGHT
            position = emoji_ends[position]
        else:
            pair = _SURROGATES.match(units, position)
            total += _character_weight(ord(units[position]))
            position = pair.end() if pair else position + 1
    return total


def _character_weight(code: int) -> int:
    return 1 if any(low <= code <= high for low, high in _LIGHT_RANGES) else 2


def find_forbidden_characters(text: str) -> list[str]:
    """Return the characters that X refuses or that hide what a reader sees, as `U+XXXX` names.

    Controls (a line feed is allowed), lone surrogates, private use and unassigned code points, everything
    invisible or bidirectional, piled-up accents, and letters of two scripts in one word. A joiner, a
    variation selector or a tag is allowed only inside an emoji.
    """
    if text.isascii() and text.isprintable():
        return []
    bare = without_emoji(text)
    found = [*_HIDDEN.findall(bare), *_MIXED_SCRIPTS.findall(bare)]
    if len(accents := _ACCENT_ON_ASCII.findall(bare)) > 2:
        found += accents
    return [f"U+{ord(c):04X}" for c in "".join(found)]
