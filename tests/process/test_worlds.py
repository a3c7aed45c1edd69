"""A fixed share of the random worlds."""

from tests.support.worlds import play_all


def test_worlds():
    """Twenty-five random worlds: no slot and no text twice, nothing forgotten, adopted or invented, no silence."""
    tally = play_all(range(25))
    assert tally.scenarios == 25
    assert tally.accepted > 100
    assert tally.doubled == tally.unrecorded == 0
