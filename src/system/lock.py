"""One writer at a time, and one model in memory, by the kernel's word: it frees a lock whatever kills the holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from src.domain.errors import DeadlineError, StorageError
from src.system.interrupts import hard_limit

_POLL_SECONDS = 0.5


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
        raise StorageError(message, f"make the folder writable: chmod u+wx {lock.parent}") from error
    try:
        yield _lock(descriptor, lock)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, lock: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a network disk without locks, a disk that fails
        message = f"cannot lock {lock}: {error.strerror}"
        raise StorageError(
            message, "put DATA_DIR on a disk of this machine whose file system has locks"
        ) from error
    return True


@contextlib.contextmanager
def writer_lock_within(path: Path, seconds: float, sleep: Callable[[float], None]) -> Iterator[bool]:
    """The same, but wait up to `seconds` for another run to end."""
    waited = 0.0
    while True:
        with writer_lock(path) as ours:
            if ours or waited >= seconds:
                yield ours
                return
        sleep(_POLL_SECONDS)
        waited += _POLL_SECONDS


@contextlib.contextmanager
def model_turn(models_dir: Path, seconds: float) -> Iterator[bool]:
    """Wait for the turn of this process to load a model, at most `seconds`: whether it came.

    Accounts that share a model store start in the same minute; their models side by side would not fit into memory.
    The lock is on the folder itself, so that a store that may only be read can be shared too. Where there is no such
    folder, or its file system has no locks, nobody waits.
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
