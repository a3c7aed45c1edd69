"""What the chosen pace costs at X in a month, and what pace most accounts do well with."""

from __future__ import annotations

from dataclasses import dataclass

from src.config import Settings
from src.domain import money
from src.domain.plurals import numbered

MONTH_DAYS = 30
AUDITS = 2  # in which each tweet is read
MOST_A_DAY = 6.0  # posts of an account that its followers keep reading
PACE = "most accounts do well with three to six posts a day, well apart (POSTS_PER_DAY=4)"


@dataclass(frozen=True, slots=True)
class MonthlyCost:
    """US dollars of a month of 30 days at the chosen pace.

    `plain` and `linked` are the posts without and with a link in each; `audits` and `results` come on top.
    """

    posts_a_day: float
    plain: float
    linked: float
    audits: float
    results: float

    @property
    def total(self) -> float:
        """Return what a month without links costs, all told."""
        return self.plain + self.audits + self.results


def monthly(settings: Settings) -> MonthlyCost:
    """Return what these settings cost in a month in which every slot gets its post."""
    a_day = min(settings.schedule.posts_per_day, float(settings.max_posts_per_day))
    posts = a_day * MONTH_DAYS
    return MonthlyCost(
        a_day,
        posts * settings.price_post_usd,
        posts * settings.price_link_post_usd,
        posts * AUDITS * settings.price_read_usd,
        posts * settings.price_read_usd if settings.results_after_days else 0.0,
    )


def as_text(cost: MonthlyCost, settings: Settings) -> str:
    """Return the cost in a line, with the budget where it is too small, and with a better pace."""
    posts = f"{cost.posts_a_day:.3g} posts a day cost" if cost.posts_a_day != 1 else "1 post a day costs"
    prices = f"{money.total(cost.plain)} a month, {money.total(cost.linked)} if each has a link"
    parts = [f"{posts} about {prices}", f"reading them back {money.total(cost.audits)}"]
    if settings.results_after_days:
        age = numbered(settings.results_after_days, "day")
        parts.append(f"reading what became of them after {age} {money.total(cost.results)}")
    if cost.total > settings.monthly_budget_usd:
        budget = money.budget(settings.monthly_budget_usd)
        parts.append(f"more than MONTHLY_BUDGET_USD ({budget}): posting ends before the month does")
    elif settings.links != "never" and cost.total - cost.plain + cost.linked > settings.monthly_budget_usd:
        budget = money.budget(settings.monthly_budget_usd)
        parts.append(f"MONTHLY_BUDGET_USD ({budget}) does not carry a link in each")
    if cost.posts_a_day > MOST_A_DAY:
        parts.append(PACE)
    return "; ".join(parts)
