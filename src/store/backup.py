"""Backups: write a copy of a database, check and count any copy, prepare one for a restore."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from src.domain.errors import DamagedError, StorageError
from src.domain.fixes import Fix, command
from src.store.connection import Connection, connect, prepare, read_only, readable_errors
from src.store.migrate import migrate
from src.store.notes import put_note
from src.store.schema import APPLICATION_ID, MIGRATIONS, check_schema, recognised_version
from src.system.failpoints import reach
from src.system.files import create_private, sync_file

FIRST_WITH_BACKUPS = 2  # version 1 is the table of the original program


@dataclass(frozen=True, slots=True)
class Contents:
    """A database file in numbers: schema version, rows of each table, newest post (id, status, tweet id)."""

    version: int
    rows: dict[str, int]
    newest_post: tuple[int, str, int | None] | None

    @property
    def posts(self) -> int:
        """The number of posts."""
        return self.rows["posts"]


class Backup:
    """The copy of an open database in a new file of mode 0600."""

    def __init__(self, connection: Connection, path: Path) -> None:
        self._db = connection
        self.path = path

    def write(self) -> Contents:
        """Write a compact copy, sync it, compare it, and return what it holds. Raises `StorageError`.

        Call with the lock held: then nothing changes between the copy and the comparison.
        """
        create_private(self.path)
        reach("maintain.backup_begun")
        with readable_errors(self.path):
            self._db.sqlite.execute("VACUUM INTO ?", (str(self.path),))
        sync_file(self.path)
        reach("maintain.backup_written")
        try:
            copied, own = read_contents(self.path), contents(self._db)
        except DamagedError as error:  # of the copy: the database itself was checked before
            message = f"the backup is damaged as soon as it is written: {error}"
            raise StorageError(message, Fix("look at the disk: dmesg, df -h")) from error
        if copied != own:
            message = f"the backup does not hold what the database holds: {copied} instead of {own}"
            raise StorageError(message, Fix("look at the disk: dmesg, df -h"))
        reach("maintain.backup_checked")
        return copied


def check_whole(connection: Connection) -> None:
    """Check every page, index and reference of the file. Raises `DamagedError` with what SQLite found."""
    faults = [row[0] for row in connection.rows("PRAGMA integrity_check(5)") if row[0] != "ok"]
    faults += [
        f"row {row['rowid']} of {row['table']} refers to a missing row of {row['parent']}"
        for row in connection.rows("PRAGMA foreign_key_check")[:5]
    ]
    if faults:
        raise DamagedError("; ".join(faults))


def contents(connection: Connection) -> Contents:
    """Count what an open database holds."""
    with readable_errors(connection.path):
        return _count(connection.sqlite)


def read_contents(path: Path) -> Contents:
    """Check and count a database file without writing. Raises `StorageError` if damaged or not ours."""
    with readable_errors(path), contextlib.closing(read_only(path)) as connection:
        prepare(connection)
        version = recognised_version(connection)
        rebuilt = version > connection.execute("PRAGMA user_version").fetchone()[0]
        ours = rebuilt or connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        if ours and version > len(MIGRATIONS):
            message = f"{path} is a database of a newer version of this program"
            raise StorageError(message, Fix("update this program"))
        if not ours or version < FIRST_WITH_BACKUPS:
            message = f"{path} is a database of another program"
            raise StorageError(message, Fix("name a backup that ", command("maintain"), " made"))
        check_whole(Connection(connection, path))
        check_schema(connection, path, version)
        return _count(connection)


def newest_post_id(path: Path) -> int | None:
    """Return the largest id of a post in a database file, None if it has none or cannot be read."""
    with (
        contextlib.suppress(StorageError),
        readable_errors(path),
        contextlib.closing(read_only(path)) as db,
    ):
        newest: int | None = db.execute("SELECT max(id) FROM posts").fetchone()[0]
        return newest
    return None


def _count(db: sqlite3.Connection) -> Contents:
    tables = [
        row[0].replace('"', '""')
        for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    ]
    newest = db.execute("SELECT id, status, tweet_id FROM posts ORDER BY id DESC LIMIT 1").fetchone()
    return Contents(
        db.execute("PRAGMA user_version").fetchone()[0],
        {t: db.execute(f'SELECT count(*) FROM "{t}"').fetchone()[0] for t in tables},  # noqa: S608 (the schema's)
        tuple(newest) if newest else None,
    )


def prepare_restored(source: Path, target: Path, now: datetime) -> dict[str, int]:
    """Copy a checked backup to a new file that the next run can use. Raises `StorageError`.

    The source is not changed. What waited when the backup was made may have gone out since: a frozen
    text expires, an approved draft must be approved again; how many of each is returned. The next read of a
    feed counts as its first, since items may be out that are not here. `cold_start` makes the next run read
    the account's tweets first.
    """
    create_private(target)
    with readable_errors(target), contextlib.closing(connect(target)) as copy:
        with contextlib.closing(read_only(source)) as original:
            original.backup(copy)
        migrate(copy, target, now, backup=False)
        connection = Connection(copy, target)
        with connection.transaction() as changes:
            expired = changes.execute("UPDATE posts SET status = 'expired' WHERE status = 'pending'").rowcount
            again = changes.execute(
                "UPDATE posts SET status = 'draft', approved_at = NULL WHERE status = 'approved'"
            ).rowcount
            changes.execute("UPDATE feeds SET read_at = NULL, next_at = NULL, etag = '', last_modified = ''")
            put_note(changes, "cold_start", "restored")
            put_note(changes, "restore_until", None)  # kept if the backup was made after another restore
            put_note(changes, "restore_tweets", None)
            put_note(changes, "restore_tries", None)
            put_note(changes, "restored_at", str(now.timestamp()))
        check_whole(connection)
    sync_file(target)
    return {"expired": expired, "to_approve": again}
