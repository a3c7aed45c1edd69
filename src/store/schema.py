"""The schema that a file must have: what the migrations make of an empty one, nothing more, nothing less.

Triggers and indexes are what the database itself refuses; one too few, and a rule is gone; one too many, and
somebody else's rule decides what is posted. A further *table* of the owner's is left alone with its indexes:
it does nothing by itself. So are the tables in which SQLite keeps its statistics.
"""

from __future__ import annotations

import contextlib
import functools
import shlex
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from src.domain.errors import StorageError
from src.domain.fixes import Fix
from src.store.connection import connect_memory
from src.store.damage import way_back
from src.system.files import file_errors

MIGRATIONS = tuple(sorted((Path(__file__).parent / "migrations").glob("*.sql")))
APPLICATION_ID = 0x7477746D  # "twtm"
POSTS = ("table", "posts")  # the original program's table may be written differently: its columns count


@dataclass(frozen=True, slots=True)
class Schema:
    """The objects of a database (kind and name: table and SQL), and the columns of `posts`."""

    objects: Mapping[tuple[str, str], tuple[str, str]]
    columns: frozenset[str]

    @property
    def names(self) -> set[str]:
        """The names of all objects."""
        return {name for _kind, name in self.objects}


def statements(version: int) -> Iterator[str]:
    """Yield the statements that bring a database of this version to the newest one."""
    for file in MIGRATIONS[version:]:
        with file_errors(file):
            script = file.read_text(encoding="utf-8")
        yield from _split(script)


def read_schema(connection: sqlite3.Connection) -> Schema:
    """Return the schema of an open database, SQL with single spaces, without what SQLite made itself."""
    objects = {}
    for kind, name, table, sql in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"):
        if sql is not None:
            objects[kind, name] = (table, " ".join(sql.split()))
    return Schema(objects, frozenset(r[1] for r in connection.execute("PRAGMA table_info(posts)")))


@functools.cache
def expected(version: int) -> Schema:
    """Return the schema that the migrations up to this version make."""
    with contextlib.closing(connect_memory()) as empty:
        for file in MIGRATIONS[:version]:
            with file_errors(file):
                script = file.read_text(encoding="utf-8")
            for statement in _split(script):
                empty.execute(statement)
        return read_schema(empty)


def difference(found: Schema, version: int) -> tuple[str, str] | None:
    """Return the first difference from the schema of a version: what is wrong, and the SQL to remove it."""
    right = expected(version)
    for kind, name in sorted(found.objects.keys() - right.objects.keys()):
        table, sql = found.objects[kind, name]
        if kind == "table" and (not sql.upper().startswith("CREATE TABLE") or name in _own_names()):
            return f"its table {name} is not this program's", _rename(name)
        if kind in ("trigger", "view") or table in _own_names():
            return f"it has the {kind} {name}, which is not this program's", f"DROP {kind} {_quoted(name)}"
    missing = sorted(right.objects.keys() - found.objects.keys())
    if missing:
        return "its {} {} is missing".format(*missing[0]), ""
    lost = sorted(right.columns - found.columns)
    if lost:
        return f"the column {lost[0]} of its table posts is missing", ""
    ahead = sorted((found.columns & expected(len(MIGRATIONS)).columns) - right.columns) if version > 1 else []
    if ahead:
        renamed = f"ALTER TABLE posts RENAME COLUMN {ahead[0]} TO my_{ahead[0]}"
        return f"its table posts has the column {ahead[0]}, which a later version makes", renamed
    changed = [key for key in right.objects if key != POSTS and found.objects[key] != right.objects[key]]
    return ("its {} {} is not this program's".format(*changed[0]), "") if changed else None


def check_schema(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Raise `StorageError` if the database does not have the schema of its version. Nothing is written."""
    wrong = difference(read_schema(connection), version)
    if wrong is None:
        return
    what, sql = wrong
    message = f"the database {path} is refused: {what}; nothing was changed"
    back = way_back(path)
    if sql:
        line = f"sqlite3 {shlex.quote(str(path))} {shlex.quote(sql)}"
        raise StorageError(message, Fix(f"if it is yours, take it away: {line}; otherwise ", back))
    raise StorageError(message, Fix(back))


def _own_names() -> set[str]:
    return expected(len(MIGRATIONS)).names


def recognised_version(connection: sqlite3.Connection) -> int:
    """Return the version of a database; one that `.dump` rebuilt says 0 and is known by its schema."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version:
        return version
    found = read_schema(connection)
    later = range(len(MIGRATIONS), 1, -1)
    return next((v for v in later if difference(found, v) is None), 0)


def _split(script: str) -> Iterator[str]:
    part = ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""


def _rename(name: str) -> str:
    return f"ALTER TABLE {_quoted(name)} RENAME TO {_quoted('my_' + name)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
