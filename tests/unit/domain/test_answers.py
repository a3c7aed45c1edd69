"""Ids, times and versions of tweets, and what an answer says by itself."""

from datetime import UTC, datetime, timedelta

import pytest

from src.domain.answers import (
    MAX_TWEET_ID,
    NOT_BILLED,
    Outcome,
    SendResult,
    TimelineRead,
    Tweet,
    snowflake_time,
    tweet_id_text,
    tweet_url,
)
from src.domain.fixes import NO_FIX

DAY_ONE = datetime(2010, 11, 4, 1, 42, 54, 657000, UTC)  # from which X counts the milliseconds of its ids


@pytest.mark.parametrize(
    ("tweet_id", "since"),
    [(0, 0), (1, 0), ((1 << 22) - 1, 0), (1 << 22, 1)],
)
def test_the_time_in_an_id(tweet_id, since):
    """An id holds the milliseconds since X's first day in all but its last 22 bits."""
    assert snowflake_time(tweet_id) == DAY_ONE + timedelta(milliseconds=since)


def test_the_time_in_an_id_of_today():
    """An id of sixteen years later says its time to the millisecond."""
    assert snowflake_time(2124504924287926272) == datetime(2026, 11, 22, 14, 7, tzinfo=UTC)


def test_the_largest_id():
    """It is the largest number that SQLite holds."""
    assert MAX_TWEET_ID == 9_223_372_036_854_775_807


def test_the_versions_of_a_tweet():
    """The first id is that under which X made it, whatever the order of the others."""
    tweet = Tweet(30 << 22, "Words.", (20 << 22, 10 << 22))
    assert tweet.ids == (20 << 22, 10 << 22, 30 << 22)
    assert tweet.first_id == 10 << 22
    assert tweet.at == DAY_ONE + timedelta(milliseconds=10)


def test_what_an_answer_says_by_itself():
    """An answer that says nothing more has no id, no status, no time, and proves nothing."""
    assert SendResult(Outcome.DONE) == SendResult(Outcome.DONE, None, None, "", "", NO_FIX, None, "", 0, ())
    assert TimelineRead() == TimelineRead((), False, False, 0, 0, False, SendResult(Outcome.UNKNOWN))


def test_what_is_billed_with_the_answer():
    """A tweet that was made, or may have been; never one that X says it has not made."""
    assert set(Outcome) - NOT_BILLED == {Outcome.POSTED, Outcome.DONE, Outcome.DUPLICATE, Outcome.UNKNOWN}


@pytest.mark.parametrize(
    ("tweet_id", "text", "url"),
    [(7, "7", "https://x.com/i/web/status/7"), (None, None, "no tweet id"), (0, None, "no tweet id")],
)
def test_an_id_for_people_and_programs(tweet_id, text, url):
    """As text, for a number would be rounded, and as an address."""
    assert (tweet_id_text(tweet_id), tweet_url(tweet_id)) == (text, url)
