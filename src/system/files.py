"""Files on disk: written whole or not at all, private where they hold secrets, synced before they count."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from src.domain.errors import ConfigError, StorageError
from src.domain.fixes import Fix

MAX_PRIVATE_BYTES = 10_000_000  # a `.env` or a file of tokens has a few thousand
MAX_JSON_BYTES = 50_000_000  # a vocabulary has 11 million; all is read in the process with the keys
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


# ---- whole or not at all ---------------------------------------------------------------------------------


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file by `text`. Raises `OSError`; then the old file is untouched."""
    data = text.encode()
    with replacing(path, mode) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` at the end of the block, synced. Raises `OSError`.

    Readers see the old file or the new one, whenever they look. A link in the place of the file is
    replaced, not followed; a device or a pipe is neither (root could replace `/dev/null`). When the block
    fails, the new file is removed.
    """
    path = absolute(path)
    refuse_odd_place(path)
    new = unfinished(path)
    try:
        with os.fdopen(os.open(new, _NEW, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        put_in_place(new, path)
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)


def refuse_odd_place(path: Path) -> None:
    """Raise `OSError` for what is there and no file or link: a device, a pipe, a socket or a folder."""
    with contextlib.suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))


def unfinished(path: Path) -> Path:
    """Return an unguessable name beside `path` for its unfinished version. `maintain` removes old ones."""
    return path.with_name(f".{path.name}.{secrets.randbits(64)}")


def put_in_place(new: Path, path: Path) -> None:
    """Rename a finished file to its name and wait until the name is on the disk. Raises `OSError`."""
    refuse_odd_place(path)
    new.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Wait until the contents of a file are on the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk: without it a power failure can undo a rename."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# ---- private files ---------------------------------------------------------------------------------------


def create_private(path: Path) -> bool:
    """Create an empty file (0600) and its folder (0700). Return False if it exists. Raises `StorageError`."""
    fix = Fix(f"make the folder writable: chmod u+wx {path.parent}")
    with as_storage_error(f"cannot make {path}", fix):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            os.close(os.open(path, _NEW, 0o600))
        except FileExistsError:
            return False
    return True


def read_private(path: Path, is_secret: Callable[[str], bool] = lambda _: True) -> str:
    """Return the text of a regular file of ours that is closed to others, checked on the open descriptor.

    Others may read it if its text is no secret, and never write it. Raises `ConfigError` for any other file;
    its message does not name the file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # never waits for a pipe's writer
    with os.fdopen(descriptor, encoding="utf-8") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            message = "is not a regular file"
            raise ConfigError(message, Fix(f"put a file in its place: ls -ld {path}"))
        if status.st_uid not in {os.geteuid(), 0}:
            message = f"belongs to another user (uid {status.st_uid})"
            raise ConfigError(message, Fix(f"type: sudo chown $USER {path}"))
        if status.st_size > MAX_PRIVATE_BYTES:
            message = f"has {status.st_size:,} bytes, at most {MAX_PRIVATE_BYTES:,} are read"
            raise ConfigError(message, Fix(f"put the right file in its place: ls -l {path}"))
        text = file.read()
        if status.st_mode & (0o077 if is_secret(text) else 0o033):
            message = f"can be read or changed by others (mode {stat.S_IMODE(status.st_mode):04o})"
            raise ConfigError(message, Fix(f"type: chmod 600 {path}"))
        return text


def read_regular(path: Path, most: int, errors: str = "strict") -> str:
    """Return the text (UTF-8, lines end with a line feed) of a regular file of at most `most` bytes.

    `errors` is what becomes of bytes that are no text, as in `bytes.decode`. Never waits for the writer of a
    pipe. Raises `OSError`, or `ValueError` in words that do not repeat what stands in the file.
    """
    with open_regular(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        message = f"it has more than {most:,} bytes"
        raise ValueError(message)
    return io.StringIO(data.decode("utf-8-sig", errors), newline=None).read()


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[io.BufferedReader]:
    """Open a regular file to be read, never waiting for a pipe's writer. Raises `OSError`, `ValueError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            message = "it is not a regular file"
            raise ValueError(message)
        yield file


def read_json(path: Path, most: int = MAX_JSON_BYTES) -> Any:
    """Return what a regular file of at most `most` bytes holds as JSON. Raises `OSError` and `ValueError`."""
    text = read_regular(path, most)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        message = "it is no JSON"
        raise ValueError(message) from error


def reason_of(error: OSError | ValueError) -> str:
    """Return in words why a file could not be read, without what stands in it."""
    if isinstance(error, OSError):
        return str(error.strerror or type(error).__name__)
    return "it is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


# ---- folders that settings name --------------------------------------------------------------------------


def absolute(path: Path, start: Path | None = None) -> Path:
    """Return a path without `~`, relative to `start` (default: the current folder).

    Raise `ValueError` where `~` stands for a home folder that is not known.
    """
    try:
        return ((start or Path.cwd()) / path.expanduser()).absolute()
    except RuntimeError as error:
        message = f"'{path}': no home folder is known for this user"
        raise ValueError(message) from error


def existing_folder(name: str, start: Path) -> Path | None:
    """Return the folder of that name, relative to `start`; None if there is none. `~` is the home folder.

    A folder that may not be looked at exists too.
    """
    try:
        path = absolute(Path(name), start)
    except ValueError:
        return None
    try:
        return path if path.is_dir() else None
    except PermissionError:
        return path
    except OSError:  # such as a name that is too long
        return None


# ---- room taken in advance -------------------------------------------------------------------------------


def reserve(path: Path, size: int) -> None:
    """Create a private file of `size` blanks on the disk, for `fill`. Raises `OSError` and leaves nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, _NEW, 0o600)
        try:
            if os.write(descriptor, b" " * size) < size:  # the disk took a part and is full now
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def fill(path: Path, data: bytes) -> None:
    """Write `data` into the room of a reserved file, cut the rest off, and sync. Raises `OSError`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.pwrite(descriptor, data, 0)
        os.ftruncate(descriptor, len(data))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# ---- errors ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def as_storage_error(message: str, fix: Fix) -> Iterator[None]:
    """Raise an `OSError` of the block as a `StorageError`: the message, the system's reason, and the fix."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{message}: {error.strerror or error}", fix) from error


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Raise an `OSError` about a file that the program keeps in its own folder as a `StorageError`."""
    fix = Fix(f"make room and the folder writable: df -h {path.parent}; chmod u+wx {path.parent}")
    with as_storage_error(f"cannot use {path}", fix):
        yield
