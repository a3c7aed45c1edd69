"""One writer at a time, by the kernel's word: it frees the lock whatever kills the holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from src.post import DatabaseTrouble


@contextlib.contextmanager
def writer_lock(path: Path) -> Iterator[bool]:
    """Whether we are the one writer. The kernel frees the lock whatever kills us; the file is never removed.

    A file of its own: closing another descriptor of the database would drop SQLite's locks.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        message = f"cannot make {lock}: {error.strerror}"
        raise DatabaseTrouble(message, f"make the folder writable: chmod u+wx {lock.parent}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
