"""Amounts of money as people and programs read them."""

import pytest

from src.domain import money


@pytest.mark.parametrize(
    ("amount", "price", "total", "budget"),
    [
        (0.015, "$0.015", "$0.01", "$0.015"),
        (12.4, "$12.400", "$12.40", "$12.4"),
        (100.0, "$100.000", "$100.00", "$100"),
    ],
)
def test_amounts(amount, price, total, budget):
    """A price shows tenths of a cent, a total cents, a budget what was typed."""
    assert (money.price(amount), money.total(amount), money.budget(amount)) == (price, total, budget)


def test_exact():
    """A sum of prices carries no noise of floating point."""
    assert money.exact(sum([0.015] * 7)) == 0.105
    assert money.exact(0.1234567) == 0.123457
