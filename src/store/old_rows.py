"""Rows of the original program that the migrations cannot read as they are: made readable, and named."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from src.store.schema import MIGRATIONS, expected

logger = logging.getLogger(__name__)

TEXTS = ("content", "posted_at", "status", "error_message")


def prepare_old_rows(connection: sqlite3.Connection, path: Path) -> None:
    """Make the original table ready for the migrations. Call inside their transaction.

    A column of the owner's whose name this program needs gets another name. Bytes that are not UTF-8 are kept
    as escapes; a text that was stored as a BLOB or a number becomes a text, a missing one an empty text.
    """
    if not expected(1).columns <= _columns(connection):
        return
    for name in sorted((_columns(connection) & expected(len(MIGRATIONS)).columns) - expected(1).columns):
        connection.execute(f'ALTER TABLE posts RENAME COLUMN "{name}" TO "original_{name}"')
        logger.warning("column.renamed", extra={"detail": f"posts.{name} is original_{name} in {path}"})
    for column in TEXTS:
        _make_readable(connection, path, column)


def _columns(connection: sqlite3.Connection) -> set[str]:
    return {row[1] for row in connection.execute("PRAGMA table_info(posts)")}


def _make_readable(connection: sqlite3.Connection, path: Path, column: str) -> None:
    changed = {}
    sql = f"SELECT id, typeof({column}), CAST({column} AS BLOB) FROM posts"  # noqa: S608 (a name of TEXTS)
    for post_id, kind, raw in connection.execute(sql):
        text = (raw or b"").decode("utf-8", "backslashreplace")
        if kind == "null" and column != "content":
            continue
        if kind != "text" or text.encode() != raw:
            changed[post_id] = text
    connection.executemany(
        f"UPDATE posts SET {column} = ? WHERE id = ?",  # noqa: S608 (a name of TEXTS)
        [(text, post_id) for post_id, text in changed.items()],
    )
    if changed:
        rows = ", ".join(str(i) for i in list(changed)[:20]) + (", …" if len(changed) > 20 else "")
        logger.warning(
            "rows.repaired", extra={"detail": f"{path}: {column} of posts was no text in rows {rows}"}
        )
