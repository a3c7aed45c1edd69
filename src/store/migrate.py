"""Migrations: ordered files that bring a database to the schema of this program, and its version."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import datetime
from pathlib import Path

from src.domain.errors import DamagedError, StorageError
from src.domain.fixes import Fix
from src.store.damage import was_in_use, way_back
from src.store.notes import put_note
from src.store.old_rows import prepare_old_rows
from src.store.schema import (
    APPLICATION_ID,
    MIGRATIONS,
    check_schema,
    recognised_version,
    statements,
)
from src.system.failpoints import reach
from src.system.files import create_private

SMALL_DATABASE_BYTES = 8 * 1024 * 1024  # up to here a full check at every start costs milliseconds
_IN_THE_WAY = ("SQLITE_ERROR", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH")  # of the data, not of the disk


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `StorageError` for a database that a newer version of this program wrote."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        message = f"the database {path} is of version {version}, this program knows {len(MIGRATIONS)}"
        raise StorageError(message, Fix("it was written by a newer program: update this one"))


def check_file(connection: sqlite3.Connection, path: Path) -> None:
    """Check the version, and a small file whole; `maintain` checks larger ones. Raises `StorageError`."""
    check_version(connection, path)
    if path.stat().st_size > SMALL_DATABASE_BYTES:
        return
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise DamagedError(found)


def migrate(connection: sqlite3.Connection, path: Path, now: datetime, *, backup: bool = True) -> None:
    """Run the migrations that are missing, in one transaction; the version is read again under its lock.

    A new database, or one of the original program, gets the note `cold_start`: the next run reads the
    account's tweets first. `backup` keeps a copy of the file as it was.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == len(MIGRATIONS):
        check_schema(connection, path, version)
        return
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables:
        check_schema(connection, path, recognised_version(connection) or 1)
    if tables and backup:
        _backup_before_migration(connection, path, version)
    connection.execute("BEGIN IMMEDIATE")
    try:
        _bring_up(connection, path, now)
        reach("migrate.before_commit")
        connection.execute("COMMIT")
    except BaseException as error:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error) and error.sqlite_errorname.startswith(_IN_THE_WAY):
            raise _refused(error, path) from error
        raise


def _bring_up(connection: sqlite3.Connection, path: Path, now: datetime) -> None:
    if connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS):
        return
    version = recognised_version(connection)
    if version == 0:
        prepare_old_rows(connection, path)
    for statement in statements(version):
        connection.execute(statement)
        reach("migrate.statement")
    check_schema(connection, path, len(MIGRATIONS))
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
    put_note(connection, "made_at", str(now.timestamp()))
    if version == 0:
        put_note(connection, "cold_start", "replaced" if was_in_use(path) else "new")


def _refused(error: sqlite3.Error, path: Path) -> StorageError:
    message = f"the database {path} cannot be brought to version {len(MIGRATIONS)}: {error}; it is as it was"
    fix = Fix("it holds what this program cannot take over: move the file away to start anew, or ")
    return StorageError(message, Fix(fix, way_back(path)))


def _backup_before_migration(connection: sqlite3.Connection, path: Path, version: int) -> None:
    target = path.with_name(f"{path.name}.before-version-{len(MIGRATIONS)}-from-{version}")
    target.unlink(missing_ok=True)
    create_private(target)
    with contextlib.closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)
