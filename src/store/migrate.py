"""Migrations: ordered files that bring a database to the schema of this program, and its version."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from src.domain.errors import StorageError
from src.domain.fixes import Fix
from src.store.damage import was_in_use
from src.store.notes import put_note
from src.system.failpoints import reach
from src.system.files import create_private, file_errors

MIGRATIONS = tuple(sorted((Path(__file__).parent / "migrations").glob("*.sql")))
APPLICATION_ID = 0x7477746D  # "twtm"


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `StorageError` for a database that a newer version of this program wrote."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        message = f"the database {path} is of version {version}, this program knows {len(MIGRATIONS)}"
        raise StorageError(message, Fix("it was written by a newer program: update this one"))


def migrate(
    connection: sqlite3.Connection, path: Path, now: datetime, *, fresh: bool, backup: bool = True
) -> None:
    """Run the migrations that are missing, in one transaction; the version is read again under its lock.

    `fresh` says that the file is new. A new database, or one of the original program, gets the note
    `cold_start`: the next run reads the account's tweets first. `backup` keeps a copy of the file as it
    was.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == len(MIGRATIONS):
        return
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and backup:
        _backup_before_migration(connection, path, version)
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for file in MIGRATIONS[version:]:
            with file_errors(file):
                script = file.read_text(encoding="utf-8")
            for statement in _statements(script):
                connection.execute(statement)
                reach("migrate.statement")
        if version < len(MIGRATIONS):
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
            put_note(connection, "made_at", str(now.timestamp()))
            if not tables or fresh or version == 0:
                put_note(connection, "cold_start", "replaced" if was_in_use(path) else "new")
        reach("migrate.before_commit")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    part = ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""


def _backup_before_migration(connection: sqlite3.Connection, path: Path, version: int) -> None:
    target = path.with_name(f"{path.name}.before-version-{len(MIGRATIONS)}-from-{version}")
    target.unlink(missing_ok=True)
    create_private(target)
    with contextlib.closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)
