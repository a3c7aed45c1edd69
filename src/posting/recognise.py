"""Recognise tweets as texts of the library, so that a new database knows their statements."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from src.domain.texts import Origin, fingerprint, without_hashtags

Recognise = Callable[[str], Origin | None]


def recogniser(paths: Iterable[Path]) -> Recognise:
    """Return a function from a tweet's text to its statement, or None. It reads the library once."""
    paths = tuple(paths)

    @cache
    def known() -> dict[str, tuple[str, str]]:
        from src.content import library  # noqa: PLC0415 (only where a tweet is unknown)

        statements = library.load(paths).statements
        return {fingerprint(text): (s.id, s.topic) for s in statements for text in s.texts}

    def recognise(shown: str) -> Origin | None:
        text = without_hashtags(html.unescape(shown).strip())
        opening, _, body = text.rpartition("\n\n")
        for lead, vetted in ((opening, body), ("", text)):
            if statement := known().get(fingerprint(vetted)):
                return Origin(*statement, lead)
        return None

    return recognise
