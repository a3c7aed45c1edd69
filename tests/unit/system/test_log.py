"""Logs: two private files that rotate by size and age, text for people, and never a reason not to post."""

import json
import logging
import os
import stat
from datetime import datetime, timedelta

import pytest

from src.system import log, log_rotation
from src.system.lock import writer_lock
from tests.support.logs import NOW, lines, set_aside, written

RULES = log_rotation.Rules(max_bytes=10_000, rotate_days=7, keep_days=60)
WORDING = {"CANDIDATES": "0", "POST_INTERVAL_MINUTES": "1440"}


@pytest.fixture(autouse=True)
def own_logger():
    """Each test begins and ends without handlers."""
    log.logger.handlers.clear()
    yield
    for handler in log.logger.handlers:
        handler.close()
    log.logger.handlers.clear()
    log.begin()
    log.logger.handlers.clear()


def set_up(folder, level="INFO"):
    return log.set_up(folder, level, "r1", log.Redactor(["s3cr3t-s3cr3t-s3cr3t"]))


# ---- the files -------------------------------------------------------------------------------------------------


def test_two_files_of_json_lines(tmp_path):
    """Everything is in one file, trouble also in the other: time, level, event, run and fields, secrets removed, mode 0600."""
    assert set_up(tmp_path) == ""
    log.logger.debug("unseen")
    log.logger.info("fine", extra={"post_id": 3})
    log.logger.error("bad", extra={"detail": "key s3cr3t-s3cr3t-s3cr3t\n\x1b[2J"})
    everything, trouble = lines(tmp_path / log.ALL_FILE), lines(tmp_path / log.ERROR_FILE)
    assert [entry["event"] for entry in everything] == ["fine", "bad"]
    assert (everything[0]["level"], everything[0]["run"], everything[0]["post_id"]) == ("INFO", "r1", 3)
    assert datetime.fromisoformat(everything[0]["time"]).utcoffset() == timedelta(0)
    assert [entry["event"] for entry in trouble] == ["bad"]
    assert [next(iter(entry)) for entry in everything] == ["time", "time"]
    assert "s3cr3t" not in (tmp_path / log.ERROR_FILE).read_text()
    assert {stat.S_IMODE(f.stat().st_mode) for f in tmp_path.iterdir()} == {0o600}


def test_an_open_file_is_closed_to_others(tmp_path):
    """A log file that others can read becomes private at the next run."""
    file = written(tmp_path)
    file.chmod(0o644)
    set_up(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_line_cut_short_does_not_spoil_the_next(tmp_path):
    """After a full disk cut a line, the next run begins on a new one."""
    (tmp_path / log.ALL_FILE).write_text('{"event": "cut sho')
    set_up(tmp_path)
    log.logger.info("whole")
    assert json.loads((tmp_path / log.ALL_FILE).read_text().splitlines()[1])["event"] == "whole"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_refused(tmp_path, kind):
    """A link, a pipe without a reader or a folder in the place of a log file: told, not followed, not waited for."""
    place = tmp_path / log.ALL_FILE
    {
        "link": lambda: place.symlink_to(tmp_path / "elsewhere"),
        "pipe": lambda: os.mkfifo(place),
        "folder": place.mkdir,
    }[kind]()
    assert "cannot write logs" in set_up(tmp_path)
    log.logger.info("nobody hears it")
    assert not (tmp_path / "elsewhere").exists()


def test_early_messages_are_not_lost(tmp_path):
    """What is logged before the files are known is in them afterwards, by their levels, in its order, with its own time."""
    log.begin()
    log.logger.debug("detail")
    log.logger.info("first", extra={"n": 1})
    log.logger.warning("second")
    early = [record.created for record in log.logger.handlers[0].records]
    set_up(tmp_path)
    log.logger.info("third")
    entries = lines(tmp_path / log.ALL_FILE)
    assert [entry["event"] for entry in entries] == ["first", "second", "third"]
    assert datetime.fromisoformat(entries[0]["time"]).timestamp() == pytest.approx(early[1], abs=1e-3)
    assert [entry["event"] for entry in lines(tmp_path / log.ERROR_FILE)] == ["second"]


def test_early_messages_without_files_go_to_stderr(tmp_path, capsys):
    """If no file can be opened, or none ever is, warnings are told on standard error."""
    (tmp_path / "file").touch()
    log.begin()
    log.logger.warning("early", extra={"n": 1})
    assert "cannot write logs" in set_up(tmp_path / "file" / "logs")
    log.logger.warning("late")
    log.logger.info("unimportant")
    seen = capsys.readouterr().err
    assert "WARNING early n=1" in seen
    assert "WARNING late" in seen
    assert "unimportant" not in seen
    log.begin()
    log.logger.error("before the end")
    log.finish()
    assert "ERROR   before the end" in capsys.readouterr().err


# ---- rotation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "age", "due"),
    [(9_999, 0, False), (10_000, 0, True), (200, 7, False), (200, 8, True), (200, -4000, False)],
)
def test_rotation_by_size_and_age(tmp_path, size, age, due):
    """A file goes when it is large or old; the age is that of its first line, whatever its times on disk say."""
    file = written(tmp_path, at=NOW - timedelta(days=age), size=size)
    before = file.read_bytes()
    assert log_rotation.rotate(tmp_path, RULES, NOW) == ""
    assert set_aside(tmp_path) == (["twitter_manager.log.20261122T140700"] if due else [])
    assert file.exists() != due
    assert (
        next(f for f in tmp_path.glob("twitter_manager.log*") if f.suffix != ".lock").read_bytes() == before
    )


def test_a_file_that_does_not_tell_its_age_keeps_its_time_on_disk(tmp_path):
    """A first line that is no JSON, or has no time: the time of the last write counts. An empty file stays."""
    for first in ("garbage\n", "[]\n", '{"time": 5}\n', "\n"):
        file = tmp_path / log.ALL_FILE
        file.write_text(first)
        os.utime(file, ((NOW - timedelta(days=6)).timestamp(),) * 2)
        log_rotation.rotate(tmp_path, RULES, NOW)
        assert file.exists()
        os.utime(file, ((NOW - timedelta(days=8)).timestamp(),) * 2)
        log_rotation.rotate(tmp_path, RULES, NOW)
        assert not file.exists()
    file.touch()
    os.utime(file, (0, 0))
    log_rotation.rotate(tmp_path, RULES, NOW)
    assert file.exists()
    assert len(set_aside(tmp_path)) == 4  # in one second, and none overwrote another


def test_retention(tmp_path):
    """Files set aside are dropped when their last line is past keeping, and beyond ten; nothing else in the folder is."""
    for day in range(80):
        name = f"{log.ALL_FILE}.{NOW - timedelta(days=day):%Y%m%dT%H%M%S}"
        os.utime(written(tmp_path, name), ((NOW - timedelta(days=day)).timestamp(),) * 2)
    os.utime(written(tmp_path, "error.log.20200101T000000"), (0, 0))
    for other in ("twitter_manager.log.bak", "notes.txt", "twitter_manager.log.20260101T000000.gz"):
        os.utime(written(tmp_path, other), (0, 0))
    assert len(log_rotation.drop_old(tmp_path, RULES, NOW)) == 71
    assert len(set_aside(tmp_path)) == log_rotation.MOST_SET_ASIDE + 1
    assert not (tmp_path / "error.log.20200101T000000").exists()
    assert len(list(tmp_path.iterdir())) == 13
    assert log_rotation.drop_old(tmp_path, RULES, NOW + timedelta(days=55)) == [
        f"{log.ALL_FILE}.{NOW - timedelta(days=d):%Y%m%dT%H%M%S}" for d in range(6, 10)
    ]
    assert log_rotation.drop_old(tmp_path, RULES, NOW + timedelta(days=55)) == []


def test_a_run_goes_on_in_the_file_that_another_set_aside(tmp_path):
    """Two runs: the file that one has open is set aside by the other; both lines are kept."""
    set_up(tmp_path)
    log.logger.info("one")
    (tmp_path / log.ALL_FILE).open("a").write("x" * 20_000 + "\n")
    assert log_rotation.rotate(tmp_path, RULES, NOW) == ""
    log.logger.info("two")
    (old,) = set_aside(tmp_path)
    text = (tmp_path / old).read_text()
    assert '"one"' in text
    assert '"two"' in text


def test_rotation_waits_for_nobody(tmp_path):
    """While another run rotates, this one does not, and writes on."""
    written(tmp_path, size=20_000)
    with writer_lock(tmp_path / "rotation") as ours:
        assert ours
        assert log_rotation.rotate(tmp_path, RULES, NOW) == ""
    assert set_aside(tmp_path) == []


def test_a_folder_that_cannot_be_rotated_is_told(tmp_path):
    """If a rename is impossible, the run writes on and the log says why."""
    file = written(tmp_path, size=20_000)
    (tmp_path / "rotation.lock").mkdir()
    assert "cannot be rotated" in log_rotation.rotate(tmp_path, RULES, NOW)
    assert file.exists()


# ---- the program -----------------------------------------------------------------------------------------------


def test_a_crash_before_the_settings_is_told(capsys):
    """An error while nothing is set up yet reaches standard error with its traceback."""
    log.begin()
    try:
        raise RuntimeError("early")
    except RuntimeError as error:
        log.logger.error("bug", exc_info=error)
    log.finish()
    seen = capsys.readouterr().err
    assert "ERROR   bug" in seen
    assert "RuntimeError: early" in seen
    assert logging.getLogger("twitter_manager").propagate is False
