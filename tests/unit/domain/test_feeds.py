"""When a feed is due."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from src.domain.feeds import Decision, FeedRecord, Item, ItemState

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
HOUR, MINUTE, SECOND = (timedelta(**{unit: 1}) for unit in ("hours", "minutes", "seconds"))
FEED = FeedRecord.unread("https://a.dev/")


@pytest.mark.parametrize(
    ("next_in", "pause", "due"),
    [
        (None, HOUR, True),
        (-HOUR, HOUR, True),
        (5 * MINUTE, HOUR, True),  # cron starts no run to the second
        (5 * MINUTE + SECOND, HOUR, False),
        (24 * HOUR + 5 * MINUTE, HOUR, False),
        (24 * HOUR + 5 * MINUTE + SECOND, HOUR, True),  # no pause is as long: a wrong clock set it
        (72 * HOUR + 5 * MINUTE, 72 * HOUR, False),
        (72 * HOUR + 5 * MINUTE + SECOND, 72 * HOUR, True),
    ],
)
def test_when_a_feed_is_due(next_in, pause, due):
    """At its time less five minutes, and where that time lies further ahead than any pause."""
    feed = replace(FEED, next_at=None if next_in is None else NOW + next_in)
    assert feed.is_due(NOW, pause) is due
    assert not replace(feed, ended=True).is_due(NOW, pause)


def test_a_feed_that_was_never_asked():
    """It has no past, and it has not ended."""
    assert (FEED.read_at, FEED.next_at, FEED.failures, FEED.answer, FEED.detail, FEED.ended) == (
        None, None, 0, None, "", False
    )  # fmt: skip


def test_a_text_needs_approval_unless_it_is_said():
    """A decision approves nothing by itself."""
    assert not Decision(Item("Title", "https://a.dev/1"), ItemState.QUEUED).approved
