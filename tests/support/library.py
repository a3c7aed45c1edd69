"""Libraries for tests: the shipped one, read once, and small ones."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from src.config import ROOT
from src.content.library import Library, load
from src.posting.recognise import Recognise, recogniser

SHIPPED = ROOT / "data" / "library"


@lru_cache
def shipped() -> Library:
    """Return the library that ships. Reading it takes most of a second."""
    return load([SHIPPED])


def load_once(paths: Iterable[Path]) -> Library:
    """Load a library as the program does, but files that have not changed only once."""
    paths = tuple(paths)
    return shipped() if paths == (SHIPPED,) else _load(paths, tuple(map(_state, paths)))


@contextlib.contextmanager
def library_read_once() -> Iterator[None]:
    """Let the program load and recognise files that have not changed only once, until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.content.library.load", load_once)
        patch.setattr("src.posting.run.recogniser", _recogniser_once)
        yield


def _recogniser_once(paths: Iterable[Path]) -> Recognise:
    paths = tuple(paths)
    return _recogniser(paths, tuple(map(_state, paths)))


@lru_cache(maxsize=4)
def _recogniser(paths: tuple[Path, ...], _states: tuple[tuple[int, int], ...]) -> Recognise:
    return recogniser(paths)


@lru_cache(maxsize=4)
def _load(paths: tuple[Path, ...], _states: tuple[tuple[int, int], ...]) -> Library:
    return load(paths)


def _state(path: Path) -> tuple[int, int]:
    """Return when a file was changed and its size, by which a change is seen; zeros if there is none."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def small_library(folder: Path, count: int) -> dict[str, str]:
    """Write a library of its own, which is read more quickly than the built-in one; return its settings."""
    file = folder / "small.jsonl"
    record = {"topic": "Git", "reference": "git(1)"}
    file.write_text(
        "".join(
            json.dumps(
                {
                    "id": f"s-{n}",
                    "statement": f"git command number {n} does what its manual page says.",
                    **record,
                }
            )
            + "\n"
            for n in range(1, count + 1)
        ),
        encoding="utf-8",
    )
    return {"BUILTIN_LIBRARY": "false", "SOURCES": str(file)}
