"""Lost and damaged files: what counts as lost, and how a damaged file is moved aside."""

import contextlib
import os
import stat

import pytest

from src.db_manager import open_database
from src.domain.errors import StorageError
from src.store.damage import mark_in_use, set_aside, was_in_use, was_lost, way_back
from tests.support.stored import NOW, sent

AT = f"{NOW:%Y%m%dT%H%M%S}"


@pytest.mark.parametrize(
    ("content", "marked", "lost"),
    [
        (None, True, False),
        (b"", True, True),
        (b"", False, False),
        (b"x", True, False),
        (b"x" * 9000, True, False),
    ],
)
def test_what_counts_as_lost(tmp_path, content, marked, lost):
    """An empty file is lost if a database was there; a missing one is only missing."""
    path = tmp_path / "twitter.db"
    if content is not None:
        path.write_bytes(content)
    if marked:
        mark_in_use(path)
    assert (was_lost(path), was_in_use(path)) == (lost, marked)


@pytest.mark.parametrize("sides", [(), ("-journal",), ("-wal", "-shm")])
def test_a_damaged_file_is_moved_with_its_sides(tmp_path, sides):
    """The file and what lies beside it get one name, every byte is kept, and the file is closed to others."""
    path = tmp_path / "twitter.db"
    path.write_bytes(b"damaged")
    path.chmod(0o644)
    for suffix in sides:
        path.with_name(path.name + suffix).write_bytes(suffix.encode())
    with pytest.raises(StorageError, match="set aside") as caught:
        set_aside(path, NOW, "why")
    assert "timeline" in caught.value.fix.render()
    aside = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    name = f"twitter.db.damaged-{AT}"
    assert aside == {name: b"damaged", **{name + suffix: suffix.encode() for suffix in sides}}
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_the_way_back(tmp_path):
    """The newest backup is named, and any backup where there is none."""
    path = tmp_path / "twitter.db"
    assert way_back(path) == "restore a backup"
    (tmp_path / "backups").mkdir()
    for day in (20, 22, 21):
        (tmp_path / "backups" / f"twitter-202611{day}T000000.db").touch()
    assert way_back(path).render("").endswith("backups/twitter-20261122T000000.db")


@pytest.mark.parametrize("harm", ["noise", "other", "empty", "half"])
def test_a_damaged_file_is_set_aside(tmp_path, harm):
    """A damaged or emptied file is moved, whole and private, never deleted; the next run starts a new one."""
    path = tmp_path / "twitter.db"
    with contextlib.closing(open_database(path, NOW)) as db:
        sent(db)
    size = path.stat().st_size
    {
        "noise": lambda: path.write_bytes(os.urandom(size)),
        "other": lambda: path.write_bytes(b"x" * size),
        "empty": lambda: os.truncate(path, 0),
        "half": lambda: os.truncate(path, size // 2),
    }[harm]()
    (tmp_path / "twitter.db-journal").touch()
    found = path.read_bytes()
    with pytest.raises(StorageError, match="set aside"):
        open_database(path, NOW)
    (aside,) = tmp_path.glob("twitter.db.damaged-*[0-9]")
    assert (aside.read_bytes(), stat.S_IMODE(aside.stat().st_mode)) == (found, 0o600)
    with contextlib.closing(open_database(path, NOW)) as db:
        assert (db.archive.count_posts(), db.notes.get("cold_start")) == (0, "replaced")


def test_a_damaged_file_that_cannot_be_moved(tmp_path):
    """If the damaged file cannot be set aside, it stays where it is, and the reason is told."""
    path = tmp_path / "twitter.db"
    path.write_bytes(b"not a database at all" * 99)
    path.with_name(f"{path.name}.damaged-{AT}").mkdir()
    with pytest.raises(StorageError, match="cannot use"):
        open_database(path, NOW)
    assert path.read_bytes().startswith(b"not a database")


def test_no_mark_can_be_made(tmp_path):
    """Without room for the mark that a database was here, the run ends with words, and nothing is half open."""
    mark = tmp_path / "twitter.db.in-use"
    mark.symlink_to(tmp_path / "gone" / "away")
    with pytest.raises(StorageError, match="cannot use") as caught:
        open_database(tmp_path / "twitter.db", NOW)
    assert "df -h" in caught.value.fix.render()
    mark.unlink()
    open_database(tmp_path / "twitter.db", NOW).close()
