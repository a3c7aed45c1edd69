"""Migrations: what becomes of the rows of each older version, and what interrupts one changes nothing."""

import contextlib
import sqlite3
import stat
from datetime import UTC, datetime

import pytest

from src.db_manager import open_database
from src.domain.answers import Tweet
from src.domain.errors import InjectedFault, StorageError
from src.domain.posts import Status
from src.domain.texts import Draft
from src.store import migrate as module
from src.store.connection import prepare
from src.store.damage import mark_in_use
from src.store.migrate import migrate
from src.store.schema import MIGRATIONS, statements
from src.system import failpoints
from tests.support.stored import NOW, SLOT, TWEET

OLD_TABLE = (
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, content TEXT NOT NULL, posted_at TIMESTAMP, status TEXT,"
    " error_message TEXT)"
)
OLD_ROWS = [
    ("Old success.", "2026-11-01T10:00:00.123456", "success", None),
    ("Old pending.", None, "pending", None),
    ("Old failure.", "2026-11-02 10:00:00", "failed", "500"),
    ("Odd one.is here.", "garbage", None, None),
    ("Of another time.", "2026-11-03 10:00:00", "sending", None),
    ("Posted.", "2026-11-04 10:00:00", "posted", None),
]
NEWEST = len(MIGRATIONS)


def old_database(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(OLD_TABLE)
        db.executemany(
            "INSERT INTO posts(content, posted_at, status, error_message) VALUES (?, ?, ?, ?)", OLD_ROWS
        )
        db.commit()
    return path


@contextlib.contextmanager
def connected(path):
    """Connect as the program does, without opening the database."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        prepare(connection)
        yield connection


# ---- the original program's rows -------------------------------------------------------------------------------


def test_the_rows_of_the_original_program(tmp_path):
    """Success was on X; what failed was not; all else may be. A time is kept where it can be read."""
    with contextlib.closing(open_database(old_database(tmp_path / "twitter.db"), NOW)) as db:
        found = [(p.status, p.sent_at, p.origin) for p in db.archive.history(9)][::-1]
    assert found == [
        (Status.POSTED, datetime(2026, 11, 1, 10, tzinfo=UTC), "seed"),
        (Status.UNCONFIRMED, None, "seed"),
        (Status.FAILED, None, "seed"),
        (Status.UNCONFIRMED, None, "seed"),
        (Status.UNCONFIRMED, datetime(2026, 11, 3, 10, tzinfo=UTC), "seed"),
        (Status.POSTED, datetime(2026, 11, 4, 10, tzinfo=UTC), "seed"),
    ]


def test_the_owners_old_database(tmp_path):
    """Old rows do not bind by their text, get their tweet id when it is seen, and a private copy is kept."""
    path = old_database(tmp_path / "twitter.db")
    with contextlib.closing(open_database(path, NOW)) as db:
        assert db.post(1).posted_at == datetime(2026, 11, 1, 10, 0, 0, 123456, tzinfo=UTC)
        assert db.post(4).posted_at is None
        assert db.notes.get("cold_start") == "new"
        assert db.claim(Draft("old SUCCESS", "wording"), SLOT, NOW) is not None
        assert db.tweets.import_tweets([Tweet(TWEET, "Old pending.")], NOW) == 1
        assert (db.post(2).status, db.post(2).tweet_id) == (Status.POSTED, TWEET)
        assert db.tweets.import_tweets([Tweet(TWEET + 1, "Odd https://t.co/a1B2c3D4e5 here.")], NOW) == 1
        assert db.tweets.import_tweets([Tweet(TWEET + 2, "Odd https://t.co/a1B2c3D4e5 there.")], NOW) == 1
        assert (db.post(4).tweet_id, db.archive.count_posts()) == (TWEET + 1, 8)
    (copy,) = tmp_path.glob("twitter.db.before-version-*")
    assert copy.name == f"twitter.db.before-version-{NEWEST}-from-0"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with contextlib.closing(sqlite3.connect(copy)) as db:
        assert (
            db.execute("SELECT content, posted_at, status, error_message FROM posts").fetchall() == OLD_ROWS
        )


def test_a_copy_of_an_earlier_try_is_replaced(tmp_path):
    """The copy is of the file as it is now, whatever an earlier try left in its place."""
    path = old_database(tmp_path / "twitter.db")
    copy = tmp_path / f"twitter.db.before-version-{NEWEST}-from-0"
    copy.write_bytes(b"half a copy")
    copy.chmod(0o644)
    open_database(path, NOW).close()
    with contextlib.closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT count(*) FROM posts").fetchone() == (len(OLD_ROWS),)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_lost_database_is_replaced(tmp_path):
    """A new database where one was says so: its account has tweets already."""
    path = tmp_path / "twitter.db"
    mark_in_use(path)
    with contextlib.closing(open_database(path, NOW)) as db:
        assert (db.notes.get("cold_start"), db.notes.made_at()) == ("replaced", NOW)
    assert not list(tmp_path.glob("*before-version*"))


def test_from_the_version_between(tmp_path):
    """A database at an earlier version is brought up to date without being taken for a new account."""
    path = old_database(tmp_path / "twitter.db")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=1")
    with contextlib.closing(open_database(path, NOW)) as db:
        assert (db.archive.count_posts(), db.notes.get("cold_start")) == (len(OLD_ROWS), None)


# ---- rows of version 2 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcomes", "becomes", "sent_at"),
    [
        ("pending", [], "pending", None),
        ("pending", ["not_sent"], "pending", None),
        ("pending", ["later"], "unknown", 100.0),
        ("pending", ["blocked"], "unknown", 100.0),
        ("pending", ["blocked", "not_sent"], "unknown", 200.0),
        ("expired", [], "expired", None),
        ("expired", ["not_sent"], "expired", None),
        ("expired", ["later"], "failed", None),
        ("expired", ["blocked"], "failed", None),
        ("failed", ["blocked"], "failed", None),
        ("approved", ["later"], "approved", None),
        ("unconfirmed", ["blocked"], "unconfirmed", None),
    ],
)
def test_what_x_refused_before_version_3(tmp_path, status, outcomes, becomes, sent_at):
    """A text that X refused is looked for, or never sent again; what was not refused stays as it was."""
    path = tmp_path / "twitter.db"
    with connected(path) as old:
        later = sum(1 for _ in statements(2))
        for statement in list(statements(0))[:-later]:
            old.execute(statement)
        old.execute("PRAGMA user_version=2")
        rule = old.execute("SELECT sql FROM sqlite_master WHERE name = 'known_status_insert'").fetchone()[0]
        old.execute("DROP TRIGGER known_status_insert")
        for row in ((1, status), (2, "draft")):
            old.execute("INSERT INTO posts(id, content, status) VALUES (?, 'x', ?)", row)
        for n, outcome in enumerate(outcomes):
            values = (1, 100.0 * (n + 1), outcome)
            old.execute("INSERT INTO attempts(post_id, started, outcome) VALUES (?, ?, ?)", values)
        old.execute("INSERT INTO attempts(post_id, started, outcome) VALUES (2, 900, 'later')")
        old.execute(rule)
    with contextlib.closing(open_database(path, NOW)) as db:
        assert db.post(1).status == becomes
        assert db.connection.value("SELECT sent_at FROM posts WHERE id = 1") == sent_at
        assert db.post(2).status is Status.DRAFT
        assert db.notes.get("cold_start") is None
    assert (tmp_path / f"twitter.db.before-version-{NEWEST}-from-2").exists()


# ---- what interrupts one ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["migrate.statement", "migrate.before_commit"])
def test_a_migration_that_fails_leaves_the_old_database(tmp_path, place):
    """Whatever interrupts a migration, nothing of it remains, and the next start does it whole."""
    path = old_database(tmp_path / "twitter.db")
    failpoints.arm(f"{place}:raise")
    try:
        with pytest.raises(InjectedFault):
            open_database(path, NOW)
    finally:
        failpoints.arm("")
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 0
        assert len(db.execute("PRAGMA table_info(posts)").fetchall()) == 5
    with contextlib.closing(open_database(path, NOW)) as db:
        assert db.archive.count_posts() == len(OLD_ROWS)


def test_a_failed_migration_is_rolled_back_at_once(tmp_path):
    """The connection is free of the transaction, not only when it is closed."""
    failpoints.arm("migrate.statement:raise")
    try:
        with connected(tmp_path / "twitter.db") as connection:
            with pytest.raises(InjectedFault):
                migrate(connection, tmp_path / "twitter.db", NOW)
            assert not connection.in_transaction
    finally:
        failpoints.arm("")


def test_a_full_disk_is_not_blamed_on_the_data(tmp_path):
    """An error of the disk passes as it is."""
    with connected(tmp_path / "twitter.db") as connection:
        connection.execute("PRAGMA max_page_count = 5")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            migrate(connection, tmp_path / "twitter.db", NOW)


def test_a_migration_that_makes_another_schema(tmp_path, monkeypatch):
    """What the statements made is checked before it is committed."""
    monkeypatch.setattr(module, "statements", lambda version: list(statements(version))[:-1])
    with connected(tmp_path / "twitter.db") as connection:
        with pytest.raises(StorageError, match="its trigger results_are_kept is missing"):
            migrate(connection, tmp_path / "twitter.db", NOW)
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0


def test_two_migrations_at_once(tmp_path):
    """The version is read again under the lock: the second of two starts finds the work done."""
    path = tmp_path / "twitter.db"
    with connected(path) as first, connected(path) as second:
        real, done = second.execute, []

        class Late:
            """A connection whose first question is answered before the other one migrates."""

            in_transaction = False

            def execute(self, sql, *values):
                if sql == "BEGIN IMMEDIATE" and not done:
                    done.append(1)
                    migrate(first, path, NOW)
                return real(sql, *values)

        migrate(Late(), path, NOW)
        assert not second.in_transaction
    with contextlib.closing(open_database(path, NOW)) as db:
        assert db.archive.count_posts() == 0


def test_a_newer_version_is_refused(tmp_path):
    """A database written by a newer program is left alone, with the way on."""
    path = tmp_path / "twitter.db"
    with contextlib.closing(open_database(path, NOW)) as db:
        db.connection.sqlite.execute(f"PRAGMA user_version={NEWEST + 1}")
    before = path.read_bytes()
    with pytest.raises(StorageError) as caught:
        open_database(path, NOW)
    assert "update" in caught.value.fix.render()
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_another_schema_is_refused_before_the_copy(tmp_path, version):
    """What an older version does not have stops the migration before anything is written."""
    path = tmp_path / "twitter.db"
    open_database(path, NOW).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version={version}")
    names = sorted(tmp_path.iterdir())
    with pytest.raises(StorageError, match="refused"):
        open_database(path, NOW)
    assert sorted(tmp_path.iterdir()) == names
