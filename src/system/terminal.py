"""Writing results to standard output, whoever reads them and however they are encoded."""

from __future__ import annotations

import io
import os
import sys


def write(text: str) -> None:
    """Write a result and a line break to standard output.

    What its encoding lacks is shown as an escape. A reader that has gone, as `head` does, is no failure.
    """
    if sys.stdout is None:
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # The rest goes nowhere; otherwise Python complains when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def ask(question: str) -> str:
    """Ask a question on the terminal and return the answer, empty where nobody can answer."""
    if sys.stdin is None:
        return ""
    try:
        return input(question).strip()
    except EOFError:
        return ""
