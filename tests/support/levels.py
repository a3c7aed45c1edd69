"""The levels of the tests: the folder that a test lies in sets its mark."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parents[1]
UNMARKED = frozenset({"unit", "tick"})
MARKED = frozenset({"process", "library", "system", "crash"})
LEVELS = UNMARKED | MARKED
IN_MEMORY = frozenset({"unit", "tick", "process"})  # their files are small and need no real disk


def level(path: Path) -> str:
    """Return the level of a file of tests: the first folder below `tests/`."""
    return path.relative_to(TESTS).parts[0]


def mark(path: Path) -> str:
    """Return the mark that the folder of a file sets, if it sets one."""
    return level(path) if level(path) in MARKED else ""
