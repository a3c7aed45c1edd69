"""Values kept between runs: they come back as they were put, and damaged ones count as none."""

import json
from datetime import timedelta

import pytest

from src.domain.answers import RateLimit
from src.domain.fixes import Fix
from src.domain.runs import Hold
from src.domain.schedule import Schedule
from src.domain.timetable import ALWAYS, Pause
from tests.support.stored import NOW

HOUR = timedelta(hours=1)
HOURLY, HALF_HOURLY, DAILY = (Schedule(interval=minutes) for minutes in (60, 30, 1440))
JUNK = (
    "{",
    "[]",
    "[[1]]",
    "null",
    '{"kind": 1}',
    "1e999",
    '[["a", "b", 1, 1]]',
    '[["a", 1, 1, 1e30]]',
    '{"kind": "wait", "reason": "", "until": 1e30, "fix": "", "count": 1, "since": 0}',
)


def test_a_note_is_kept_and_deleted(db):
    """The last value counts, None deletes one, and other notes stay."""
    assert db.notes.get("x") is None
    db.notes.put(x="1", y="0")
    db.notes.put(x="2", y=None)
    assert (db.notes.get("x"), db.notes.get("y")) == ("2", None)
    db.notes.put(x=None)
    assert db.notes.get("x") is None
    assert db.notes.made_at() == NOW


@pytest.mark.parametrize("until", [NOW, None])
def test_a_hold_is_kept_and_cleared(db, until):
    """A hold comes back as it was, with an end or without one."""
    assert db.notes.current_hold() is None
    db.notes.clear_hold()
    hold = Hold("blocked", "no-credits", until, Fix("buy"), 2, NOW)
    db.notes.put_hold(hold)
    assert db.notes.current_hold() == hold
    db.notes.clear_hold()
    assert db.notes.current_hold() is None


def test_rate_limits_are_kept(db):
    """The windows that X reported come back; before the first there are none."""
    assert db.notes.limits() == ()
    windows = (RateLimit("x-rate-limit", 100, 0, NOW), RateLimit("x-user-limit", 17, 5, NOW))
    db.notes.put_limits(windows)
    assert db.notes.limits() == windows


def test_a_time_that_is_not_there(db):
    """A note that was never put is no time."""
    assert db.notes.get_time("audited_at") is None


@pytest.mark.parametrize("junk", JUNK)
def test_notes_that_cannot_be_read(db, junk):
    """A note that was damaged counts as none: it stops no run."""
    db.notes.put(hold=junk, limits=junk, made_at=junk, schedules=junk, pauses=junk)
    assert (db.notes.current_hold(), db.notes.limits(), db.notes.made_at()) == (None, (), None)
    assert (db.notes.timetable(HOURLY, NOW).eras, db.notes.pauses()) == (((ALWAYS, HOURLY),), ())


@pytest.mark.parametrize("junk", ["{", "null", "7"])
def test_retired_statements_that_cannot_be_read(db, junk):
    """A damaged list of them is an empty one."""
    db.notes.put(hidden=junk)
    assert db.notes.hidden() == frozenset()


def test_statements_are_retired(db):
    """Those named last are retired, and no others; at first none is."""
    assert db.notes.hidden() == frozenset()
    db.notes.hide(["b", "a", "b"])
    assert db.notes.hidden() == {"a", "b"}
    db.notes.hide(["c"])
    assert db.notes.hidden() == {"c"}


# ---- when posts are wanted -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "ended"), [("blocked", True), ("wait", False), (None, False)])
def test_refusals_are_ended(db, kind, ended):
    """A hold for which a person has acted ends; one that passes by itself stays."""
    hold = Hold(kind, "why", None, Fix("buy"), 2, NOW) if kind else None
    if hold:
        db.notes.put_hold(hold)
    assert db.notes.end_refusals() == (hold if ended else None)
    assert db.notes.current_hold() == (None if ended else hold)


def keep(db, *schedules):
    """Keep schedules, one an hour, and return those on record."""
    for n, schedule in enumerate(schedules):
        db.notes.keep_schedule(schedule, NOW + n * HOUR)
    return db.notes.timetable(schedules[-1], NOW + 99 * HOUR).eras


@pytest.mark.parametrize(
    ("schedules", "eras"),
    [
        ([HOURLY], ((ALWAYS, HOURLY),)),
        ([HOURLY, HOURLY], ((ALWAYS, HOURLY),)),
        ([HOURLY, HALF_HOURLY], ((ALWAYS, HOURLY), (NOW + HOUR, HALF_HOURLY))),
        (
            [HOURLY, HALF_HOURLY, HALF_HOURLY, HOURLY],
            ((ALWAYS, HOURLY), (NOW + HOUR, HALF_HOURLY), (NOW + 3 * HOUR, HOURLY)),
        ),
    ],
)
def test_each_schedule_has_its_time(db, schedules, eras):
    """The first holds from the beginning, each other one from when it was set; the same one is not kept twice."""
    assert keep(db, *schedules) == eras


def test_a_clock_that_went_back(db):
    """A schedule holds from no earlier time than the one before it."""
    keep(db, HOURLY, HALF_HOURLY)
    assert db.notes.timetable(DAILY, NOW - HOUR).eras[-2:] == ((NOW + HOUR, HALF_HOURLY), (NOW + HOUR, DAILY))


def test_how_many_schedules_are_kept(db):
    """The oldest ones are dropped."""
    eras = [[(NOW + n * HOUR).timestamp(), HOURLY.as_data()] for n in range(60)]
    db.notes.put(schedules=json.dumps(eras))
    db.notes.keep_schedule(DAILY, NOW + 99 * HOUR)
    kept = db.notes.timetable(DAILY, NOW + 99 * HOUR).eras
    assert (len(kept), kept[0], kept[-1]) == (50, (NOW + 11 * HOUR, HOURLY), (NOW + 99 * HOUR, DAILY))


def test_a_schedule_that_is_the_same_is_not_written(db):
    """Most runs write nothing here."""
    keep(db, HOURLY)
    written = db.connection.sqlite.total_changes
    keep(db, HOURLY)
    assert db.connection.sqlite.total_changes == written


def test_a_pause_and_its_end(db):
    """A pause goes on until it is ended, and stays on record as it was."""
    assert db.notes.resume(NOW) is None
    assert db.notes.pause(NOW, None) == Pause(NOW, None)
    assert db.notes.resume(NOW + HOUR) == Pause(NOW, None)
    assert db.notes.pauses() == (Pause(NOW, NOW + HOUR),)
    assert db.notes.resume(NOW + HOUR) is None
    assert db.notes.pauses() == (Pause(NOW, NOW + HOUR),)


def test_a_pause_gets_another_end(db):
    """A second word about a pause that goes on changes its end, not its beginning."""
    db.notes.pause(NOW, NOW + 9 * HOUR)
    assert db.notes.pause(NOW + HOUR, NOW + 5 * HOUR) == Pause(NOW, NOW + 5 * HOUR)
    assert db.notes.pauses() == (Pause(NOW, NOW + 5 * HOUR),)


@pytest.mark.parametrize("hours", [5, 6])
def test_a_pause_after_another(db, hours):
    """One that is over stays, also in the moment in which it ends; the next one has its own beginning."""
    first, at = Pause(NOW, NOW + 5 * HOUR), NOW + hours * HOUR
    db.notes.pause(NOW, first.until)
    assert db.notes.pause(at, None) == Pause(at, None)
    assert db.notes.pauses() == (first, Pause(at, None))
    assert db.notes.timetable(HOURLY, at).pauses == db.notes.pauses()


def test_how_many_pauses_are_kept(db):
    """The oldest of those that are over are dropped."""
    over = [[(NOW + n * HOUR).timestamp(), (NOW + n * HOUR).timestamp()] for n in range(60)]
    db.notes.put(pauses=json.dumps(over))
    db.notes.pause(NOW + 99 * HOUR, None)
    pauses = db.notes.pauses()
    assert (len(pauses), pauses[0].since, pauses[-1].since) == (51, NOW + 10 * HOUR, NOW + 99 * HOUR)
