"""Opening the database: for writing, for reading, in memory and under the lock, and every way a file can be wrong."""

import contextlib
import os
import sqlite3
import stat

import pytest

from src import db_manager
from src.db_manager import Database, empty_database, locked_database, open_database, open_for_reading
from src.domain.errors import BusyError, DamagedError, InjectedFault, StorageError
from src.domain.fixes import Fix
from src.store.schema import MIGRATIONS
from src.system.lock import writer_lock
from tests.support.stored import NOW, SLOT, draft, put

SMALL = 8 * 1024 * 1024


def hurt(path, size):
    """Leave one index of a database without its entries, and make the file as large as `size` says."""
    with contextlib.closing(open_database(path, NOW)) as db:
        put(db, "draft")
        page = db.connection.value("SELECT rootpage FROM sqlite_master WHERE name = 'posts_created'")
    data = bytearray(path.read_bytes())
    data[4096 * (page - 1) + 3 : 4096 * (page - 1) + 5] = b"\0\0"  # no cell
    path.write_bytes(data)
    os.truncate(path, size)
    return path


@pytest.mark.parametrize(("size", "seen"), [(SMALL - 4096, True), (SMALL, True), (SMALL + 4096, False)])
def test_how_large_a_file_is_checked_whole(tmp_path, size, seen):
    """Up to 8 MiB a start checks each page; a larger file is left to `maintain`."""
    path = hurt(tmp_path / "twitter.db", size)
    if seen:
        with pytest.raises(DamagedError, match="on page"):
            open_database(path, NOW, set_aside=False)
    else:
        open_database(path, NOW).close()
    assert path.exists()


def test_a_file_that_cannot_be_opened_is_closed(tmp_path, monkeypatch):
    """Whatever stops an opening, the connection does not stay."""
    opened, real = [], db_manager.connect
    monkeypatch.setattr(db_manager, "connect", lambda path: opened.append(real(path)) or opened[-1])
    with contextlib.closing(open_database(tmp_path / "twitter.db", NOW)) as db:
        db.connection.sqlite.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StorageError, match="this program knows"):
        open_database(tmp_path / "twitter.db", NOW)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[1].execute("SELECT 1")


def test_a_newer_version_is_not_read(tmp_path):
    """Nor is a database of a newer program shown."""
    with contextlib.closing(open_database(tmp_path / "twitter.db", NOW)) as db:
        db.connection.sqlite.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StorageError, match="this program knows"):
        open_for_reading(tmp_path / "twitter.db")


def test_an_empty_file_is_no_database_to_read(tmp_path):
    """A file without a byte is shown as none, and stays as it is."""
    (tmp_path / "twitter.db").touch()
    assert open_for_reading(tmp_path / "twitter.db") is None
    assert (tmp_path / "twitter.db").stat().st_size == 0


def test_an_old_database_is_read_without_writing(tmp_path):
    """A copy from before a migration is migrated in memory, odd rows too, and no file is made."""
    path = tmp_path / "twitter.db"
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, content, posted_at, status, error_message)")
        old.execute("INSERT INTO posts(content, status) VALUES (CAST('Old.' AS BLOB), 'success')")
        old.commit()
    before = path.read_bytes()
    with contextlib.closing(open_for_reading(path)) as copy:
        assert copy.post(1).content == "Old."
    assert (path.read_bytes(), [p.name for p in tmp_path.iterdir()]) == (before, ["twitter.db"])


def test_reading_does_not_write(tmp_path):
    """A copy in memory shows what is there; what is written to it stays there."""
    path = tmp_path / "twitter.db"
    open_database(path, NOW).close()
    before = path.read_bytes()
    with contextlib.closing(open_for_reading(path)) as copy:
        assert copy.claim(draft(), SLOT, NOW)
    assert path.read_bytes() == before


def test_a_damaged_file_is_only_told_when_read(tmp_path):
    """A dry run reports a damaged file and moves nothing."""
    path = tmp_path / "twitter.db"
    path.write_bytes(b"x" * 9000)
    with pytest.raises(StorageError):
        open_for_reading(path)
    assert [p.name for p in tmp_path.iterdir()] == ["twitter.db"]
    assert open_for_reading(tmp_path / "none.db") is None


@pytest.mark.parametrize("kind", ["folder in the way", "file in the way", "file further up", "link"])
def test_a_place_that_cannot_hold_it(tmp_path, kind):
    """No folder, a folder in the file's place, a link that leads astray: told with a fix."""
    path = tmp_path / "data" / "twitter.db"
    if kind == "file in the way":
        (tmp_path / "data").touch()
    elif kind == "file further up":
        (tmp_path / "data").touch()
        path = tmp_path / "data" / "deeper" / "twitter.db"
    elif kind == "folder in the way":
        path.mkdir(parents=True)
    else:
        path.parent.mkdir()
        path.symlink_to(tmp_path / "nowhere" / "else.db")
    with pytest.raises(StorageError) as caught:
        open_database(path, NOW)
    assert caught.value.fix


def test_a_hurt_index_is_seen(tmp_path):
    """A page of noise inside a sound file is seen by the check at the start."""
    path = tmp_path / "twitter.db"
    open_database(path, NOW).close()
    data = bytearray(path.read_bytes())
    data[4096 * 2 : 4096 * 3] = os.urandom(4096)
    path.write_bytes(data)
    with pytest.raises(StorageError, match="set aside"):
        open_database(path, NOW)


def test_an_empty_database_in_memory():
    """A dry run on a fresh clone works on a database that never was a file."""
    with contextlib.closing(empty_database(NOW)) as db:
        assert isinstance(db, Database)
        assert db.connection.path is None
        assert db.claim(draft(), SLOT, NOW)


def test_a_locked_database_is_open_and_then_closed(tmp_path):
    """The lock is held while the database is open; both are given back, and the database is migrated."""
    path = tmp_path / "twitter.db"
    with locked_database(path, NOW) as db:
        assert db.archive.count_posts() == 0
        with writer_lock(path) as ours:
            assert not ours
        with (
            pytest.raises(BusyError, match="another run") as caught,
            locked_database(path, NOW, fix=Fix("wait")),
        ):
            pytest.fail("two writers")
        assert caught.value.fix.render() == "wait"
    with pytest.raises(StorageError, match="closed"):
        db.archive.count_posts()
    with writer_lock(path) as ours:
        assert ours


def test_an_error_under_the_lock_closes_both(tmp_path):
    """An error of the block passes, and neither the lock nor the database stays behind."""
    path = tmp_path / "twitter.db"
    with pytest.raises(InjectedFault), locked_database(path, NOW) as db:
        raise InjectedFault
    with pytest.raises(StorageError, match="closed"):
        db.archive.count_posts()
    with locked_database(path, NOW) as db:
        assert db.archive.count_posts() == 0


def test_a_damaged_database_is_set_aside_under_the_lock(tmp_path):
    """The error passes and the lock is free: the next run can start anew."""
    path = tmp_path / "twitter.db"
    path.write_bytes(b"not a database at all" * 99)
    with pytest.raises(StorageError, match="set aside"), locked_database(path, NOW):
        pytest.fail("it was opened")
    with locked_database(path, NOW) as db:
        assert db.notes.get("cold_start") == "new"


def test_modes(tmp_path):
    """The database, its marker and its folder are closed to others, whatever the umask."""
    old = os.umask(0)
    try:
        open_database(tmp_path / "data" / "twitter.db", NOW).close()
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "data").iterdir()} == {0o600}
