"""Libraries for tests: the shipped one, read once, and small ones."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from src.config import ROOT
from src.content.library import Library, load

SHIPPED = ROOT / "data" / "library"


@lru_cache
def shipped() -> Library:
    """Return the library that ships. Reading it takes most of a second."""
    return load([SHIPPED])


def load_once(paths: Iterable[Path]) -> Library:
    """Load a library as the program does, but the shipped one only once."""
    paths = list(paths)
    return shipped() if paths == [SHIPPED] else load(paths)


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
