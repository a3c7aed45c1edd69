"""Profiles of one machine keep apart: none posts a statement that another one posted in the last days.

X forbids the same content from several accounts. Which profile took which statement on which day stands in
one file beside the profiles, a line each. A line is appended under a lock and synced before the text may go
out; a line that a kill left unfinished is passed over. The file holds no text and no secret.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from src.config import Settings
from src.domain.errors import DeadlineError, StorageError
from src.domain.fixes import Fix
from src.system.failpoints import reach
from src.system.files import as_storage_error, read_regular, reason_of, write_atomically
from src.system.interrupts import hard_limit

FILE = ".statements"
DEFAULT = "-"  # the name of the account without a profile; no profile can have it
KEPT_DAYS = 366  # as long as ACCOUNTS_APART_DAYS can be
LOCK_SECONDS = 20.0
_DAY = timedelta(days=1)
_MAX_BYTES = 64_000_000
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Entry(NamedTuple):
    """One line: on this day (UTC) the profile took the statement."""

    day: date
    profile: str
    statement: str


def file_of(settings: Settings) -> Path | None:
    """Return the file that the profiles share; None for an account that has no other beside it."""
    home = settings.data_dir
    profiles = home.parent if settings.profile else home / "profiles"
    return profiles / FILE if settings.accounts_apart_days and profiles.is_dir() else None


def taken(settings: Settings, now: datetime) -> dict[str, datetime]:
    """Return until when (UTC) each statement is another profile's."""
    file = file_of(settings)
    if file is None:
        return {}
    return _others(settings, _read(file), now)


def reserve(settings: Settings, statement: str, now: datetime) -> bool:
    """Take a statement for this profile from today on. Return False if it is another profile's."""
    file = file_of(settings)
    if file is None or not statement:
        return True
    with _locked(file) as descriptor:
        entries = _read(file)
        if statement in _others(settings, entries, now):
            return False
        mine = Entry(now.date(), settings.profile or DEFAULT, statement)
        if mine not in entries:
            _append(descriptor, [mine])
    reach("statement.reserved")
    return True


def remember(settings: Settings, used: Iterable[tuple[str, datetime]], now: datetime) -> None:
    """Enter what this profile posted before the file was there, or while it was lost. Drop old lines."""
    file = file_of(settings)
    if file is None:
        return
    begin = now - settings.accounts_apart_days * _DAY
    own = settings.profile or DEFAULT
    recent = [Entry(at.astimezone(UTC).date(), own, name) for name, at in used if at > begin]
    known = {(entry.profile, entry.statement): entry.day for entry in _read(file)}
    missing = [entry for entry in recent if known.get((own, entry.statement), date.min) < entry.day]
    if not missing:
        return
    with _locked(file) as descriptor:
        _append(descriptor, missing)
        _drop_old(file, now)


def _others(settings: Settings, entries: Iterable[Entry], now: datetime) -> dict[str, datetime]:
    own = settings.profile or DEFAULT
    until: dict[str, datetime] = {}
    for entry in entries:
        over = datetime(entry.day.year, entry.day.month, entry.day.day, tzinfo=UTC)
        over += (settings.accounts_apart_days + 1) * _DAY
        if entry.profile != own and over > now:
            until[entry.statement] = max(over, until.get(entry.statement, over))
    return until


def _read(file: Path) -> list[Entry]:
    try:
        lines = read_regular(file, _MAX_BYTES, errors="replace").split("\n")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        message = f"{file} cannot be read: {reason_of(error)}"
        raise StorageError(message, Fix(f"make it readable: chmod u+rw {file}")) from error
    return [entry for line in lines[:-1] if (entry := _parsed(line))]  # the last one is not whole


def _parsed(line: str) -> Entry | None:
    day, _, rest = line.partition(" ")
    profile, _, statement = rest.partition(" ")
    with contextlib.suppress(ValueError):
        if profile and statement:
            return Entry(date.fromisoformat(day), profile, statement)
    return None


def _text(entries: Iterable[Entry]) -> str:
    return "".join(f"{entry.day} {entry.profile} {entry.statement}\n" for entry in entries)


def _append(descriptor: int, entries: Iterable[Entry]) -> None:
    """Add lines and wait until they are on the disk. What a kill left of a line is ended first."""
    size = os.fstat(descriptor).st_size
    torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
    data = (("\n" if torn else "") + _text(entries)).encode()
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


def _drop_old(file: Path, now: datetime) -> None:
    """Write the file anew without the days that nobody asks for any more, where these are many."""
    entries = _read(file)
    kept = [entry for entry in entries if entry.day > (now - KEPT_DAYS * _DAY).date()]
    if len(kept) < len(entries) * 3 // 4:
        write_atomically(file, _text(kept))


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[int]:
    """Hold the lock of the profiles' file and yield a descriptor to append to it."""
    lock = file.with_name(f"{file.name}.lock")
    with (
        contextlib.ExitStack() as stack,
        as_storage_error(f"cannot use {file}", Fix(f"make the folder writable: chmod u+wx {file.parent}")),
    ):
        held = os.open(lock, _FLAGS, 0o600)
        stack.callback(os.close, held)
        try:
            with hard_limit(LOCK_SECONDS):
                fcntl.flock(held, fcntl.LOCK_EX)
        except DeadlineError as error:
            message = f"another process holds {lock} for {LOCK_SECONDS:.0f} seconds"
            raise StorageError(message, Fix("wait for it to end")) from error
        descriptor = os.open(file, _FLAGS, 0o600)
        stack.callback(os.close, descriptor)
        yield descriptor
