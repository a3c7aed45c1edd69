"""Whether a post is due, and what the breaker counts: the pure decisions, case by case."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from src import config
from src.db_manager import Hold, Usage
from src.domain.answers import Outcome, RateLimit, SendResult
from src.domain.posts import Status
from src.domain.runs import Exit
from src.posting.breaker import BreakerState, breaker_state, next_hold
from src.posting.due import not_due
from src.watch.health import breaker_detail, breaker_text
from tests.support.world import START

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
SETTINGS = config.load({})
FREE = Usage(None, NOW - timedelta(hours=1), 3, 0.045, 1.0)


def decide(usage=FREE, hold=None, limits=(), settings=SETTINGS, now=NOW):
    return not_due(settings, usage, hold, limits, now)


def test_due():
    """A free slot with nothing in the way is due; so is one with a text that was not sent yet."""
    assert decide() is None
    assert decide(replace(FREE, slot_status=Status.PENDING)) is None
    assert decide(Usage(None, None, 0, 0, 0)) is None


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.PENDING])
def test_a_used_slot(status):
    """Whatever became of the slot's post, a second one is not due in it."""
    wait = decide(replace(FREE, slot_status=status))
    assert (wait.reason, wait.exit_code) == ("slot-used", Exit.OK)
    assert wait.until == datetime(2026, 11, 22, 15, tzinfo=UTC)


def test_clock_behind():
    """A clock that is behind the last post waits and tells."""
    wait = decide(replace(FREE, last_sent=NOW + timedelta(minutes=6)))
    assert (wait.reason, wait.exit_code) == ("clock-behind", Exit.TEMPORARY)
    assert decide(replace(FREE, last_sent=NOW + timedelta(minutes=4))).reason == "too-soon"


def test_spacing_and_cap():
    """Two posts keep a third of a slot apart; the cap of 24 hours holds."""
    assert decide(replace(FREE, last_sent=NOW - timedelta(minutes=19))).reason == "too-soon"
    assert decide(replace(FREE, last_sent=NOW - timedelta(minutes=21))) is None
    assert decide(replace(FREE, sent_24h=24)).reason == "daily-cap"


def test_budgets():
    """The next post must fit both budgets; an exact fit is fine."""
    assert decide(replace(FREE, spent_24h=0.99)).reason == "budget"
    assert decide(replace(FREE, spent_24h=0.985)) is None
    assert "MONTHLY_BUDGET_USD" in decide(replace(FREE, spent_month=19.99)).message


def test_holds():
    """A hold in force waits, with the exit code of its kind; one that is over, or only counts, does not."""
    blocked = Hold("blocked", "no-credits", NOW + timedelta(hours=1), "buy", 3, NOW)
    assert decide(hold=blocked).exit_code is Exit.BLOCKED
    assert decide(hold=blocked).fix == "buy"
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


def refused(reason):
    return SendResult(Outcome.BLOCKED, reason=reason, fix="a fix")


def holds(reason, count):
    """The holds of so many refusals in a row, an hour apart."""
    made = []
    for hour in range(count):
        made.append(next_hold(made[-1] if made else None, refused(reason), NOW + timedelta(hours=hour), 60))
    return made


def test_breaker():
    """The third refusal in a row opens the breaker for six slots; a 401 before that is probed at every tick."""
    assert [h.until for h in holds("unauthorized", 2)] == [None, None]
    assert holds("no-credits", 1)[0].until == datetime(2026, 11, 22, 15, tzinfo=UTC)
    assert holds("unauthorized", 3)[2].until == datetime(
        2026, 11, 22, 22, tzinfo=UTC
    )  # the third came at 16:07
    assert [h.until for h in holds("clock", 4)] == [None] * 4


def test_the_same_hold_counts_up():
    """Refusals count up since the first; another kind of hold starts anew."""
    first, second = holds("no-credits", 2)
    assert (first.kind, first.reason, first.fix) == ("blocked", "no-credits", "a fix")
    assert [(h.count, h.since) for h in (first, second)] == [(1, NOW), (2, NOW)]
    later = SendResult(Outcome.LATER, reason="rate-limited", until=NOW)
    wait = next_hold(second, later, NOW, 60)
    assert wait == Hold("wait", "rate-limited", NOW, "", 1, NOW)
    assert next_hold(wait, refused("no-credits"), NOW, 60).count == 1


def test_breaker_state():
    """The value that all others read: closed, counting, open until a time, open with one try due."""
    assert breaker_state(None, NOW) == BreakerState()
    assert breaker_state(Hold("wait", "rate-limited", NOW, "", 4, NOW), NOW) == BreakerState()
    counting, last = holds("no-credits", 2)[1], holds("no-credits", 3)[2]
    at = NOW + timedelta(hours=1)
    assert breaker_state(counting, at) == BreakerState(
        open=False, until=counting.until, count=2, reason="no-credits", fix="a fix", since=NOW
    )
    assert breaker_state(last, NOW).open
    assert (breaker_state(last, NOW).until, breaker_state(last, last.until).until) == (last.until, None)


def test_the_breaker_in_one_line():
    """The sentence of the screen, and the part of it that the page shows; commas in a reason change nothing."""
    closed, reason = BreakerState(), "no credits, none at all"
    assert (breaker_text(closed), breaker_detail(closed)) == ("closed", "")
    counting = BreakerState(count=2, reason=reason, until=NOW, since=NOW)
    assert breaker_detail(counting) == f"2 of 3 refusals: {reason}; waits until 2026-11-22 14:07 UTC"
    assert breaker_text(replace(counting, until=None)) == f"closed, 2 of 3 refusals: {reason}"
    open_ = BreakerState(open=True, count=3, reason=reason, since=NOW)
    assert breaker_text(open_) == (f"open, one try is due: {reason}, 3 in a row since 2026-11-22 14:07 UTC")
    assert breaker_text(replace(open_, until=NOW)).startswith("open until 2026-11-22 14:07 UTC: no credits")


def test_a_day_of_hourly_posts_is_never_held_back_by_seconds(world):
    """Runs that take now more, now fewer seconds: each hour has its post, and the cap of 24 in 24 hours leaves none out."""
    for hour in range(30):
        at = hour * 3600 + (7, 2, 5)[hour % 3]
        world.move(seconds=at - (world.x.now() - START.timestamp()))
        assert world.tick().outcome == "posted", hour
