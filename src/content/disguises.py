"""The words that a text may be read as, and how each of them stands there.

A reader knows a word in spite of case, accents, look-alike letters, digits for letters, signs between its
letters and other words around it. This module finds such readings; its caller says whether one of them is
forbidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

# Digits and signs that stand for letters; 1 and | are read both ways.
LEET = tuple(str.maketrans("0134567@$!|+€", f"o{one}easgtas{one}{one}te") for one in "il")
_TURNED = str.maketrans("ɐɔǝɟƃᴉɾʞɯɹʇʌʍʎɥnu", "acefgijkmrtvwyhun")  # upside down
_RUN = re.compile(r"[A-Za-z0-9@$!|+€]+")
_JOINED_RUNS = re.compile(rf"{_RUN.pattern}(?:[-_.*]+{_RUN.pattern})+")  # f.u-n
_SIGNED_RUNS = re.compile(rf"{_RUN.pattern}(?:(?:[^\w\s]|_){{1,3}}{_RUN.pattern})+")  # f(u)n
_SINGLE_LETTERS = re.compile(r"(?<!\w)[\w$!@](?:(?:[^\w$!@]|_){1,3}[\w$!@](?!\w))+")  # f u n
_LETTERS = re.compile(r"[A-Za-z]+")
_NOT_A_LETTER = re.compile(r"[^A-Za-z0-9@$!|+€]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")  # between the words of camelCase
_CAMEL = re.compile(r"\w*[a-z0-9][A-Z]\w*|\w*[A-Z]{2}[a-z]\w*")
_PLAIN_ENDING = re.compile(r"(?:s|z|es|ed|ing|ers?)$")


def readings(text: str) -> dict[str, str]:
    """Return each word that a part of `text` may be read as, in lower case, with that part as it stands.

    `text` is in its canonical form (`tweet_text.canonical`), its case kept.
    """
    words: dict[str, str] = {}
    for shown in _parts(text):
        for word in _words_of(shown):
            words.setdefault(word, shown)
    return words


def humps_apart(text: str) -> str:
    """Return `text` with the words of camelCase names apart."""
    return _HUMP.sub(" ", text)


def once_each(word: str) -> str:
    """Return `word` with each letter that is repeated only once."""
    return re.sub(r"(.)\1+", r"\1", word)


def _parts(text: str) -> Iterator[str]:
    yield from _LETTERS.findall(text)
    yield from _RUN.findall(text)
    yield from _JOINED_RUNS.findall(text)
    yield from _SIGNED_RUNS.findall(text)
    for name in _CAMEL.findall(text):
        yield from humps_apart(name).split()
    yield from _SINGLE_LETTERS.findall(text)
    if any(ord(c) in _TURNED for c in text if not c.isascii()):
        yield from _LETTERS.findall(text.translate(_TURNED)[::-1])


@lru_cache(maxsize=20_000)
def _words_of(shown: str) -> frozenset[str]:
    """Return every word that one part may be read as; a `!` at its end is no letter."""
    token = _NOT_A_LETTER.sub("", shown).rstrip("!").lower()
    if not re.search(r"[a-z]", token):  # 455 is a number, not leetspeak
        return frozenset()
    tokens = [token, token.strip("!+"), re.sub(r"[|+]", "", token)]
    if _SINGLE_LETTERS.fullmatch(shown) and token[0] in "ai":  # the first may be a word: a f u n
        tokens.append(token[1:])
    forms = {*tokens, *(form.translate(leet) for form in tokens for leet in LEET)}
    return frozenset(
        reading
        for form in forms
        for reading in (
            form,
            re.sub(r"(.)\1{2,}", r"\1", form),
            re.sub(r"(.)\1{2,}", r"\1\1", form),
            once_each(form),
            _PLAIN_ENDING.sub("", form),
        )
    )
