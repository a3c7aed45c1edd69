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
    """Load a library as the program does, but only once while its files hold the same bytes, wherever they lie."""
    paths = tuple(paths)
    return shipped() if paths == (SHIPPED,) else _load(_Files(paths))


@contextlib.contextmanager
def library_read_once() -> Iterator[None]:
    """Let the program load and recognise files that have not changed only once, until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.content.library.load", load_once)
        patch.setattr("src.posting.run.recogniser", _recogniser_once)
        yield


class _Files:
    """Files of a library; equal to others that hold the same bytes. The shipped folder is known by its path."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths
        self._known = tuple(path if path == SHIPPED else _bytes(path) for path in paths)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Files) and self._known == other._known

    def __hash__(self) -> int:
        return hash(self._known)


def _bytes(path: Path) -> bytes | Path:
    """Return what a file holds; its path where there is no file to read."""
    return path.read_bytes() if path.is_file() else path


def _recogniser_once(paths: Iterable[Path]) -> Recognise:
    return _recogniser(_Files(tuple(paths)))


@lru_cache(maxsize=4)
def _recogniser(files: _Files) -> Recognise:
    return recogniser(files.paths)


@lru_cache(maxsize=4)
def _load(files: _Files) -> Library:
    return load(files.paths)


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
