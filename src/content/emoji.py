"""Emoji: those of Unicode, which may stand in a text, and those that X counts as one character.

X's library knows fewer than Unicode. A sequence that it does not know weighs what its parts weigh.
"""

from __future__ import annotations

import re
from functools import cache

from src.config import ROOT

_UNICODE_FILE = ROOT / "data" / "emoji.txt"
_X_FILE = ROOT / "data" / "emoji-of-x.txt"
_VARIATIONS = re.compile("[\ufe0f\U0001f3fb-\U0001f3ff]")  # the emoji form of a character, and skin tones


def without_emoji(text: str) -> str:
    """Return `text` without the emoji that Unicode lists.

    What is only put together like one stays, with its invisible parts.
    """
    if text.isascii():
        return text
    known = unicode_emoji()
    return _sequence().sub(lambda match: "" if _VARIATIONS.sub("", match[0]) in known else match[0], text)


def emoji_of_x(units: str) -> dict[int, int]:
    """Return where X sees an emoji in a text in UTF-16 units: by the start of each, its end."""
    if units.isascii() and "\u20e3" not in units:
        return {}
    return {match.start(): match.end() for match in _pattern_of_x().finditer(units)}


@cache
def unicode_emoji() -> frozenset[str]:
    """Return the emoji that Unicode lists, without skin tones and U+FE0F."""
    lines = _UNICODE_FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(emoji for line in lines if not line.startswith("# ") for emoji in line.split(" "))


@cache
def _sequence() -> re.Pattern[str]:
    """Return the pattern of emoji and of what is put together like them: joined, tagged, flags, keycaps."""
    single = "".join(sorted(emoji for emoji in unicode_emoji() if len(emoji) == 1))
    one = f"[{re.escape(single)}](?:\ufe0f|[\U0001f3fb-\U0001f3ff])?"
    return re.compile(
        "[\U0001f1e6-\U0001f1ff]{2}"
        "|[0-9#*]\ufe0f?\u20e3"
        "|\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"
        f"|{one}(?:\u200d{one})*"
    )


@cache
def _pattern_of_x() -> re.Pattern[str]:
    lines = _X_FILE.read_text(encoding="utf-8").splitlines()
    return re.compile("|".join(line for line in lines if not line.startswith("# ")))
