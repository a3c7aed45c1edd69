"""The schema that a file must have, at every start and in every backup."""

import contextlib
import re
import sqlite3
from datetime import UTC, datetime

import pytest

from src.db_manager import open_database, open_for_reading
from src.domain.errors import StorageError
from src.domain.runs import Exit
from src.store.backup import prepare_restored, read_contents
from src.store.connection import prepare
from src.store.schema import APPLICATION_ID, MIGRATIONS, expected, statements

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
FOREIGN = {
    "trigger": (
        "CREATE TRIGGER evil AFTER INSERT ON runs BEGIN INSERT INTO posts(content, status) VALUES ('x', 'approved'); END",
        "it has the trigger evil, which is not this program's",
    ),
    "view": ("CREATE VIEW mine AS SELECT 1", "it has the view mine, which is not this program's"),
    "index": (
        "CREATE UNIQUE INDEX extra ON posts(topic)",
        "it has the index extra, which is not this program's",
    ),
    "virtual": ("CREATE VIRTUAL TABLE words USING fts4(x)", "its table words is not this program's"),
}
LOST = {
    "no trigger": ("DROP TRIGGER legal_move", "its trigger legal_move is missing"),
    "no index": ("DROP INDEX one_post_per_slot", "its index one_post_per_slot is missing"),
    "other index": (
        "DROP INDEX posts_created; CREATE INDEX posts_created ON posts(topic)",
        "its index posts_created is not this program's",
    ),
    "other table": (
        (
            "DROP TABLE candidates; CREATE TABLE candidates(id INTEGER PRIMARY KEY, created_at);"
            " CREATE INDEX candidates_created ON candidates(created_at)"
        ),
        "its table candidates is not this program's",
    ),
    "a view in its place": ("DROP TABLE runs; CREATE VIEW runs AS SELECT 1", "it has the view runs"),
}
ALL = {**FOREIGN, **LOST}


def made(path, *sql, version=len(MIGRATIONS)):
    """Make a database of this version and change it."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        prepare(db)
        for statement in list(statements(0))[
            : sum(1 for _ in statements(0)) - sum(1 for _ in statements(version))
        ]:
            db.execute(statement)
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={version}")
        for script in sql:
            db.executescript(script)
    return path


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", ALL)
def test_a_start_refuses_another_schema(tmp_path, name, version):
    """More or less than the migrations make is refused with its name, and the file keeps every byte."""
    sql, words = ALL[name]
    path = made(tmp_path / "twitter.db", sql, version=version)
    before, names = path.read_bytes(), sorted(tmp_path.iterdir())
    with pytest.raises(StorageError, match=re.escape(words)) as caught:
        open_database(path, NOW)
    assert (caught.value.exit_code, path.read_bytes()) == (Exit.IO, before)
    assert sorted(tmp_path.iterdir()) == names
    assert "restore" in caught.value.fix.render()
    with pytest.raises(StorageError, match=re.escape(words)):
        open_for_reading(path)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", ALL)
def test_a_backup_with_another_schema_is_refused(tmp_path, name, version):
    """So it is in a backup of any version, before anything is restored."""
    sql, words = ALL[name]
    with pytest.raises(StorageError, match=re.escape(words)):
        read_contents(made(tmp_path / "backup.db", sql, version=version))


@pytest.mark.parametrize("name", ["trigger", "view", "index", "virtual"])
def test_the_fix_helps(tmp_path, name):
    """The SQL in the fix makes the database fit to start."""
    path = made(tmp_path / "twitter.db", FOREIGN[name][0])
    with pytest.raises(StorageError) as caught:
        open_database(path, NOW)
    sql = re.search(r"sqlite3 \S+ '(.*?)'; otherwise", caught.value.fix.render())[1]
    if name == "virtual":
        sql = "DROP TABLE words"  # renamed, it would still be virtual
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(sql)
    open_database(path, NOW).close()


@pytest.mark.parametrize("version", range(2, len(MIGRATIONS) + 1))
def test_a_backup_of_any_version(tmp_path, version):
    """A backup that an older version made is read as what it is."""
    assert read_contents(made(tmp_path / "backup.db", version=version)).version == version


def test_the_first_version_had_no_backups(tmp_path):
    """The table of the original program is no backup, whatever its header says."""
    with pytest.raises(StorageError, match="another program"):
        read_contents(made(tmp_path / "backup.db", version=1))


def test_the_file_says_whose_it_is(tmp_path):
    """The application id in the header is `twtm`, by which `file` and backups know it."""
    open_database(tmp_path / "twitter.db", NOW).close()
    assert (tmp_path / "twitter.db").read_bytes()[68:72] == b"twtm"


def test_what_a_file_may_have_besides(tmp_path):
    """Statistics of SQLite, and a table of the owner's with its index, do nothing by themselves."""
    own = 'CREATE TABLE "my ""notes" (x); CREATE INDEX my_index ON "my ""notes"(x); ANALYZE'
    path = made(tmp_path / "twitter.db", own)
    open_database(path, NOW).close()
    assert read_contents(path).rows["posts"] == 0
    prepare_restored(path, tmp_path / "copy.db", NOW)
    open_database(tmp_path / "copy.db", NOW).close()


@pytest.mark.parametrize("version", [2, 3])
def test_a_database_that_dump_rebuilt(tmp_path, version):
    """It has neither version nor application id, and is known by its schema; nothing of it is lost."""
    source = made(
        tmp_path / "source.db",
        "INSERT INTO posts(content, status) VALUES ('Kept.', 'draft')",
        version=version,
    )
    path = tmp_path / "twitter.db"
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(path)) as new:
        new.executescript("\n".join(old.iterdump()))
        assert new.execute("PRAGMA user_version").fetchone()[0] == 0
    assert read_contents(path).posts == 1
    with contextlib.closing(open_database(path, NOW)) as db:
        assert (db.post(1).content, db.notes.get("cold_start")) == ("Kept.", None)
        assert db.connection.value("PRAGMA application_id") == APPLICATION_ID


def test_the_schema_is_that_of_the_migrations():
    """Each version's schema is derived, so a new migration needs no other change."""
    assert ("trigger", "legal_move") in expected(2).objects
    assert ("trigger", "slot_is_kept") in expected(len(MIGRATIONS)).objects


def test_a_column_that_a_later_version_makes(tmp_path):
    """An owner's column of that name is refused before anything is copied, with the line that renames it."""
    path = tmp_path / "twitter.db"
    made(path, "ALTER TABLE posts ADD COLUMN place TEXT", version=4)
    with pytest.raises(StorageError, match="the column place, which a later version makes") as raised:
        open_database(path, NOW)
    assert "RENAME COLUMN place TO my_place" in raised.value.fix.render()
