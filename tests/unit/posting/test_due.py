"""Whether a post is due: the pure decision, case by case."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from src import config
from src.domain.answers import RateLimit
from src.domain.fixes import Fix
from src.domain.posts import Status
from src.domain.runs import Exit, Hold
from src.domain.slots import Usage
from src.domain.timetable import Pause, Timetable
from src.posting.due import held_back, not_due

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
SETTINGS = config.load({})
FREE = Usage(None, NOW - timedelta(hours=1), 3, 0.045, 1.0)


def decide(usage=FREE, hold=None, limits=(), settings=SETTINGS, now=NOW):
    timetable = Timetable.of(settings.schedule)
    slot = next((slot.name for slot in timetable.open_at(now)), "")
    return not_due(settings, timetable, usage, hold, limits, now, slot=slot)


def posted(at):
    """The last post of a slot went out at this time."""
    return replace(FREE, last_sent=at, last_in_slot=at)


def test_due():
    """A free slot with nothing in the way is due; so is one with a text that was not sent yet."""
    assert decide() is None
    assert decide(replace(FREE, slot_status=Status.PENDING)) is None
    assert decide(Usage(None, None, 0, 0, 0)) is None


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.PENDING])
def test_a_used_slot(status):
    """Whatever became of the slot's post, a second one is not due in it."""
    wait = decide(replace(FREE, slot_status=status))
    assert (wait.outcome, wait.exit_code) == ("nothing-due:slot-used", Exit.OK)
    assert wait.until == datetime(2026, 11, 22, 15, tzinfo=UTC)


def test_clock_behind():
    """A clock that is behind the last post waits and tells."""
    wait = decide(replace(FREE, last_sent=NOW + timedelta(minutes=6)))
    assert (wait.outcome, wait.exit_code) == ("nothing-due:clock-behind", Exit.TEMPORARY)
    assert decide(posted(NOW + timedelta(minutes=4))).outcome == "nothing-due:too-soon"


def test_spacing_and_cap():
    """Two posts keep half a slot apart; a tweet without a slot holds nothing back; the cap of 24 hours holds."""
    assert decide(posted(NOW - timedelta(minutes=29))).outcome == "nothing-due:too-soon"
    assert decide(posted(NOW - timedelta(minutes=31))) is None
    assert decide(replace(FREE, last_sent=NOW - timedelta(minutes=1))) is None
    assert decide(replace(FREE, sent_24h=24)).outcome == "nothing-due:daily-cap"


def test_budgets():
    """The next post must fit both budgets; an exact fit is fine."""
    assert decide(replace(FREE, spent_24h=0.99)).outcome == "nothing-due:budget"
    assert decide(replace(FREE, spent_24h=0.985)) is None
    assert "MONTHLY_BUDGET_USD" in decide(replace(FREE, spent_month=19.99)).message


def test_holds():
    """A hold in force waits, with the exit code of its kind; one that is over, or only counts, does not."""
    blocked = Hold("blocked", "no-credits", NOW + timedelta(hours=1), Fix("buy"), 3, NOW)
    assert decide(hold=blocked).exit_code is Exit.BLOCKED
    assert decide(hold=blocked).fix.render() == "buy"
    assert decide(hold=replace(blocked, kind="wait")).exit_code is Exit.OK
    assert decide(hold=replace(blocked, until=NOW)) is None
    assert decide(hold=replace(blocked, until=None)) is None


def test_rate_limits():
    """An exhausted window waits for its reset; a reset absurdly far away is not believed."""
    spent = RateLimit("x-rate-limit", 100, 0, NOW + timedelta(minutes=9))
    assert decide(limits=[spent]).until == NOW + timedelta(minutes=9)
    assert decide(limits=[replace(spent, remaining=1)]) is None
    assert decide(limits=[replace(spent, reset=NOW + timedelta(days=9))]) is None
    assert decide(limits=[replace(spent, reset=NOW)]) is None


@pytest.mark.parametrize(
    ("hours", "hour", "quiet"),
    [
        ("22:00-07:00", 21, False),
        ("22:00-07:00", 22, True),
        ("22:00-07:00", 3, True),
        ("22:00-07:00", 7, False),
        ("09:00-17:00", 12, True),
        ("09:00-17:00", 18, False),
    ],
)
def test_quiet_hours(hours, hour, quiet):
    """Quiet hours follow the wall clock of their zone, over midnight too, in summer and in winter."""
    for month in (1, 7):
        settings = config.load({"QUIET_HOURS": hours, "TIME_ZONE": "Europe/Berlin"})
        offset = 1 if month == 1 else 2
        now = datetime(2026, month, 5, hour, 30, tzinfo=UTC) - timedelta(hours=offset)
        wait = decide(Usage(None, None, 0, 0, 0), settings=settings, now=now)
        assert (wait is not None) == quiet


# ---- to the second ---------------------------------------------------------------------------------------------

SECOND = timedelta(seconds=1)
FIRST = Usage(None, None, 0, 0, 0)


def hold(kind, until):
    return Hold(kind, "why", until, Fix("do it"), 1, NOW)


def test_a_wait_does_not_hide_a_used_slot():
    """Only a hold that a person must end comes before the slot's own state."""
    used = replace(FREE, slot_status=Status.UNKNOWN)
    assert decide(used, hold("wait", NOW + timedelta(hours=1))).outcome == "nothing-due:slot-used"
    assert decide(used, hold("blocked", NOW + timedelta(hours=1))).outcome == "nothing-due:hold"


@pytest.mark.parametrize(("minutes", "longest"), [("60", timedelta(hours=24)), ("1440", timedelta(days=6))])
def test_how_long_a_hold_can_last(minutes, longest):
    """A hold lasts at most a day or six slots, whichever is more; a longer one was set by a wrong clock."""
    settings = config.load({"POST_INTERVAL_MINUTES": minutes})
    assert decide(FIRST, hold("wait", NOW + longest), settings=settings).outcome == "nothing-due:hold"
    assert decide(FIRST, hold("wait", NOW + longest + SECOND), settings=settings) is None


def test_how_long_a_limit_can_last():
    """A rate limit lasts at most a day; a longer one was read under a wrong clock."""
    end = NOW + timedelta(hours=24)
    assert decide(FIRST, limits=[RateLimit("app", 17, 0, end)]).until == end
    assert decide(FIRST, limits=[RateLimit("app", 17, 0, end + SECOND)]) is None


def test_the_ends_of_the_gap_and_of_the_tolerance():
    """After exactly half a slot a post is due; a clock exactly five minutes behind is within the tolerance."""
    assert decide(posted(NOW - timedelta(minutes=30))) is None
    last = NOW - timedelta(minutes=30) + SECOND
    assert decide(posted(last)).until == last + timedelta(minutes=30)
    assert decide(posted(NOW + timedelta(minutes=5))).outcome == "nothing-due:too-soon"


# ---- what is told ----------------------------------------------------------------------------------------------


def test_what_a_used_slot_says():
    """Only of a post whose outcome is unknown the message says so."""
    unknown, sent = (decide(replace(FREE, slot_status=s)).message for s in (Status.UNKNOWN, Status.POSTED))
    assert (unknown, sent) == ("this slot has a post whose outcome is unknown", "this slot has a post")


def test_what_a_hold_says():
    """The message names the reason, and the end where there is one."""
    held = hold("wait", NOW + timedelta(minutes=23))
    assert re.fullmatch(r"on hold until .*14:30.*: why", decide(FIRST, held).message)
    used = replace(FREE, slot_status=Status.UNKNOWN)
    assert decide(used, hold("blocked", None)).message == "on hold: why"


def test_when_the_next_time_is():
    """Between the times of POST_TIMES nothing is due; in quiet hours that is the reason."""
    wait = decide(FIRST, settings=config.load({"POST_TIMES": "16:00"}))
    assert (wait.outcome, wait.until) == ("nothing-due:not-yet", NOW.replace(hour=16, minute=0))
    assert "the next time to post is" in wait.message
    quiet = decide(FIRST, settings=config.load({"QUIET_HOURS": "14:00-15:00"}))
    assert quiet.outcome == "nothing-due:quiet-hours"


@pytest.mark.parametrize("days", [30, None])
def test_a_hold_in_a_pause(days):
    """Beside the slots a hold is believed until six slots after the pause, or a day where it has no end."""
    end = NOW + timedelta(days=days) if days else None
    timetable = Timetable(Timetable.of(SETTINGS.schedule).eras, (Pause(NOW, end),))
    latest = timetable.next_after(NOW, 6) if end else NOW + timedelta(hours=24)
    assert not end or latest > end
    for moment, believed in ((latest, True), (latest + SECOND, False)):
        wait = held_back(SETTINGS, timetable, FIRST, hold("wait", moment), (), NOW, 0.015)
        assert (wait is not None) is believed
