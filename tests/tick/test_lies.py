"""X says no and posts all the same: a share of `tests/crash/test_lies.py`, every second answer with a tweet made."""

import pytest

from tests.support.lies import ANSWERS, one_tweet_a_slot, refused_but_made


@pytest.mark.parametrize("name", ["text", "401", "suspended", "429"])
def test_refused_but_made(world, name):
    """Whatever X refuses although it made the tweet, no slot gets two and within a day every tweet is on record."""
    refused_but_made(world, name, 3)


@pytest.mark.parametrize("number", range(len(ANSWERS)), ids=ANSWERS)
def test_no_slot_gets_two(world, number):
    """Whatever X says, whether it made the tweet and how far its timeline is behind: one tweet, one text, on record."""
    made, minutes, lag = [(True, 60, 45), (False, 1440, 90)][number % 2]
    one_tweet_a_slot(world, [*ANSWERS][number], made=made, lag=lag, minutes=minutes)
