"""When X is asked for results, and what stands of them."""

from datetime import UTC, datetime, timedelta

import pytest

from src.domain.answers import Outcome, SendResult
from src.domain.fixes import NO_FIX
from src.domain.results import MOST, Figures, Lookup, PostResult, Reading, is_time, latest_age

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
HOUR, MINUTE, SECOND = (timedelta(**{unit: 1}) for unit in ("hours", "minutes", "seconds"))


@pytest.mark.parametrize(
    ("ago", "time"),
    [
        (24 * HOUR, True),
        (24 * HOUR - 5 * MINUTE, True),  # cron starts no run to the second
        (24 * HOUR - 5 * MINUTE - SECOND, False),
        (timedelta(0), False),
        (-5 * MINUTE, False),
        (-5 * MINUTE - SECOND, True),  # a clock that was wrong
    ],
)
def test_when_x_is_asked_again(ago, time):
    """A day after the last time, less five minutes, and where that time lies ahead."""
    assert is_time(NOW - ago, NOW) is time
    assert is_time(None, NOW)


@pytest.mark.parametrize(
    ("figures", "reactions", "any_"),
    [
        (Figures(), None, False),
        (Figures(impressions=0), None, True),
        (Figures(9, 1, 2, 3, 4, 5), 15, True),
        (Figures(9, likes=0), 0, True),
    ],
)
def test_what_the_figures_say(figures, reactions, any_):
    """Impressions are no reaction; 0 is a figure, and None is none."""
    assert (figures.reactions, bool(figures)) == (reactions, any_)


def test_what_an_answer_says_by_itself():
    """A look-up and a reading without anything say nothing; X shows a hundred tweets in one request."""
    assert Lookup() == Lookup({}, frozenset(), 0, SendResult(Outcome.UNKNOWN))
    assert Reading() == Reading(0, "", NO_FIX)
    assert MOST == 100


def test_the_age_of_a_result():
    """It is told in whole days; figures stand for those at an age up to a day after its double."""
    assert PostResult(1, NOW, timedelta(days=8) - SECOND, Figures()).days == 7
    assert latest_age(7) == timedelta(days=15)
