"""X's own library as the oracle, over 100,000 random texts."""

import pytest

from tests.support.x_oracle import STRICTER, compare, near_misses


@pytest.mark.needs("twitter-text")
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_random_texts(seed):
    """The same for ten times 10,000 other texts."""
    laxer, stricter = compare(near_misses(seed, 10_000))
    print(dict(stricter))
    assert laxer == []
    assert set(stricter) <= set(STRICTER)
