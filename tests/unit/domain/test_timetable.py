"""Schedules over time and pauses: each slot is judged by what was wanted when it came."""

from datetime import UTC, datetime, timedelta

import pytest

from src.domain.schedule import Schedule, parse_time
from src.domain.timetable import ALWAYS, Pause, Timetable

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday
DAILY = Schedule(0, (parse_time("09:00"), parse_time("18:00")))


def paused(since, until, schedule=None):
    return Timetable(((ALWAYS, schedule or Schedule()),), (Pause(since, until),))


def starts(timetable, begin, end):
    return [f"{slot.start:%d %H:%M}" for slot in timetable.between(begin, end)]


def test_each_slot_belongs_to_the_schedule_of_its_time():
    """After a change of the settings the past keeps its slots; one that the change cut off was not wanted."""
    timetable = Timetable(((ALWAYS, DAILY), (NOON + 6.5 * HOUR, Schedule())))
    assert starts(timetable, NOON - 12 * HOUR, NOON + 9 * HOUR) == ["23 09:00", "23 19:00", "23 20:00"]
    back = Timetable(((ALWAYS, Schedule()), (NOON - MINUTE, DAILY)))
    assert starts(back, NOON - 3 * HOUR, NOON + 9 * HOUR) == ["23 09:00", "23 10:00", "23 18:00"]
    assert back.current == DAILY


@pytest.mark.parametrize(("minutes", "inside"), [(-1, False), (0, True), (59, True), (60, False)])
def test_the_ends_of_a_pause(minutes, inside):
    """A pause holds from its beginning to before its end."""
    timetable = paused(NOON, NOON + HOUR)
    assert (timetable.pause_at(NOON + minutes * MINUTE) is not None) is inside
    assert bool(timetable.open_at(NOON + minutes * MINUTE)) is not inside


def test_a_pause_leaves_slots_out():
    """Slots of an interval that lie in it whole, and each wanted time in it, are not wanted."""
    until = NOON + 3 * HOUR + 30 * MINUTE
    assert starts(paused(NOON + MINUTE, until), NOON, NOON + 5 * HOUR) == ["23 12:00", "23 15:00", "23 16:00"]
    times = paused(NOON, NOON + 6 * HOUR, DAILY)
    assert starts(times, NOON, NOON + 24 * HOUR) == ["23 18:00", "24 09:00"]
    assert starts(paused(NOON, NOON + 6 * HOUR + MINUTE, DAILY), NOON, NOON + 24 * HOUR) == ["24 09:00"]


def test_no_time_of_a_pause_is_made_up_for():
    """A wanted time that lay in a pause does not go out after it."""
    timetable = paused(NOON, NOON + 6 * HOUR + MINUTE, DAILY)
    assert timetable.open_at(NOON + 6 * HOUR + 2 * MINUTE) == ()


def test_the_next_slot_lies_after_the_pause():
    """With an end, the first slot from there on; without one, none."""
    assert paused(NOON, None).next_after(NOON - HOUR / 2) is None
    assert paused(NOON, None).opens_after(NOON) is None
    assert paused(NOON, NOON + 9 * HOUR / 2).next_after(NOON - HOUR / 2) == NOON + 4.5 * HOUR
    assert paused(NOON, NOON + 4 * HOUR).next_after(NOON - HOUR / 2) == NOON + 4 * HOUR
    assert paused(NOON, NOON + 4 * HOUR).opens_after(NOON) == NOON + 4 * HOUR
    assert paused(NOON, NOON + 7 * HOUR, DAILY).next_after(NOON - HOUR / 2) == NOON + 21 * HOUR
    assert paused(NOON, NOON + 6 * HOUR, DAILY).next_after(NOON - HOUR / 2) == NOON + 6 * HOUR
    assert paused(NOON, NOON + 7 * HOUR, DAILY).opens_after(NOON) == NOON + 21 * HOUR
    assert Timetable.of(Schedule()).next_after(NOON, 6) == NOON + 6 * HOUR


def test_when_the_open_slots_are_over():
    """After a restore nothing is posted until no slot can be one whose tweet is not to be seen yet."""
    assert Timetable.of(Schedule()).closed_after(NOON + MINUTE) == NOON + HOUR
    assert Timetable.of(DAILY).closed_after(NOON - 3 * HOUR) == NOON - 1.5 * HOUR
    assert Timetable.of(DAILY).closed_after(NOON) == NOON + 6 * HOUR


def test_empty_time_counts_wanted_slots_alone():
    """Nights, weekends and pauses are no silence."""
    assert Timetable.of(Schedule()).empty_time(NOON + 7 * MINUTE, NOON + 3 * HOUR) == 2 * HOUR
    assert Timetable.of(DAILY).empty_time(NOON, NOON + 20 * HOUR) == 9 * HOUR
    assert paused(NOON, None).empty_time(NOON, NOON + 99 * HOUR) == 0 * HOUR
    quiet = Timetable.of(Schedule(quiet="13:00-12:59"))
    assert quiet.empty_time(NOON - HOUR, NOON + 47 * HOUR) == 2 * MINUTE


# ---- the edges -------------------------------------------------------------------------------------------------


def test_a_schedule_that_always_held():
    """It held from the beginning of time."""
    assert Timetable.of(DAILY).eras[0][0].timestamp() == 0


def test_a_slot_that_ends_with_the_pause():
    """All of it lies in the pause, so it is left out; the next one is not."""
    assert starts(paused(NOON, NOON + HOUR), NOON, NOON + 2 * HOUR) == ["23 13:00"]
    assert starts(paused(NOON, NOON + HOUR - MINUTE), NOON, NOON + 2 * HOUR) == ["23 12:00", "23 13:00"]


def test_a_slot_that_ends_with_a_change():
    """It was wanted as a whole."""
    timetable = Timetable(((ALWAYS, Schedule()), (NOON + HOUR, DAILY)))
    assert starts(timetable, NOON, NOON + 2 * HOUR) == ["23 12:00"]


def test_a_pause_that_ends_in_the_quiet_hours():
    """The next post goes out when they are over."""
    timetable = paused(NOON, NOON + 11 * HOUR, Schedule(quiet="22:00-07:00"))
    assert timetable.next_after(NOON) == NOON + 19 * HOUR


@pytest.mark.parametrize(("later", "told"), [(timedelta(0), True), (timedelta(microseconds=1), False)])
def test_a_pause_of_years(later, told):
    """Up to 800 days ahead there is a next slot worth telling."""
    timetable = paused(NOON, NOON + timedelta(days=800) + later, DAILY)
    assert (timetable.next_after(NOON) is not None) is told


def test_from_when_on_a_post_may_go_out():
    """At once where a slot is open, else when the next one opens."""
    timetable = Timetable.of(DAILY)
    assert timetable.posts_from(NOON) == NOON + 6 * HOUR
    assert timetable.posts_from(NOON + 6.5 * HOUR) == NOON + 6.5 * HOUR
