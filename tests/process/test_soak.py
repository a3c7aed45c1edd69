"""A fortnight with random faults, and some databases hurt at random."""

from tests.support.soak import hurt_and_go_on, soak


def test_a_fortnight(stage):
    """Over 336 hours with 5 % faults, nearly every slot in which X took writes has its post, and each miss its cause."""
    tally, willing, posted, causes = soak(stage, 336, 7)
    assert posted >= 0.97 * willing
    assert all(causes)
    assert tally.doubled == tally.unrecorded == 0


def test_hurt_databases(stage):
    """Forty databases hurt at random after the slot's post: the slot is not posted again."""
    assert hurt_and_go_on(stage, 40, 1).doubled == 0
