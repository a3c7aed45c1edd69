"""What became of each slot: every fate and cause, gaps, rates."""

from datetime import UTC, datetime, timedelta

import pytest

from src.domain.posts import Status
from src.domain.runs import Attempt, RunOutcome, RunRecord
from src.domain.schedule import Schedule
from src.domain.timetable import Timetable
from src.watch.slot_history import NO_RUN, Fate, Gap, Rate, Slot, gaps, rate, slot_history

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SLOT = "2026-11-22T12:00Z"
HOUR = timedelta(hours=1)
HOURLY = Timetable.of(Schedule())


def ran(outcome, message="", *, minute=7, finished=True, reason=""):
    at = NOON + timedelta(minutes=minute)
    known = RunOutcome(outcome) if outcome else None
    return RunRecord(SLOT, at, at if finished else None, 0 if finished else None, known, message, {}, reason)


def tried(outcome, reason=""):
    return Attempt(SLOT, NOON + timedelta(minutes=7), outcome, None, reason, "", 5)


@pytest.mark.parametrize(
    ("status", "attempts", "runs", "fate", "cause"),
    [
        (Status.POSTED, [tried("posted")], [ran("posted")], Fate.POSTED, ""),
        (Status.UNKNOWN, [tried("unknown")], [ran("unknown")], Fate.UNKNOWN, "not known"),
        (Status.UNCONFIRMED, [tried("unknown")], [ran("unknown")], Fate.UNKNOWN, "not known"),
        (Status.FAILED, [tried("unknown")], [ran("unknown")], Fate.MISSED, "the tweet is not there"),
        (
            None,
            [tried("refused", "text-refused")],
            [ran("refused")],
            Fate.MISSED,
            "X refused the text: it does not take this text",
        ),
        (
            Status.EXPIRED,
            [tried("blocked", "no-credits")],
            [ran("blocked")],
            Fate.MISSED,
            "the money: no credits are left",
        ),
        (
            Status.EXPIRED,
            [tried("not_sent", "NewConnectionError")],
            [ran("not-sent")],
            Fate.MISSED,
            "could not be reached: new connection error",
        ),
        (
            Status.EXPIRED,
            [tried("later", "rate-limited")],
            [ran("later")],
            Fate.MISSED,
            "limit was used up: too many requests",
        ),
        (None, [tried("")], [ran("")], Fate.MISSED, "the run died"),
        (None, [], [], Fate.MISSED, NO_RUN),
        (None, [], [ran("", finished=False)], Fate.MISSED, "killed"),
        (None, [], [ran("nothing-due:quiet-hours")], Fate.LEFT_OUT, "quiet hours"),
        (None, [], [ran("nothing-due:budget")], Fate.LEFT_OUT, "budget"),
        (None, [], [ran("nothing-due:daily-cap")], Fate.LEFT_OUT, "MAX_POSTS_PER_DAY"),
        (None, [], [ran("waiting-for-approval")], Fate.LEFT_OUT, "no approved draft"),
        (None, [], [ran("no-content", "told")], Fate.MISSED, "no text"),
        (
            None,
            [],
            [ran("nothing-due:hold", reason="no-credits")],
            Fate.MISSED,
            "on hold: no credits are left",
        ),
        (None, [], [ran("trouble", "the disk is full")], Fate.MISSED, "the disk is full"),
        (
            None,
            [],
            [ran("nothing-due:quiet-hours"), ran("nothing-due:too-soon", minute=22)],
            Fate.LEFT_OUT,
            "quiet hours",
        ),
    ],
)
def test_fates_and_causes(status, attempts, runs, fate, cause):
    """Each way a slot can end has its fate and says why."""
    posts = {SLOT: status} if status else {}
    (slot,) = slot_history(posts, runs, attempts, since=NOON, now=NOON + HOUR, timetable=HOURLY)
    assert slot.fate is fate
    assert cause in slot.cause


def test_only_slots_that_are_over_and_were_watched():
    """A slot that goes on counts once it has its post; one in which watching began only if it has one."""
    now = NOON + timedelta(minutes=30)
    assert slot_history({}, [], [], since=NOON, now=now, timetable=HOURLY) == []
    assert slot_history({SLOT: Status.POSTED}, [], [], since=NOON, now=now, timetable=HOURLY) == [
        Slot(NOON, NOON + HOUR, Fate.POSTED)
    ]
    later = NOON + timedelta(minutes=10)
    assert slot_history({}, [], [], since=later, now=NOON + HOUR, timetable=HOURLY) == []
    assert slot_history({SLOT: Status.POSTED}, [], [], since=later, now=NOON + HOUR, timetable=HOURLY) == [
        Slot(NOON, NOON + HOUR, Fate.POSTED)
    ]


def test_gaps_are_taken_together():
    """Neighbours with one cause are one gap, newest first; a post or another cause parts them."""
    fates = [
        (Fate.MISSED, "a"),
        (Fate.MISSED, "a"),
        (Fate.POSTED, ""),
        (Fate.MISSED, "a"),
        (Fate.LEFT_OUT, "b"),
    ]
    slots = [
        Slot(NOON + n * HOUR, NOON + (n + 1) * HOUR, fate, cause) for n, (fate, cause) in enumerate(fates)
    ]
    assert gaps(slots) == [
        Gap(NOON + 4 * HOUR, NOON + 5 * HOUR, 1, Fate.LEFT_OUT, "b"),
        Gap(NOON + 3 * HOUR, NOON + 4 * HOUR, 1, Fate.MISSED, "a"),
        Gap(NOON, NOON + 2 * HOUR, 2, Fate.MISSED, "a"),
    ]


def test_rate():
    """What the owner's settings leave out is not a failure; an outcome that is not known is no success."""
    fates = [Fate.POSTED, Fate.POSTED, Fate.MISSED, Fate.UNKNOWN, Fate.LEFT_OUT]
    slots = [Slot(NOON + n * HOUR, NOON + (n + 1) * HOUR, fate) for n, fate in enumerate(fates)]
    assert rate(slots, NOON) == Rate(2, 4, 1)
    assert rate(slots, NOON).share == 0.5
    assert rate(slots, NOON + HOUR) == Rate(1, 3, 1)
    assert rate([], NOON).share is None
