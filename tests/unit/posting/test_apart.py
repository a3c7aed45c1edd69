"""Profiles keep apart: what one took is not another's for ACCOUNTS_APART_DAYS, whatever kills whom."""

import fcntl
import os
from datetime import UTC, datetime, timedelta

import pytest

from src import config
from src.domain.errors import DeadlineError, StorageError
from src.posting import apart

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def accounts(tmp_path):
    """Make the settings of three accounts of one machine: two profiles and the one without."""

    def made(**extra):
        base = config.load({"DATA_DIR": str(tmp_path), **extra})
        (tmp_path / "profiles").mkdir(exist_ok=True)
        others = [
            base.model_copy(update={"data_dir": tmp_path / "profiles" / name, "profile": name})
            for name in ("anna", "bert")
        ]
        return base, *others

    return made


def test_what_one_took_is_not_another_s(accounts):
    """For thirty whole days; its own statement bars nobody from taking it again."""
    plain, anna, bert = accounts()
    assert apart.reserve(anna, "s-1", NOW)
    assert apart.reserve(anna, "s-1", NOW + DAY)
    for other in (plain, bert):
        assert not apart.reserve(other, "s-1", NOW + DAY)
        assert apart.taken(other, NOW) == {"s-1": datetime(2026, 12, 24, tzinfo=UTC)}
    assert apart.taken(anna, NOW) == {}
    assert not apart.reserve(bert, "s-1", NOW + 31 * DAY)
    assert apart.reserve(bert, "s-1", datetime(2026, 12, 24, tzinfo=UTC))
    assert apart.reserve(plain, "s-2", NOW)
    assert apart.reserve(plain, "s-2", NOW + DAY)
    assert not apart.reserve(anna, "s-2", NOW)


def test_the_file_has_no_secret_and_is_closed(accounts):
    """A line has the day, the profile and the statement; nobody else may read it."""
    plain, anna, _ = accounts()
    apart.reserve(anna, "s-1", NOW)
    apart.reserve(plain, "s-2", NOW)
    file = apart.file_of(plain)
    assert file == apart.file_of(anna)
    assert file.read_text() == "2026-11-22 anna s-1\n2026-11-22 - s-2\n"
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("torn", ["2026-11-22 anna s-", "2026-11-22 anna", "2026", "\x00\x00"])
def test_a_line_that_a_kill_left(accounts, torn):
    """It is passed over, and the next line does not join it."""
    _, anna, bert = accounts()
    apart.reserve(anna, "s-1", NOW)
    with apart.file_of(anna).open("a") as file:
        file.write(torn)
    assert set(apart.taken(bert, NOW)) == {"s-1"}
    assert apart.reserve(anna, "s-2", NOW)
    assert set(apart.taken(bert, NOW)) == {"s-1", "s-2"} | ({"s-"} if torn.endswith("s-") else set())


def test_an_account_alone_or_without_the_rule_has_no_file(tmp_path, accounts):
    """Without profiles, or with ACCOUNTS_APART_DAYS=0, nothing is written and nothing barred."""
    alone = config.load({"DATA_DIR": str(tmp_path / "alone")})
    assert apart.reserve(alone, "s-1", NOW)
    assert apart.taken(alone, NOW) == {}
    plain, anna, bert = accounts(ACCOUNTS_APART_DAYS="0")
    assert apart.reserve(anna, "s-1", NOW)
    assert apart.reserve(bert, "s-1", NOW)
    assert apart.file_of(plain) is None


def test_what_was_posted_before_the_file_was_there(accounts):
    """An account enters its own recent statements, each once; those of long ago matter to nobody."""
    plain, anna, _ = accounts()
    used = [("s-1", NOW - 3 * DAY), ("s-2", NOW - 40 * DAY)]
    apart.remember(plain, used, NOW)
    apart.remember(plain, used, NOW)
    assert apart.file_of(plain).read_text() == "2026-11-19 - s-1\n"
    assert set(apart.taken(anna, NOW)) == {"s-1"}


def test_old_lines_go(accounts):
    """When a quarter of the lines is over a year old the file is written anew."""
    plain, _, _ = accounts()
    old = "".join(f"2024-01-01 anna s-{n}\n" for n in range(10))
    apart.file_of(plain).write_text(old + "2026-11-20 anna s-99\n")
    apart.remember(plain, [("s-1", NOW)], NOW)
    assert apart.file_of(plain).read_text() == "2026-11-20 anna s-99\n2026-11-22 - s-1\n"


def test_a_folder_that_cannot_be_written(accounts, monkeypatch):
    """The error names the file and what to type."""
    plain, _, _ = accounts()

    def no(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", no)
    with pytest.raises(StorageError, match="cannot use .*statements") as raised:
        apart.reserve(plain, "s-1", NOW)
    assert "chmod u+wx" in raised.value.fix.render()


def test_a_text_without_a_statement_takes_none(accounts):
    """An own text is nobody's statement: nothing is entered."""
    _, anna, _ = accounts()
    assert apart.reserve(anna, "", NOW)
    assert not apart.file_of(anna).exists()


@pytest.mark.parametrize(
    "line", ["2026-11-22  s-1", "2026-11-22 anna ", "yesterday anna s-1", "", "anna s-1"]
)
def test_a_line_that_says_nothing(accounts, line):
    """A line without its day, its profile or its statement is passed over, the next one counts."""
    _, anna, bert = accounts()
    apart.file_of(anna).write_text(f"{line}\n2026-11-22 anna s-2\n")
    assert set(apart.taken(bert, NOW)) == {"s-2"}


def test_what_a_profile_remembers(accounts):
    """It enters its own name, and what it posted less than ACCOUNTS_APART_DAYS ago, to the second."""
    _, anna, _ = accounts()
    limit = NOW - 30 * DAY
    apart.remember(anna, [("s-1", limit), ("s-2", limit + timedelta(seconds=1))], NOW)
    assert apart.file_of(anna).read_text() == "2026-10-23 anna s-2\n"


@pytest.mark.parametrize(("old", "anew"), [(2, False), (3, True)])
def test_when_the_file_is_written_anew(accounts, old, anew):
    """When more than a quarter of its lines is older than 365 days; those lines go, and no other."""
    plain, _, _ = accounts()
    gone = [f"2025-11-21 anna s-{n}\n" for n in range(old)]
    kept = [f"2025-11-22 anna k-{n}\n" for n in range(7 - old)]
    apart.file_of(plain).write_text("".join(gone + kept))
    apart.remember(plain, [("s-9", NOW)], NOW)
    expected = [*([] if anew else gone), *kept, "2026-11-22 - s-9\n"]
    assert apart.file_of(plain).read_text() == "".join(expected)


def test_a_line_is_on_the_disk_before_the_text_goes_out(accounts, monkeypatch):
    """The whole line is synced; and no file stays open."""
    _, anna, _ = accounts()
    synced, opened = [], set(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    apart.reserve(anna, "s-1", NOW)
    assert synced == [len("2026-11-22 anna s-1\n")]
    assert set(os.listdir("/proc/self/fd")) == opened


def test_a_file_that_cannot_be_read(accounts):
    """The error names the file and what to type."""
    _, anna, _ = accounts()
    apart.file_of(anna).mkdir()
    with pytest.raises(StorageError, match=r"statements cannot be read: Is a directory") as raised:
        apart.taken(anna, NOW)
    assert "chmod u+rw" in raised.value.fix.render()


def test_another_process_holds_the_lock(accounts, monkeypatch):
    """The wait for it ends, and nothing is entered; afterwards the same works."""
    _, anna, _ = accounts()
    lock = apart.file_of(anna).with_name(".statements.lock")
    apart.reserve(anna, "s-1", NOW)
    assert lock.stat().st_mode & 0o777 == apart.file_of(anna).stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(apart, "LOCK_SECONDS", 0.05)
    with lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StorageError, match="another process holds"):
            apart.reserve(anna, "s-2", NOW)
    assert "s-2" not in apart.file_of(anna).read_text()
    assert apart.reserve(anna, "s-2", NOW)


def test_how_long_the_lock_is_waited_for(accounts, monkeypatch):
    """Twenty seconds, as the message says."""
    _, anna, _ = accounts()
    asked = []

    def over(seconds):
        asked.append(seconds)
        raise DeadlineError

    monkeypatch.setattr(apart, "hard_limit", over)
    with pytest.raises(StorageError, match="for 20 seconds$"):
        apart.reserve(anna, "s-1", NOW)
    assert asked == [20.0]
