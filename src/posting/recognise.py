"""Recognise tweets as texts of the library, so that a new database knows their statements."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from src.domain.texts import SHORT_LINK, Origin, could_be, fingerprint, without_hashtags

Recognise = Callable[[str], Origin | None]
_MAY_BE_A_LINK = re.compile(r"[^\s.]\.[^\s.]")


def recogniser(paths: Iterable[Path]) -> Recognise:
    """Return a function from a tweet's text to its statement, or None. It reads the library once."""
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

    def recognise(shown: str) -> Origin | None:
        text = without_hashtags(html.unescape(shown).strip())
        opening, _, body = text.rpartition("\n\n")
        for lead, vetted in ((opening, body), ("", text)):
            if statement := known().get(fingerprint(vetted)):
                return Origin(*statement, lead)
            if SHORT_LINK in vetted and (sent := could_be(vetted, with_dots())):
                return Origin(*texts()[sent], lead, f"{lead}\n\n{sent}" if lead else sent)
        return None

    return recognise
