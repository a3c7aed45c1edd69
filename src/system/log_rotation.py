"""Setting log files aside by size and age, and dropping the old ones.

A run lives for seconds, so nothing can wait for midnight: the start of a run decides whether a file is due,
by its size and the timestamp of its first line, because some file systems store no creation time. The file is
set aside with one rename, under a lock that only one run can have. A run that still has the old file open
goes on writing to it under its new name. So nothing is lost when a run dies or two overlap.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from src.domain.errors import ProgramError
from src.system.lock import writer_lock
from src.system.log import FILES

MOST_SET_ASIDE = 10
_FIRST_LINE_BYTES = 65536
_STAMP = re.compile(r"\.\d{8}T\d{6}(-\d+)?$")


@dataclass(frozen=True, slots=True)
class Rules:
    """When a file is set aside (bytes, days since its first line) and how long it is kept after its last."""

    max_bytes: int
    rotate_days: int
    keep_days: int


def rotate(folder: Path, rules: Rules, now: datetime) -> str:
    """Set aside what is due, then drop what has expired. Return why it could not be done, empty if it was."""
    try:
        if not any(_due(folder / name, rules, now) for name in FILES):
            return ""
        with writer_lock(folder / "rotation") as ours:
            if ours:  # otherwise another run is doing it at this moment
                for name in FILES:
                    if _due(folder / name, rules, now):
                        _set_aside(folder / name, now)
                drop_old(folder, rules, now)
    except (OSError, ProgramError) as error:
        return f"log files cannot be rotated in {folder}: {error}"
    return ""


def drop_old(folder: Path, rules: Rules, now: datetime) -> list[str]:
    """Delete expired files that were set aside, and all but the newest ten of each; return their names."""
    dropped = []
    for name in FILES:
        found = [(f.stat().st_mtime, f) for f in folder.glob(f"{name}.*") if _STAMP.search(f.name)]
        for position, (last_written, file) in enumerate(sorted(found, reverse=True)):
            if position >= MOST_SET_ASIDE or now.timestamp() - last_written > rules.keep_days * 86400:
                file.unlink(missing_ok=True)
                dropped.append(file.name)
    return dropped


def _due(file: Path, rules: Rules, now: datetime) -> bool:
    try:
        found = file.stat()
    except FileNotFoundError:
        return False
    if not found.st_size:
        return False
    return found.st_size >= rules.max_bytes or now - _begun(file, found.st_mtime) > timedelta(
        days=rules.rotate_days
    )


def _begun(file: Path, last_written: float) -> datetime:
    """Return when the file's first line was written, or its last where the first has no timestamp."""
    try:
        with file.open("rb") as opened:
            first = json.loads(opened.readline(_FIRST_LINE_BYTES))
        begun = datetime.fromisoformat(first["time"])
    except (ValueError, KeyError, TypeError):
        return datetime.fromtimestamp(last_written, UTC)
    return begun if begun.tzinfo else begun.replace(tzinfo=UTC)


def _set_aside(file: Path, now: datetime) -> None:
    names = (f"{file.name}.{now:%Y%m%dT%H%M%S}" + (f"-{n}" if n else "") for n in count())
    file.rename(next(target for name in names if not (target := file.with_name(name)).exists()))
