"""A connection: what holds for each, what a transaction promises, and what each error of SQLite says."""

import contextlib
import os
import sqlite3
import stat

import pytest

from src.domain.errors import DamagedError, InjectedFault, LockedError, StorageError
from src.store.connection import PRAGMAS, connect, read_only, readable_errors, settle_journal
from src.store.schema import MIGRATIONS
from src.system import failpoints
from tests.support.stored import NOW

SETTINGS = {
    "busy_timeout": 10000,
    "foreign_keys": 1,
    "journal_mode": "delete",
    "synchronous": 3,
    "trusted_schema": 0,
    "cell_size_check": 1,
    "mmap_size": 0,
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_settings_of_a_connection(db, name):
    """Journal DELETE, synchronous EXTRA and the rest really hold."""
    taken = db.connection.value(f"PRAGMA {name}")
    assert taken == SETTINGS[name] or (name == "mmap_size" and taken is None)
    assert PRAGMAS[name] == SETTINGS[name]


def test_the_version_is_in_the_file(db):
    """The file says which schema it has."""
    assert db.connection.value("PRAGMA user_version") == len(MIGRATIONS)


def test_a_setting_without_an_answer(tmp_path, monkeypatch):
    """A setting that this SQLite does not read back, as one built without memory maps, is no error."""
    monkeypatch.setitem(PRAGMAS, "shrink_memory", 0)
    connect(tmp_path / "twitter.db").close()


def test_a_setting_that_does_not_hold(tmp_path, monkeypatch):
    """A file system that cannot hold the database safely is refused, and nothing stays open."""
    monkeypatch.setitem(PRAGMAS, "journal_mode", "nonsense")
    opened = []
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: opened.append(real(*a, **k)) or opened[-1])
    with pytest.raises(StorageError, match="refused journal_mode") as caught:
        connect(tmp_path / "twitter.db")
    assert "local disk" in caught.value.fix.render()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")


def test_reading_waits_and_writes_nothing(db, tmp_path):
    """A connection for reading waits as long as one for writing, and cannot write."""
    with contextlib.closing(read_only(tmp_path / "twitter.db")) as reader:
        assert reader.execute("PRAGMA busy_timeout").fetchone()[0] == 10000
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("DELETE FROM meta")


# ---- transactions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["", "claim"])
def test_a_transaction_is_committed(db, step):
    """At its end it is on disk for every other connection; a named one passes its failpoints."""
    failpoints.arm("")
    with db.connection.transaction(step) as sqlite:
        assert sqlite.in_transaction
        sqlite.execute("INSERT INTO meta(key, value) VALUES ('a', 'b')")
    assert not db.connection.sqlite.in_transaction
    with contextlib.closing(read_only(db.connection.path)) as other:
        assert other.execute("SELECT value FROM meta WHERE key = 'a'").fetchone() == ("b",)
    assert failpoints.passed() == ([f"{step}.before_commit", f"{step}.committed"] if step else [])


@pytest.mark.parametrize("error", [InjectedFault, KeyboardInterrupt, sqlite3.IntegrityError])
def test_a_transaction_is_rolled_back(db, error):
    """Whatever ends it, nothing of it remains, and the next one can begin."""
    with pytest.raises(error), db.connection.transaction("claim") as sqlite:
        sqlite.execute("INSERT INTO meta(key, value) VALUES ('a', 'b')")
        raise error
    assert not db.connection.sqlite.in_transaction
    assert db.notes.get("a") is None


def test_the_error_is_that_of_the_block(db):
    """An error passes also where SQLite has rolled back by itself."""
    with pytest.raises(InjectedFault), db.connection.transaction() as sqlite:
        sqlite.execute("ROLLBACK")
        raise InjectedFault


def test_a_value_of_no_row(db):
    """The first value of the first row, None where there is none."""
    assert db.connection.value("SELECT 1, 2 UNION SELECT 3, 4 ORDER BY 1") == 1
    assert db.connection.value("SELECT 1 WHERE 0") is None


# ---- errors of SQLite ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "fix"),
    [
        ("SQLITE_CORRUPT", DamagedError, "set aside"),
        ("SQLITE_CORRUPT_INDEX", DamagedError, "set aside"),
        ("SQLITE_NOTADB", DamagedError, "set aside"),
        ("SQLITE_BUSY", LockedError, "another program holds"),
        ("SQLITE_BUSY_SNAPSHOT", LockedError, "another program holds"),
        ("SQLITE_FULL", StorageError, "the disk is full"),
        ("SQLITE_READONLY_DIRECTORY", StorageError, "chmod u+w"),
        ("SQLITE_CANTOPEN", StorageError, "is yours"),
        ("SQLITE_IOERR_WRITE", StorageError, "dmesg"),
        (None, StorageError, "dmesg"),
    ],
)
def test_each_error_has_its_fix(tmp_path, name, kind, fix):
    """Each kind of error of SQLite says what helps."""
    error = sqlite3.OperationalError("why")
    if name:
        error.sqlite_errorname = name
    with pytest.raises(StorageError) as caught, readable_errors(tmp_path / "twitter.db"):
        raise error
    assert type(caught.value) is kind
    assert fix in caught.value.fix.render()
    assert ("set aside" in caught.value.fix.render()) is (kind is DamagedError)


def test_an_answer_of_the_database_passes(tmp_path):
    """What a rule of the database refuses is no error of the disk."""
    with pytest.raises(sqlite3.IntegrityError), readable_errors(tmp_path):
        raise sqlite3.IntegrityError


def test_a_schema_that_is_no_text(tmp_path):
    """A schema that cannot be decoded is damage."""
    with pytest.raises(DamagedError, match="schema"), readable_errors(tmp_path):
        b"\xbb".decode()


def test_damage_found_later_is_told(db):
    """A question about a table that is gone is told with a fix."""
    with pytest.raises(StorageError, match="no such table") as caught:
        db.connection.rows("SELECT * FROM somewhere")
    assert caught.value.fix


# ---- what a dead run left --------------------------------------------------------------------------------------


def dead(path, tmp_path):
    """Return a copy of a database in the middle of a large transaction, with the journal of its writer."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN")
        writer.execute("UPDATE meta SET value = 'changed'")
        writer.execute(
            "INSERT INTO spending(at, kind, units, usd) WITH RECURSIVE n(i) AS"
            " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT 0, 'a long kind', 1, 1 FROM n"
        )
        copy = tmp_path / "copy.db"
        for suffix in ("", "-journal"):
            copy.with_name(copy.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
        writer.execute("ROLLBACK")
    return copy


def test_a_journal_is_rolled_back(db, tmp_path):
    """What a dead run had not committed is taken back, and its journal is gone."""
    db.close()
    copy = dead(tmp_path / "twitter.db", tmp_path)
    assert settle_journal(copy)
    assert not copy.with_name("copy.db-journal").exists()
    with contextlib.closing(sqlite3.connect(copy)) as found:
        assert found.execute("SELECT value FROM meta WHERE key = 'cold_start'").fetchone() == ("new",)
        assert found.execute("SELECT count(*) FROM spending").fetchone() == (0,)


def test_a_damaged_file_has_no_journal_to_settle(tmp_path):
    """Damage forbids it, and is no error here."""
    path = tmp_path / "twitter.db"
    path.write_bytes(b"x" * 9000)
    assert settle_journal(path) is False
    assert path.read_bytes() == b"x" * 9000


def test_a_journal_of_a_living_run(db, tmp_path, monkeypatch):
    """While another program writes, nothing is settled."""
    monkeypatch.setitem(PRAGMAS, "busy_timeout", 0)
    with db.connection.transaction(), pytest.raises(LockedError):
        settle_journal(tmp_path / "twitter.db")
    assert settle_journal(tmp_path / "twitter.db")


def test_modes(db, tmp_path):
    """The database is closed to others."""
    assert stat.S_IMODE(os.stat(tmp_path / "twitter.db").st_mode) == 0o600
    assert db.notes.made_at() == NOW
