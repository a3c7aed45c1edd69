"""The rules by which a tweet counts as a post's: each alone decides in its case."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from src.db_manager import empty_database
from src.domain.answers import TWITTER_EPOCH_MS, TimelineRead, Tweet
from src.domain.texts import Draft
from src.posting.reconcile import find_tweet

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)


def id_at(moment):
    return (int(moment.timestamp() * 1000) - TWITTER_EPOCH_MS) << 22


@pytest.mark.parametrize(
    ("made", "since", "text", "is_it"),
    [
        (timedelta(seconds=1), timedelta(hours=-1), "The words.", True),
        (timedelta(minutes=-4), timedelta(hours=-1), "The words.", True),  # the tolerance of the clock
        (timedelta(minutes=-6), timedelta(hours=-1), "The words.", False),  # older than the send
        (timedelta(minutes=-4), timedelta(minutes=-3), "The words.", False),  # older than a tweet on record
        (timedelta(minutes=-3), timedelta(minutes=-3), "The words.", False),  # that very tweet
        (timedelta(seconds=1), timedelta(hours=-1), "Other words.", False),
    ],
)
def test_what_is_the_post(made, since, text, is_it):
    """A tweet is the post if it is newer than what was on record, not older than the send, and of the same text."""
    db = empty_database(NOW)
    post = db.claim(Draft("The words.", "wording"), "2026-11-22T14:00Z", NOW)
    db.begin_send(post, "run", NOW)
    post = replace(db.post(post.id), since_id=id_at(NOW + since))
    tweet = Tweet(id_at(NOW + made), text)
    found = find_tweet(db, post, TimelineRead((tweet,), healthy=True), NOW + timedelta(minutes=1))
    assert found == (tweet if is_it else None)
