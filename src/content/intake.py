"""How a text comes in, from a file, a person or a model: bounded, and composed as X composes it (NFC).

Nothing looks at a text before its length is known: patterns may take a time that grows with its square.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TextIO

from src.domain.errors import UsageError
from src.domain.fixes import Fix
from src.system.files import read_regular

# X takes 280 of weight. The longest such text has 140 emoji of 7 characters; links, which weigh less, never
# go out.
MAX_CHARACTERS = 1_000
MAX_FILE_BYTES = 64_000_000


def composed(text: str) -> str:
    """Return `text` in the form that X gives it: letters and their marks composed (NFC)."""
    return unicodedata.normalize("NFC", text)


def shortened(text: str) -> str:
    """Return `text` for a message: quoted, and cut where it is long."""
    return repr(text if len(text) <= MAX_CHARACTERS else f"{text[:60]}…")


def read_file(path: Path) -> str:
    """Return the text of a UTF-8 file. Raise OSError or ValueError, in words for the owner."""
    return read_regular(path, MAX_FILE_BYTES)


def read_stream(stream: TextIO | None) -> str:
    """Return a text of standard input, composed, empty without one. A long one is not read to its end.

    Raises `UsageError` for what is no text in the stream's encoding.
    """
    if stream is None:
        return ""
    try:
        return composed(stream.read(10 * MAX_CHARACTERS).strip())
    except UnicodeDecodeError as error:
        message = f"standard input is no text in {stream.encoding}"
        raise UsageError(message, Fix("give it as UTF-8")) from error
