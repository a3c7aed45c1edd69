"""The circuit breaker: what is counted and timed, the value that others read, and its one sentence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from src import config
from src.domain.answers import Outcome, SendResult
from src.domain.fixes import NO_FIX, Fix
from src.domain.runs import Hold
from src.domain.timetable import Timetable
from src.posting.breaker import BreakerState, breaker_state, next_hold
from src.watch.health import refusals_text

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
SETTINGS = config.load({})
HOURLY = Timetable.of(SETTINGS.schedule)


def refused(reason):
    return SendResult(Outcome.BLOCKED, reason=reason, fix=Fix("a fix"))


def holds(reason, count):
    """The holds of so many refusals in a row, an hour apart."""
    made = []
    for hour in range(count):
        made.append(
            next_hold(made[-1] if made else None, refused(reason), NOW + timedelta(hours=hour), HOURLY)
        )
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
    assert (first.kind, first.reason, first.fix.render()) == ("blocked", "no-credits", "a fix")
    assert [(h.count, h.since) for h in (first, second)] == [(1, NOW), (2, NOW)]
    later = SendResult(Outcome.LATER, reason="rate-limited", until=NOW)
    wait = next_hold(second, later, NOW, HOURLY)
    assert wait == Hold("wait", "rate-limited", NOW, NO_FIX, 1, NOW)
    assert next_hold(wait, refused("no-credits"), NOW, HOURLY).count == 1


def test_breaker_state():
    """The value that all others read: closed, counting, open until a time, open with one try due."""
    assert breaker_state(None, NOW) == BreakerState()
    assert breaker_state(Hold("wait", "rate-limited", NOW, NO_FIX, 4, NOW), NOW) == BreakerState()
    counting, last = holds("no-credits", 2)[1], holds("no-credits", 3)[2]
    at = NOW + timedelta(hours=1)
    assert breaker_state(counting, at) == BreakerState(
        open=False, until=counting.until, count=2, reason="no-credits", fix=Fix("a fix"), since=NOW
    )
    assert breaker_state(last, NOW).open
    assert (breaker_state(last, NOW).until, breaker_state(last, last.until).until) == (last.until, None)


def test_the_refusals_in_one_line():
    """The sentence of the screen and of the page; commas in a reason change nothing."""
    reason = "no credits, none at all"
    assert refusals_text(BreakerState(), SETTINGS) == "none"
    counting = BreakerState(count=2, reason=reason, until=NOW, since=NOW)
    assert refusals_text(counting, SETTINGS) == (
        f"2 of 3 in a row: {reason}; nothing is sent until 2026-11-22 14:07 UTC"
    )
    assert refusals_text(replace(counting, until=None), SETTINGS) == f"2 of 3 in a row: {reason}"
    open_ = BreakerState(open=True, count=3, reason=reason, since=NOW)
    assert refusals_text(open_, SETTINGS) == (
        f"3 in a row since 2026-11-22 14:07 UTC, one try is due: {reason}"
    )
    assert refusals_text(replace(open_, until=NOW), SETTINGS) == (
        f"3 in a row since 2026-11-22 14:07 UTC, nothing is sent until 2026-11-22 14:07 UTC: {reason}"
    )
