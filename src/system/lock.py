"""Locks that the kernel frees whatever kills the holder: one writer per database, one model in memory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from src.domain.errors import BusyError, DeadlineError
from src.domain.fixes import Fix
from src.system import access
from src.system.files import as_storage_error
from src.system.interrupts import hard_limit

WAIT_FOR_IT = Fix("wait for it to end")
_POLL_SECONDS = 0.5


@contextlib.contextmanager
def writer_lock(path: Path) -> Iterator[bool]:
    """Take the writer lock and yield whether we got it. The lock file is never removed.

    A file of its own: closing another descriptor of the database would drop SQLite's locks.
    """
    lock = path.with_name(f"{path.name}.lock")
    access.require_usable([lock.parent, lock, path], [lock.parent])
    with as_storage_error(f"cannot make {lock}", Fix(f"make the folder writable: chmod u+wx {lock.parent}")):
        lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield _lock(descriptor, lock)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, lock: Path) -> bool:
    fix = Fix("put DATA_DIR on a disk of this machine whose file system has locks")
    with as_storage_error(f"cannot lock {lock}", fix):  # a network disk without locks, a disk that fails
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextlib.contextmanager
def sole_writer(
    path: Path,
    *,
    wait: float = 0.0,
    sleep: Callable[[float], None] = time.sleep,
    fix: Fix = WAIT_FOR_IT,
) -> Iterator[None]:
    """Hold the writer lock; wait up to `wait` seconds for another run. Raises `BusyError` with `fix`."""
    waited = 0.0
    while True:
        with writer_lock(path) as ours:
            if ours:
                yield
                return
        if waited >= wait:
            message = "another run is in progress"
            raise BusyError(message, fix)
        sleep(_POLL_SECONDS)
        waited += _POLL_SECONDS


@contextlib.contextmanager
def model_turn(models_dir: Path, seconds: float) -> Iterator[bool]:
    """Wait at most `seconds` for the turn of this process to load a model, and yield whether it came.

    Accounts that share a model store start in the same minute; their models side by side would not fit into
    memory. The lock is on the folder itself, so that a read-only store can be shared too. Where there is no
    such folder, or its file system has no locks, nobody waits.
    """
    try:
        descriptor = os.open(models_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield True
        return
    try:
        yield _locked_within(descriptor, seconds)
    finally:
        os.close(descriptor)


def _locked_within(descriptor: int, seconds: float) -> bool:
    try:
        with hard_limit(max(seconds, 0.001)):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except DeadlineError:
        return False
    except OSError:
        return True
    return True
