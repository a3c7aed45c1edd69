"""What a month costs at the chosen pace, with and without links, and when a pace is too fast."""

import pytest

from src.config import Settings
from src.watch.costs import PACE, as_text, monthly


def text(**values):
    settings = Settings.model_validate(values)
    return as_text(monthly(settings), settings)


def test_a_month_of_hourly_posts():
    """Each part is posts times price: 720 posts, each read back twice."""
    cost = monthly(Settings())
    assert (cost.posts_a_day, cost.results) == (24, 0)
    assert (cost.plain, cost.linked, cost.audits) == pytest.approx((10.80, 144.0, 1.44))
    assert text() == (
        "24 posts a day cost about $10.80 a month, $144.00 if each has a link; reading them back $1.44; "
        + PACE
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"posts_per_day": 4}, "4 posts a day cost about $1.80 a month, $24.00 if each has a link"),
        ({"posts_per_day": 1}, "1 post a day costs about $0.45 a month"),
        ({"max_posts_per_day": 10}, "10 posts a day cost about $4.50 a month"),
        ({"results_after_days": 7}, "reading what became of them after 7 days $0.72"),
        ({"results_after_days": 1}, "reading what became of them after 1 day $0.72"),
        (
            {"monthly_budget_usd": 12},
            "more than MONTHLY_BUDGET_USD ($12): posting ends before the month does",
        ),
        ({"links": "own"}, "MONTHLY_BUDGET_USD ($20) does not carry a link in each"),
    ],
)
def test_what_is_said(values, words):
    """The line follows the pace, the cap, the results, the budget and the links."""
    assert words in text(**values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"posts_per_day": 6}, PACE),
        ({}, "MONTHLY_BUDGET_USD"),
        ({}, "what became of them"),
        ({"links": "own", "posts_per_day": 3}, "MONTHLY_BUDGET_USD"),
        ({"monthly_budget_usd": 12.24}, "MONTHLY_BUDGET_USD"),
    ],
)
def test_what_is_not_said(values, words):
    """Nothing is said of a budget that is enough, of results that are not read, or of a good pace."""
    assert words not in text(**values)
