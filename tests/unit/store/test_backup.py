"""Backups: a copy is whole, private and compared, another file is refused, and a restored one goes on safely."""

import contextlib
import os
import sqlite3
import stat
from datetime import timedelta

import pytest

from src.db_manager import open_database
from src.domain.errors import DamagedError, StorageError
from src.domain.feeds import Validators
from src.domain.posts import Status
from src.store import backup
from src.store.backup import Backup, Contents, check_whole, newest_post_id, prepare_restored, read_contents
from src.store.schema import APPLICATION_ID, MIGRATIONS
from tests.support.stored import NEXT, NOW, SLOT, draft, put, put_attempt, put_run

LATER = NOW + timedelta(days=1)
NEWEST = len(MIGRATIONS)
OF_A_RESTORE = ("restore_until", "restore_tweets", "restore_tries")


@pytest.fixture
def copy(db, tmp_path):
    """Make a backup of a database with two posts."""
    put(db, "draft")
    put(db, "posted", "Other.", tweet_id=5)
    made = Backup(db.connection, tmp_path / "copy.db")
    made.write()
    return made.path


def run_in(path, *statements):
    """Run SQL in a file as another program would."""
    with contextlib.closing(sqlite3.connect(path)) as other:
        for statement in statements:
            other.execute(statement)
        other.commit()


# ---- writing one -----------------------------------------------------------------------------------------------


def test_what_a_backup_holds(db, tmp_path):
    """It says the version, the rows of each table and the newest post, of the copy as of the database."""
    put(db, "posted", tweet_id=5)
    post = put(db, "draft", "Other.")
    put_attempt(db, post, "refused")
    put_run(db, "r")
    run_in(tmp_path / "twitter.db", 'CREATE TABLE "my ""own" (x)', 'INSERT INTO "my ""own" VALUES (1)')
    made = Backup(db.connection, tmp_path / "copy.db").write()
    rows = {"attempts": 1, "candidates": 0, "meta": 2, 'my ""own': 1, "posts": 2, "runs": 1, "spending": 0}
    rows |= {"feeds": 0, "feed_items": 0, "feed_keys": 0, "results": 0}
    assert made == Contents(NEWEST, rows, (post, "draft", None))
    assert made.posts == 2
    assert read_contents(tmp_path / "copy.db") == made


def test_an_empty_database_has_no_newest_post(db, tmp_path):
    """A backup of a new database holds no post."""
    assert Backup(db.connection, tmp_path / "copy.db").write().newest_post is None
    assert newest_post_id(tmp_path / "copy.db") is None


def test_a_backup_is_private_and_synced(db, tmp_path, monkeypatch):
    """It is closed to others whatever the umask, and on the disk before it is compared."""
    synced = []
    monkeypatch.setattr(backup, "sync_file", synced.append)
    old = os.umask(0)
    try:
        Backup(db.connection, tmp_path / "copy.db").write()
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert synced == [tmp_path / "copy.db"]


def test_a_backup_that_is_damaged_at_once(db, tmp_path, monkeypatch):
    """What the disk made of it is seen before it counts as a backup."""
    monkeypatch.setattr(backup, "sync_file", lambda path: path.write_bytes(b"x" * 9000))
    with pytest.raises(StorageError, match="damaged as soon as") as caught:
        Backup(db.connection, tmp_path / "copy.db").write()
    assert not isinstance(caught.value, DamagedError)


def test_a_backup_that_lacks_a_row(db, tmp_path, monkeypatch):
    """A copy that does not hold what the database holds is no backup."""
    put(db, "draft")
    put_run(db, "r")
    monkeypatch.setattr(backup, "sync_file", lambda path: run_in(path, "DELETE FROM runs"))
    with pytest.raises(StorageError, match="does not hold what the database holds"):
        Backup(db.connection, tmp_path / "copy.db").write()


# ---- reading one -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "words", "fix"),
    [
        (["PRAGMA application_id = 7"], "another program", "name a backup"),
        ([f"PRAGMA user_version = {NEWEST + 1}"], "a newer version", "update this program"),
        (["PRAGMA application_id = 7", f"PRAGMA user_version = {NEWEST + 1}"], "another program", "name a"),
        (
            ["DROP VIEW texts_taken", "PRAGMA user_version = 0", "DROP TABLE attempts"],
            "another program",
            "name a backup",
        ),
    ],
)
def test_a_file_that_is_no_backup(copy, statements, words, fix):
    """A database of another program, or of a newer version of this one, is refused with what to do."""
    run_in(copy, *statements)
    with pytest.raises(StorageError, match=words) as caught:
        read_contents(copy)
    assert fix in caught.value.fix.render()


def test_an_original_database_is_no_backup(tmp_path):
    """The table of the original program alone is no backup of this one."""
    run_in(tmp_path / "old.db", "CREATE TABLE posts (id INTEGER PRIMARY KEY, content TEXT, status TEXT)")
    with pytest.raises(StorageError, match="another program"):
        read_contents(tmp_path / "old.db")


def test_a_backup_that_dump_rebuilt(copy, tmp_path):
    """Without version and application id a file is known by its schema."""
    run_in(copy, "PRAGMA user_version = 0", "PRAGMA application_id = 0")
    assert read_contents(copy).posts == 2


def test_a_backup_is_read_without_writing(copy, tmp_path):
    """It may lie on a disk that cannot be written, and keeps every byte."""
    before = copy.read_bytes()
    assert read_contents(copy).newest_post == (2, "posted", 5)
    assert (copy.read_bytes(), sorted(p.name for p in tmp_path.glob("copy*"))) == (before, ["copy.db"])


def test_newest_post_of_another_file(copy, tmp_path):
    """The newest post of a file is read where it can be; a file that is no database has none."""
    assert newest_post_id(copy) == 2
    (tmp_path / "other").write_bytes(b"not a database" * 99)
    assert newest_post_id(tmp_path / "other") is None
    assert newest_post_id(tmp_path / "nothing") is None


# ---- a whole file ----------------------------------------------------------------------------------------------


def test_a_sound_file_is_whole(db):
    """Nothing is said of a sound file."""
    check_whole(db.connection)


def test_missing_rows_are_damage(db):
    """Rows that refer to a missing one are named, the first five, in the database and in a backup."""
    db.connection.sqlite.execute("PRAGMA foreign_keys = 0")
    for n in range(6):
        put_attempt(db, 90 + n, "refused")
    with pytest.raises(DamagedError) as caught:
        check_whole(db.connection)
    lines = str(caught.value).split("; ")
    assert lines == [f"row {n} of attempts refers to a missing row of posts" for n in range(1, 6)]
    with pytest.raises(DamagedError, match="row 1 of attempts refers"):
        read_contents(db.connection.path)


def test_a_missing_entry_of_an_index_is_damage(db, tmp_path):
    """An index that lacks a row is seen in the whole file, and in a backup."""
    put(db, "draft")
    page = db.connection.value("SELECT rootpage FROM sqlite_master WHERE name = 'posts_created'")
    db.close()
    path = tmp_path / "twitter.db"
    data = bytearray(path.read_bytes())
    data[4096 * (page - 1) + 3 : 4096 * (page - 1) + 5] = b"\0\0"  # no cell
    path.write_bytes(data)
    with pytest.raises(DamagedError, match="posts_created"):
        read_contents(path)


# ---- restoring one ---------------------------------------------------------------------------------------------


def test_what_waited_when_the_backup_was_made(db, tmp_path):
    """A frozen text expires, an approved draft is asked about again, and an earlier restore is over."""
    put(db, "pending", slot=SLOT)
    approved = put(db, "approved", "Other.", approved_at=NOW)
    db.notes.put(**dict.fromkeys(OF_A_RESTORE, "1"))
    others = [put(db, status, f"{status}.") for status in ("draft", "unknown", "failed", "sending")]
    assert prepare_restored(tmp_path / "twitter.db", tmp_path / "copy.db", LATER) == {
        "expired": 1,
        "to_approve": 1,
    }
    with contextlib.closing(open_database(tmp_path / "copy.db", NOW)) as made:
        assert made.post(1).status is Status.EXPIRED
        assert (made.post(approved).status, made.post(approved).approved_at) == (Status.DRAFT, None)
        assert [made.post(i) for i in others] == [db.post(i) for i in others]
        assert (made.notes.get("cold_start"), made.notes.get_time("restored_at")) == ("restored", LATER)
        assert [made.notes.get(name) for name in OF_A_RESTORE] == [None, None, None]
    assert db.post(1).status is Status.PENDING


def test_a_feed_is_read_from_the_beginning(db, tmp_path):
    """What was read of a feed since the backup is not here: its next read counts as the first."""
    db.feeds.record_read("https://a.example/", [], [], Validators("tag", "date"), NOW, NOW)
    prepare_restored(tmp_path / "twitter.db", tmp_path / "copy.db", LATER)
    with contextlib.closing(open_database(tmp_path / "copy.db", NOW)) as made:
        (record,) = made.feeds.records().values()
    assert (record.read_at, record.next_at, record.validators) == (None, None, Validators())


def test_nothing_waited(db, tmp_path):
    """Where nothing waited nothing is told."""
    put(db, "draft")
    counts = prepare_restored(tmp_path / "twitter.db", tmp_path / "copy.db", LATER)
    assert counts == {"expired": 0, "to_approve": 0}


def test_a_restored_copy_is_private_and_synced(db, tmp_path, monkeypatch):
    """It is closed to others, on the disk before it is used, and no other file is made beside it."""
    synced = []
    monkeypatch.setattr(backup, "sync_file", synced.append)
    (tmp_path / "new").mkdir()
    old = os.umask(0)
    try:
        prepare_restored(tmp_path / "twitter.db", tmp_path / "new" / "copy.db", LATER)
    finally:
        os.umask(old)
    assert {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "new").iterdir()} == {
        "copy.db": 0o600
    }
    assert synced == [tmp_path / "new" / "copy.db"]


def test_an_old_backup_is_brought_up_to_date(tmp_path):
    """A backup of the original program becomes a database of this one, without a copy of the copy."""
    run_in(
        tmp_path / "old.db",
        "CREATE TABLE posts (id INTEGER PRIMARY KEY, content TEXT, posted_at TIMESTAMP, status TEXT,"
        " error_message TEXT)",
        "INSERT INTO posts(content, status) VALUES ('Old.', 'pending')",
    )
    counts = prepare_restored(tmp_path / "old.db", tmp_path / "copy.db", LATER)
    assert counts == {"expired": 0, "to_approve": 0}
    assert read_contents(tmp_path / "copy.db").version == NEWEST
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.db", "old.db"]


def test_a_copy_that_is_damaged_is_not_restored(db, tmp_path):
    """Rows that refer to missing ones stop a restore."""
    db.connection.sqlite.execute("PRAGMA foreign_keys = 0")
    put_attempt(db, 99, "refused")
    with pytest.raises(DamagedError, match="missing row of posts"):
        prepare_restored(tmp_path / "twitter.db", tmp_path / "copy.db", LATER)


def test_a_restored_database_is_used(db, tmp_path):
    """A text that the backup had frozen may be claimed for another slot."""
    db.claim(draft(), SLOT, NOW)
    prepare_restored(tmp_path / "twitter.db", tmp_path / "copy.db", LATER)
    with contextlib.closing(open_database(tmp_path / "copy.db", NOW)) as made:
        assert made.connection.value("PRAGMA application_id") == APPLICATION_ID
        assert made.claim(draft(), NEXT, NOW)
