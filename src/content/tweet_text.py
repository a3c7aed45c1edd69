"""How X reads a text: its weighted length, the links it would make of it, its mentions and tags.

Source: twitter-text configuration v3 (https://github.com/twitter/twitter-text). A post that X bills as
carrying a link costs thirteen times as much, and X makes links of bare domains: `setup.py` and
`socket.io` are two. So link detection here is deliberately a superset of twitter-text's.
"""

from __future__ import annotations

import html
import ipaddress
import re
import unicodedata
from functools import cache, lru_cache
from urllib.parse import unquote

import regex

from src.config import ROOT

MAX_WEIGHT = 280
URL_WEIGHT = 23
_LIGHT_RANGES = ((0x0000, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))
_TLD_FILE = ROOT / "data" / "tlds.txt"

# A grapheme cluster that X draws as one emoji: pictographs, flags, keycaps, and their modifiers. Joined ones only
# with what Unicode joins, and tags only for the three flags that have them: anything longer could hide text.
_JOINED = (
    "\u200d(?:[👨👩👦👧🧑🧒💋🤝❤♂♀⚕⚖✈🌾🍳🍼🎓🎤🎨🏫🏭💻💼🔧🔬🚀🚒🦯🦼🦽🗨🌈⚧☠🦺⬛❄💨💫🌫🔥🩹🦰🦱🦲🦳🎄🟩🟫💥🫲➡↔↕]"
    r"\uFE0F?\p{EMod}?)"
)
_EMOJI = regex.compile(
    r"(?:\p{Regional_Indicator}{2}"
    r"|[0-9#*]\uFE0F?\u20E3"
    "|🏴\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
    r"|(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F)\p{EMod}?(?:" + _JOINED + r"){0,3}"
    r"|\p{Extended_Pictographic}\p{EMod}?(?:" + _JOINED + r"){1,3}"
    r"|\p{Extended_Pictographic}\p{EMod})"
)
# What a reader does not see, or sees in the wrong place: invisible letters, fillers, enclosing marks, a pile of accents.
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
_SCHEME = re.compile(
    r"\b(?:[a-z][a-z0-9+.-]*:[/\\]{2}\w|h(?:tt|xx)ps?\s*:\s*/\s*/|(?:(?:mailto|javascript|vbscript):\S|data:\w+/|file:/|tel:\+?\d|magnet:\?))",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)|(?<=\[)[0-9a-f:]*:[0-9a-f:]+(?=\])", re.IGNORECASE
)
_MENTION = re.compile(r"[@＠][A-Za-z0-9_]+")
_HASHTAG = re.compile(r"[#＃]\w*[^\W\d_]\w*")
_CASHTAG = re.compile(r"(?<![\w$])\$[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?(?![\w])")


@cache
def _tlds() -> frozenset[str]:
    lines = _TLD_FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _links(text: str, signs: str = "@＠$#_") -> list[tuple[int, int]]:
    """Spans of everything X could turn into a link, left to right, not overlapping; not what follows one of `signs`."""
    spans: list[tuple[int, int]] = []
    if "." not in text:
        return spans
    for match in _HOST.finditer(text):
        before = text[match.start() - 1] if match.start() else ""
        if not match["scheme"] and before and before in signs:
            continue
        labels = match["host"].lower().split(".")
        known = [i for i, label in enumerate(labels) if i and (label in _tlds() or label.startswith("xn--"))]
        if match["scheme"] or known:
            spans.append(match.span())
    return spans


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The text as a reader or a decoder may take it: entities, percent signs, look-alikes and `[.]` undone, hidden marks gone."""
    if not _DISGUISE.search(text):
        return text
    text = unicodedata.normalize("NFKD", _undo(html.unescape(unquote(text))))
    return _undo(unicodedata.normalize("NFC", _INVISIBLE.sub("", text).translate(_LOOKALIKES)))


def _undo(text: str) -> str:
    for pattern, plain in _UNDO:
        text = pattern.sub(plain, text)
    return text


def find_links(text: str) -> list[str]:
    """Every URL, bare domain and public address in `text` that X might link (and bill), or a reader might follow."""
    found: list[str] = []
    for form in dict.fromkeys((text, canonical(text))):
        found = found or [form[start:end] for start, end in _links(form, "@＠_")]
        found = found or [m.group() for m in _SCHEME.finditer(form)]
        found = found or [m.group() for m in _ADDRESS.finditer(form) if _is_public(m.group())]
    return found


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def find_mentions(text: str) -> list[str]:
    """Every `@name` X would notify, wherever it stands (stricter than X, which wants a boundary before it)."""
    return _MENTION.findall(text) or _MENTION.findall(canonical(text))


def find_hashtags(text: str) -> list[str]:
    """Every `#tag` with at least one letter."""
    return _HASHTAG.findall(text) or _HASHTAG.findall(canonical(text))


def find_cashtags(text: str) -> list[str]:
    """Every `$TICKER`; X refuses a post with more than one."""
    return _CASHTAG.findall(text) or _CASHTAG.findall(canonical(text))


def weighted_length(text: str) -> int:
    """Length of `text` in X's units (maximum 280): NFC, Latin weighs 1, the rest 2, an emoji 2, a URL 23."""
    text = unicodedata.normalize("NFC", text)
    total, position = 0, 0
    for start, end in _links(text):
        total += _plain_weight(text[position:start]) + URL_WEIGHT
        position = end
    return total + _plain_weight(text[position:])


def _plain_weight(text: str) -> int:
    if text.isascii():
        return len(text)
    without_emoji, emoji = _EMOJI.subn("", text)
    return 2 * int(emoji) + sum(_character_weight(ord(character)) for character in without_emoji)


def _character_weight(code: int) -> int:
    return 1 if any(low <= code <= high for low, high in _LIGHT_RANGES) else 2


def find_forbidden_characters(text: str) -> list[str]:
    """Characters that X refuses or that hide what a reader sees, as `U+XXXX` names.

    Controls (a line feed is allowed), lone surrogates, private use and unassigned code points, everything
    invisible or bidirectional, piled-up accents, and letters of two scripts in one word. A joiner, a variation
    selector or a tag is allowed only inside an emoji.
    """
    if text.isascii() and text.isprintable():
        return []
    bare = _EMOJI.sub("", text)
    found = [*_HIDDEN.findall(bare), *_MIXED_SCRIPTS.findall(bare)]
    if len(accents := _ACCENT_ON_ASCII.findall(bare)) > 2:
        found += accents
    return [f"U+{ord(c):04X}" for c in "".join(found)]
