"""What the program needs of a machine. An older Python can import this file too, and is told so."""

from __future__ import annotations

import sys

LOWEST_PYTHON = (3, 11)
LOWEST_SQLITE = (3, 27)  # has VACUUM INTO, which makes the backups
CONFIGURATION = 78  # as domain/runs has it, which an older Python cannot import


def refuse_unsupported() -> None:
    """End the program with 78 and one sentence on a machine where it cannot run."""
    problem = unsupported(sys.platform, sys.version_info[:3], sqlite_version())
    if problem:
        sys.stderr.write(f"twitter_manager: {problem}\n")
        sys.exit(CONFIGURATION)


def unsupported(platform: str, python: tuple[int, ...], sqlite: tuple[int, ...]) -> str:
    """Return in one sentence what is missing or too old and what to do; empty if nothing is."""
    if platform in ("win32", "cygwin", "msys"):
        return "Windows is not supported; run it on Linux or macOS, or on Windows in WSL."
    if python < LOWEST_PYTHON:
        return (
            f"Python {_dotted(LOWEST_PYTHON)} or newer is needed, this is {_dotted(python)};"
            " make .venv with a newer one."
        )
    if sqlite < LOWEST_SQLITE:
        this = f"this Python has {_dotted(sqlite)}" if sqlite else "this Python was built without it"
        return f"SQLite {_dotted(LOWEST_SQLITE)} or newer is needed, {this}; make .venv with another Python."
    return ""


def sqlite_version() -> tuple[int, ...]:
    """Return the version of the SQLite library that this Python uses, empty where it has none."""
    try:
        import sqlite3  # noqa: PLC0415 (a Python without it gets the sentence too)
    except ImportError:
        return ()
    return sqlite3.sqlite_version_info


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
