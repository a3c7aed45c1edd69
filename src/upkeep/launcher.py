"""The command `twitter_manager`: a small script that starts the program from any folder.

Python looks for modules in the current folder first, so a folder with its own `src` or `dotenv.py` would run
its code with the owner's keys in reach. `-P` leaves that folder out; PYTHONSAFEPATH does so for children.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from src.config import ROOT
from src.domain.errors import UsageError
from src.domain.fixes import Fix
from src.system.files import as_storage_error, write_atomically

NAME = "twitter_manager"
_MARK = "# Made by: twitter_manager install --apply"


def words_from_anywhere() -> list[str]:
    """Return the words of the command line that starts this program, whatever the current folder is."""
    return [
        "env",
        "PYTHONSAFEPATH=1",
        f"PYTHONPATH={ROOT}",
        sys.executable,
        "-P",
        "-m",
        "src.twitter_manager",
    ]


def path() -> Path:
    """Return where the launcher of this user lies."""
    return Path.home() / ".local" / "bin" / NAME


def script() -> str:
    """Return the text of the launcher."""
    return f'#!/bin/sh\n{_MARK}\nexec {shlex.join(words_from_anywhere())} "$@"\n'


def refuse_foreign() -> None:
    """Raise `UsageError` if a file that is not a launcher of this program stands in its place."""
    file = path()
    if file.is_symlink() or (file.exists() and _MARK not in _lines_of(file)):
        message = f"{file} is not a launcher of this program"
        raise UsageError(message, Fix(f"look at it, then move it away: mv {file} {file}.old"))


def put() -> Path:
    """Write the launcher and make it executable. Raise `StorageError` if the folder does not let us."""
    file = path()
    fix = Fix(f"make the folder writable: chmod u+wx {file.parent}")
    with as_storage_error(f"cannot write {file}", fix):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, script(), 0o755)
    return file


def remove() -> bool:
    """Delete the launcher if it starts the program of this folder; return whether it did."""
    file = path()
    if file.is_symlink() or not file.exists() or _lines_of(file) != script().splitlines():
        return False
    file.unlink()
    return True


def _lines_of(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines()
