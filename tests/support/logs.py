"""Log files for tests."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from src.system import log

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def written(folder: Path, name: str = log.ALL_FILE, at: datetime = NOW, size: int = 100) -> Path:
    """Write a log file whose first line is of `at`."""
    folder.mkdir(exist_ok=True)
    first = json.dumps({"time": at.isoformat(), "event": "old"}) + "\n"
    (folder / name).write_text(first + "x" * (size - len(first) - 1) + "\n")
    return folder / name


def set_aside(folder: Path, name: str = log.ALL_FILE) -> list[str]:
    return sorted(f.name for f in folder.glob(f"{name}.2*"))


@contextlib.contextmanager
def caught() -> Iterator[list[logging.LogRecord]]:
    """Collect what the program logs meanwhile, of every level."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign, assignment]
    level = log.logger.level
    log.logger.addHandler(handler)
    log.logger.setLevel(logging.DEBUG)
    try:
        yield records
    finally:
        log.logger.removeHandler(handler)
        log.logger.setLevel(level)
