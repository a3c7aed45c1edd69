"""A database of the original program: its rows are kept, odd ones made readable and named, and what cannot be is refused."""

import contextlib
import logging
import re
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from src.db_manager import open_database
from src.domain.errors import StorageError
from src.domain.posts import Status
from src.domain.texts import Draft
from tests.support.stored import NOW


def original(path, columns="", rows=()):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(
            "CREATE TABLE posts (id INTEGER PRIMARY KEY, content TEXT, posted_at TIMESTAMP, status TEXT,"
            f" error_message TEXT{columns})"
        )
        for row in rows:
            db.execute(f"INSERT INTO posts(content, posted_at, status) VALUES ({row})")
        db.commit()
    return path


@pytest.mark.parametrize(
    ("row", "content"),
    [
        ("CAST('Blöb' AS BLOB), NULL, 'success'", "Blöb"),
        ("x'ff41', NULL, 'success'", "\\xffA"),
        ("CAST(x'ff41' AS TEXT), NULL, 'success'", "\\xffA"),
        ("NULL, NULL, 'success'", ""),
        ("'Text', CAST(x'ff' AS TEXT), 'success'", "Text"),
        ("'Text', x'00', 'success'", "Text"),
    ],
)
def test_odd_rows_are_taken_over_and_named(tmp_path, caplog, row, content):
    """Whatever stands in a row, it is kept; the log names it."""
    path = original(tmp_path / "twitter.db", rows=["'Sound.', NULL, 'success'", row])
    with caplog.at_level(logging.WARNING), contextlib.closing(open_database(path, NOW)) as db:
        assert [(post.id, post.content, post.status) for post in db.archive.history(9)] == [
            (2, content, Status.POSTED),
            (1, "Sound.", Status.POSTED),
        ]
    assert [record.detail.rsplit(" ", 1)[1] for record in caplog.records] == ["2"]


@pytest.mark.parametrize("count", [20, 21])
def test_how_many_odd_rows_are_named(tmp_path, caplog, count):
    """The log names the first twenty, and says where there are more."""
    path = original(tmp_path / "twitter.db", rows=["x'41', NULL, 'success'"] * count)
    with caplog.at_level(logging.WARNING):
        open_database(path, NOW).close()
    rows = caplog.records[0].detail.rpartition("rows ")[2]
    assert rows == ", ".join(str(n) for n in range(1, 21)) + (", …" if count > 20 else "")


def test_a_column_of_the_owners_with_a_name_of_ours(tmp_path):
    """It is kept under another name."""
    path = original(
        tmp_path / "twitter.db", ", slot TEXT DEFAULT 'mine', topic TEXT", ["'A', NULL, 'success'"]
    )
    with contextlib.closing(open_database(path, NOW)) as db:
        assert db.post(1).slot is None
        assert db.connection.value("SELECT original_slot FROM posts") == "mine"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("CREATE TABLE runs (x)", "its table runs is not this program's"),
        ("CREATE VIEW meta AS SELECT 1", "it has the view meta"),
        ("DROP TABLE posts; CREATE TABLE posts (id INTEGER PRIMARY KEY, text)", "the column content"),
        ("DROP TABLE posts; CREATE TABLE other (x)", "its table posts is missing"),
        ("ALTER TABLE posts ADD COLUMN twin TEXT CHECK (status <> 'posted')", "cannot be brought to version"),
    ],
)
def test_what_stands_in_the_way_is_named(tmp_path, script, words):
    """What cannot be migrated is named, is not blamed on the disk, and stays as it was."""
    path = original(tmp_path / "twitter.db", rows=["'A', NULL, 'success'"])
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(script)
    before = path.read_bytes()
    with pytest.raises(StorageError, match=re.escape(words)) as caught:
        open_database(path, NOW)
    assert "disk" not in caught.value.fix.render()
    assert path.read_bytes() == before


def test_old_rows_are_not_open(tmp_path):
    """A row of the original program whose end nobody knows is not open for ever."""
    path = original(tmp_path / "twitter.db", rows=["'A', NULL, NULL", "'B', NULL, 'pending'"])
    with contextlib.closing(open_database(path, NOW)) as db:
        assert db.archive.open_posts() == []
        post = db.claim(Draft("C.", "wording"), "2026-11-22T14:00Z", NOW)
        db.begin_send(post, "run", NOW)
        db.recover("2026-11-22T14:00Z")
        assert db.archive.open_posts() == [post.id]


def test_a_post_in_the_future_counts_for_nothing(tmp_path):
    """The last post is the last one until now."""
    rows = ["'A', '2099-01-01 00:00:00', 'success'", "'B', '2026-11-20 10:00:00', 'success'"]
    with contextlib.closing(open_database(original(tmp_path / "twitter.db", rows=rows), NOW)) as db:
        assert db.archive.last_posted(NOW) == datetime(2026, 11, 20, 10, tzinfo=UTC)
        assert db.archive.last_posted(NOW - timedelta(days=9)) is None
