"""What cannot be part of a key: signs that come along when one is copied or handed on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from src.config import FILE_SECRETS, Settings

_SIGNS = {
    "\n": "a line break",
    "\r": "a line break",
    "\t": "a tab",
    " ": "a space",
    '"': "a straight quote",
    "'": "a straight quote",
    "`": "a backquote",
    "\u00a0": "a no-break space",
    "\u200b": "a zero-width space",
    "\ufeff": "a byte order mark",
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb", "a curly quote"),
}
# NAME=value, NAME: value. A key has no underscore; a client secret may have one, but no = within.
_ASSIGNMENT = re.compile(r"(?:export\s+)?[A-Za-z]+(?:_[A-Za-z]+)+\s*[=:]\s*[^\s=]")


def faults(settings: Settings) -> list[str]:
    """Return what is wrong with the form of each key, without showing anything of it."""
    return [
        f"{name} {fault}"
        for name in FILE_SECRETS
        if (key := getattr(settings, name.lower()))
        for fault in _faults(key.get_secret_value())
    ]


def _faults(key: str) -> Iterator[str]:
    bare = key.strip("\ufeff\"' \n")
    if _ASSIGNMENT.match(bare):
        yield "is a whole line NAME=value, not the value alone"
        return
    told = set()
    for place, sign in enumerate(key):
        if "!" <= sign <= "~" and sign not in _SIGNS:
            continue
        where = "begins with" if place == 0 else "ends with" if place == len(key) - 1 else "has within it"
        if (words := f"{where} {_named(sign)}") not in told:
            told.add(words)
            yield words


def _named(sign: str) -> str:
    """Return the name of a sign. A letter of another script is told by its number: it may be of the key."""
    if name := _SIGNS.get(sign):
        return name
    kind = "an invisible character" if unicodedata.category(sign)[0] in "CZ" else "a character"
    return f"{kind} that no key has (U+{ord(sign):04X})"
