"""Writing results to standard output, whoever reads them and however they are encoded."""

from __future__ import annotations

import io
import os
import sys


def write(text: str) -> None:
    """Write a result and a line break to standard output.

    What its encoding lacks is shown as an escape. A reader that has gone, as `head` does, is no failure.
    Raises `OSError` for anything else, such as a full disk; nothing more is written then.
    """
    if sys.stdout is None:
        return
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        print(text, flush=True)
    except OSError as error:
        # The rest goes nowhere; otherwise Python complains when it flushes at its end.
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 (a descriptor is wanted, not a path)
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise


def ask(question: str) -> str:
    """Ask a question on the terminal and return the answer, empty where nobody can answer."""
    if sys.stdin is None:
        return ""
    try:
        return input(question).strip()
    except (EOFError, UnicodeDecodeError):
        return ""
