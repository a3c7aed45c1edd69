"""Writing a file whole or not at all: readers see the old one or the new one, whenever they look."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from src.domain.errors import StorageError


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Put `text` into `path`: temporary file beside it, fsync, rename, fsync of the folder. Raises `StorageError`."""
    path = path.expanduser().absolute()
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.unlink(missing_ok=True)  # left by a process of the same number that was killed
        try:
            with os.fdopen(
                os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600),
                "w",
                encoding="utf-8",
            ) as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            new.replace(path)
        finally:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise StorageError(
            message, f"name a file in a folder that exists and is writable: mkdir -p {path.parent}"
        ) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
