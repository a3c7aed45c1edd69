"""Writing results to standard output, whoever reads them and however they are encoded."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import TextIO


def write(text: str, *, aside: bool = False) -> None:
    """Write a text and a line break to standard output; `aside` to standard error, where a result is JSON.

    What its encoding lacks is shown as an escape. A reader that has gone, as `head` does, is no failure.
    Raises `OSError` for anything else, such as a full disk; nothing more is written then.
    """
    stream = sys.stderr if aside else sys.stdout
    if stream is None:
        return
    try:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        print(text, file=stream, flush=True)
    except OSError as error:
        _discard(stream)
        if not isinstance(error, BrokenPipeError):
            raise


def finish() -> None:
    """Write out what the standard streams still hold; what they refuse goes nowhere. Never raises.

    Otherwise Python tries again at its end, and its failure (120) takes the place of the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            _discard(stream)


def _discard(stream: TextIO) -> None:
    """Let what a stream still holds, and whatever is written to it from now on, go nowhere."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), stream.fileno())


def write_json(data: Mapping[str, object]) -> None:
    """Write one JSON object on one line: times in ISO 8601, and only characters that every encoding has."""
    write(json.dumps(data, default=_plain))


def _plain(value: object) -> str:
    """Return what JSON has no form for as a text."""
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)


def ask(question: str, *, aside: bool = False) -> str:
    """Ask a question on the terminal and return the answer, empty where nobody can answer."""
    if sys.stdin is None:
        return ""
    try:
        if not aside:
            return input(question).strip()
        write(question, aside=True)
        return input().strip()
    except (EOFError, UnicodeDecodeError):
        return ""
