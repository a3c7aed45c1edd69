"""X says no and posts all the same: every answer, whether it made the tweet, however far its timeline is behind."""

import pytest

from tests.support.lies import ANSWERS, LAGS, REFUSALS, one_tweet_a_slot, refused_but_made


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("name", REFUSALS)
def test_refused_but_made(world, name, times):
    """Whatever X refuses although it made the tweet, no slot gets two and within a day every tweet is on record."""
    refused_but_made(world, name, times)


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("minutes", [60, 1440])
def test_no_slot_gets_two(world, name, made, lag, minutes):
    """Whatever X says, whether it made the tweet and how far its timeline is behind: one tweet, one text, on record."""
    one_tweet_a_slot(world, name, made=made, lag=lag, minutes=minutes)
