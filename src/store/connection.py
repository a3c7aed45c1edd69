"""A connection to SQLite: settings that must hold, transactions, and errors that a person can read.

Journal DELETE with synchronous=EXTRA: with Python's default, or WAL and NORMAL, a power cut can lose the
very row that prevents a second tweet.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from src.domain.errors import DamagedError, LockedError, StorageError
from src.domain.fixes import Fix
from src.domain.texts import fingerprint
from src.system.failpoints import reach

PRAGMAS = {
    "busy_timeout": 10000,
    "foreign_keys": 1,
    "journal_mode": "delete",
    "synchronous": 3,  # EXTRA
    "trusted_schema": 0,
    "cell_size_check": 1,
    "mmap_size": 0,
}


class Connection:
    """One open database, shared by all classes that read or write it. `path` is None for one in memory."""

    def __init__(self, sqlite: sqlite3.Connection, path: Path | None) -> None:
        self.sqlite = sqlite
        self.path = path

    def close(self) -> None:
        """Close the file."""
        self.sqlite.close()

    @contextlib.contextmanager
    def transaction(self, step: str = "") -> Iterator[sqlite3.Connection]:
        """Commit all statements of the block or none. `step` names the failpoints around the commit."""
        with readable_errors(self.path):
            self.sqlite.execute("BEGIN IMMEDIATE")
            try:
                yield self.sqlite
                if step:
                    reach(f"{step}.before_commit")
                self.sqlite.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self.sqlite.execute("ROLLBACK")
                raise
        if step:
            reach(f"{step}.committed")

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with readable_errors(self.path):
            return self.sqlite.execute(sql, values).fetchall()

    def value(self, sql: str, *values: object) -> Any:
        """Return the first value of the first row of a query, None where there is no row."""
        rows = self.rows(sql, *values)
        return rows[0][0] if rows else None


@contextlib.contextmanager
def readable_errors(path: Path | None) -> Iterator[None]:
    """Raise an error of SQLite as a `StorageError` with a fix. Integrity errors pass: they are answers."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except UnicodeDecodeError as error:  # sqlite3 cannot decode SQLite's own message about a broken schema
        message = "its schema is not readable"
        raise DamagedError(message, Fix("run again: the damaged file is then set aside")) from error
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise DamagedError(str(error), Fix("run again: the damaged file is then set aside")) from error
        message = f"the database {path} failed: {error} ({name or type(error).__name__})"
        if name.startswith("SQLITE_BUSY"):
            raise LockedError(
                message,
                Fix("another program holds the database; close it (a database browser, a copy in progress)"),
            ) from error
        fixes = {
            "SQLITE_FULL": Fix("the disk is full; make room, the next run goes on from here"),
            "SQLITE_READONLY": Fix(f"make the folder and the file writable: chmod u+w {path}"),
            "SQLITE_CANTOPEN": Fix(f"check that the folder of {path} exists and is yours"),
        }
        fix = next(
            (fix for code, fix in fixes.items() if name.startswith(code)),
            Fix("look at the disk: dmesg, df -h"),
        )
        raise StorageError(message, fix) from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a database file with the settings of PRAGMAS, each read back. Raises `StorageError`."""
    connection = sqlite3.connect(path, isolation_level=None)
    prepare(connection)
    for name, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {name}={value}")
        taken = connection.execute(f"PRAGMA {name}").fetchone()
        if taken is not None and str(taken[0]) != str(value):
            connection.close()
            message = f"the database refused {name}={value} (it has {taken[0]})"
            raise StorageError(
                message,
                Fix("the file system cannot hold this database safely; move DATA_DIR to a local disk"),
            )
    return connection


def connect_memory() -> sqlite3.Connection:
    """Open a new database in memory."""
    memory = sqlite3.connect(":memory:", isolation_level=None)
    prepare(memory)
    return memory


def prepare(connection: sqlite3.Connection) -> None:
    """Add to a new connection what the SQL needs: columns by name, and the function `fingerprint`."""
    connection.row_factory = sqlite3.Row
    connection.create_function("fingerprint", 1, fingerprint)  # the migration of old rows


def read_only(path: Path) -> sqlite3.Connection:
    """Open a database file that is not to be written."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)


def settle_journal(path: Path) -> bool:
    """Let SQLite roll back what a dead run left in the journal. Return False if the damage forbids it."""
    try:
        with readable_errors(path), contextlib.closing(connect(path)) as db:
            db.execute("BEGIN IMMEDIATE")  # closing ends it
    except StorageError as error:
        if getattr(error.__cause__, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise
        return False
    return True
