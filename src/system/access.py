"""Who may use the program's folders: the user who runs it may, and nobody else may replace files there."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Iterable
from pathlib import Path

from src.domain.errors import ConfigError, StorageError
from src.domain.fixes import Fix, env_file

_OWNER_BITS = {"r": stat.S_IRUSR, "w": stat.S_IWUSR, "x": stat.S_IXUSR}


def require_closed(folder: Path) -> None:
    """Raise `ConfigError` for a folder in which everybody may replace files. A missing one passes.

    With the sticky bit, as in /tmp, only the owner of a file may replace it.
    """
    status = _status(folder)
    if status and status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        message = f"everybody may write to {folder} (mode {stat.S_IMODE(status.st_mode):04o})"
        advice = "; on a disk that keeps no owners, name another folder in "
        raise ConfigError(message, Fix(f"type: chmod o-w {_words(folder)}", advice, env_file()))


def require_own_group(folder: Path) -> None:
    """Raise `ConfigError` where a group may write that is neither one of ours nor the owner's own."""
    status = _status(folder)
    if not status or not status.st_mode & stat.S_IWGRP:
        return
    if status.st_gid not in {os.getegid(), *os.getgroups(), _group_of(status.st_uid)}:
        message = f"another group (gid {status.st_gid}) may write to {folder}"
        raise ConfigError(message, Fix(f"type: chmod g-w {_words(folder)}"))


def require_usable(paths: Iterable[Path], folders: Iterable[Path]) -> None:
    """Raise `StorageError` for the first path that exists and that this user may not read and write.

    The fix gives `folders` to this user where the path belongs to another one, as after a run of root's.
    """
    for path in paths:
        status = _status(path)
        if status and not os.access(path, _needed(status)):
            raise StorageError(*_refusal(path, status, folders))


def _refusal(path: Path, status: os.stat_result, folders: Iterable[Path]) -> tuple[str, Fix]:
    """Return why a path cannot be used, and what to type."""
    user = os.geteuid()
    if user not in {0, status.st_uid}:
        whole = dict.fromkeys([*filter(Path.exists, folders)] or [path])
        fix = Fix(f"type: sudo chown -R {_name(user)} {_words(*whole)}")
        return f"{path} belongs to another user ({_name(status.st_uid)}) and cannot be written", fix
    bits = "rwx" if stat.S_ISDIR(status.st_mode) else "rw"
    if user == 0 or all(status.st_mode & _OWNER_BITS[bit] for bit in bits):
        return f"{path} cannot be written", Fix(f"is its disk read-only? type: findmnt -T {_words(path)}")
    return f"{path} cannot be written", Fix(f"type: chmod u+{bits} {_words(path)}")


def _needed(status: os.stat_result) -> int:
    return os.W_OK | (os.X_OK if stat.S_ISDIR(status.st_mode) else os.R_OK)


def _status(path: Path) -> os.stat_result | None:
    """Return what the system says of a path, None where it says nothing: whoever uses the path says why."""
    try:
        return path.stat()
    except OSError:
        return None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_of(uid: int) -> int | None:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return None


def _words(*paths: Path) -> str:
    return shlex.join(map(str, paths))
