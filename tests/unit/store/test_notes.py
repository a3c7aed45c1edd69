"""Values kept between runs: they come back as they were put, and damaged ones count as none."""

import pytest

from src.domain.answers import RateLimit
from src.domain.fixes import Fix
from src.domain.runs import Hold
from tests.support.stored import NOW

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
    db.notes.put(hold=junk, limits=junk, made_at=junk)
    assert (db.notes.current_hold(), db.notes.limits(), db.notes.made_at()) == (None, (), None)
