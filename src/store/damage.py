"""Lost and damaged databases: the mark that a database has held posts, and moving a damaged file aside."""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from src.domain.errors import StorageError
from src.domain.fixes import Fix, Part, line
from src.system.files import file_errors

BACKUPS = "backups"  # the folder beside the database


def was_in_use(path: Path) -> bool:
    """Tell whether a database at this path has held posts: if it is missing or empty now, it was lost."""
    return _marker(path).exists()


def mark_in_use(path: Path) -> None:
    """Put the mark beside a database that it has held posts. Raises `StorageError`."""
    with file_errors(_marker(path)):
        _marker(path).touch(mode=0o600)


def was_lost(path: Path) -> bool:
    """Tell whether the file is empty although it has held posts."""
    return path.exists() and path.stat().st_size == 0 and _marker(path).exists()


def set_aside(path: Path, now: datetime, why: str) -> NoReturn:
    """Rename a damaged database with its side files, and raise `StorageError`. Nothing is ever deleted."""
    target = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%S}")
    with contextlib.suppress(OSError):
        path.chmod(0o600)
    with file_errors(target):
        path.rename(target)
        for suffix in ("-journal", "-wal", "-shm"):
            side = path.with_name(path.name + suffix)
            if side.exists():
                side.rename(target.with_name(target.name + suffix))
    message = f"the database is damaged ({why}); it was set aside as {target}"
    raise StorageError(
        message, Fix(way_back(path), ", or let the next run start anew: it first reads your timeline on X")
    )


def way_back(path: Path) -> Part:
    """Return the line that restores the newest backup of a database."""
    backups = sorted((path.parent / BACKUPS).glob("twitter-*.db"), reverse=True)
    return line(f"restore {backups[0]}") if backups else "restore a backup"


def _marker(path: Path) -> Path:
    """Return the path of the mark, an empty file beside the database."""
    return path.with_name(f"{path.name}.in-use")
