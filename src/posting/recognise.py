"""Recognise tweets as texts of the library, so that a new database knows their statements."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from src.domain.answers import Tweet
from src.domain.texts import (
    SHORT_LINK,
    Origin,
    alike,
    could_be,
    fingerprint,
    likeness,
    without_hashtags,
)

Recognise = Callable[[Tweet], Origin | None]
_MAY_BE_A_LINK = re.compile(r"[^\s.]\.[^\s.]")


def recogniser(paths: Iterable[Path]) -> Recognise:
    """Return a function from a tweet to the statement that it is of, or None. It reads the library once.

    X shows only the newest version of an edited tweet: it is of the statement that it is most like.
    """
    paths = tuple(paths)

    @cache
    def texts() -> dict[str, tuple[str, str]]:
        from src.content import library  # noqa: PLC0415 (only where a tweet is unknown)

        return {text: (s.id, s.topic) for s in library.load(paths).statements for text in s.texts}

    @cache
    def known() -> dict[str, tuple[str, str]]:
        return {fingerprint(text): statement for text, statement in texts().items()}

    @cache
    def with_dots() -> tuple[str, ...]:
        return tuple(text for text in texts() if _MAY_BE_A_LINK.search(text))

    @cache
    def words() -> tuple[tuple[str, frozenset[str]], ...]:
        return tuple((text, frozenset(text.split())) for text in texts())

    def most_like(shown: str) -> str | None:
        mine = frozenset(shown.split())
        near = [text for text, theirs in words() if len(mine & theirs) >= len(theirs) / 2]
        best = max(near, key=lambda text: likeness(shown, text), default=None)
        return best if best and alike(shown, best) else None

    def other(tweet: Tweet, vetted: str) -> str | None:
        if SHORT_LINK in vetted and (sent := could_be(vetted, with_dots())):
            return sent
        return most_like(vetted) if tweet.earlier else None

    def recognise(tweet: Tweet) -> Origin | None:
        text = without_hashtags(html.unescape(tweet.text).strip())
        opening, _, body = text.rpartition("\n\n")
        for lead, vetted in ((opening, body), ("", text)):
            if statement := known().get(fingerprint(vetted)):
                return Origin(*statement, lead)
            if sent := other(tweet, vetted):
                return Origin(*texts()[sent], lead, f"{lead}\n\n{sent}" if lead else sent)
        return None

    return recognise
