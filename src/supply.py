"""How long the library lasts: statements that are fresh, those that come back after their cool-down, posts a day. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from src.config import Settings

HORIZON_DAYS = 366


@dataclass(frozen=True, slots=True)
class Supply:
    """Statements in all, those fresh now, and the days they last (None: longer than anybody need plan for)."""

    total: int
    fresh: int
    days: float | None


def posts_per_day(settings: Settings) -> float:
    """How many posts a day the settings allow, quiet hours aside."""
    return min(1440 / settings.post_interval_minutes, settings.max_posts_per_day)


def is_fresh(settings: Settings, used: datetime | None, now: datetime) -> bool:
    """Whether a statement that last ran at `used` (None: never) may run again: its cool-down is over."""
    return used is None or now - used >= timedelta(days=settings.cooldown_days)


def supply(settings: Settings, statements: Iterable[str], last_used: Mapping[str, datetime], now: datetime) -> Supply:
    """How long the library lasts. `statements` are their ids, `last_used` when each last ran."""
    known = set(statements)
    cooldown = timedelta(days=settings.cooldown_days)
    back = sorted(used + cooldown for name, used in last_used.items() if name in known and not is_fresh(settings, used, now))
    fresh = len(known) - len(back)
    waits = [max((at - now) / timedelta(days=1), 0.0) for at in back]
    return Supply(len(known), fresh, days_left(fresh, waits, posts_per_day(settings), settings.cooldown_days))


def days_left(fresh: int, waits: Iterable[float], per_day: float, cooldown_days: float) -> float | None:
    """Days until no statement is fresh, at `per_day` posts; `waits` are the days until each used one is back, ascending.

    None if that does not come within a year, or ever: what is used is back after `cooldown_days`.
    """
    back = deque(waits)
    for number in range(int(min(2 * cooldown_days, HORIZON_DAYS) * per_day) + 1):  # after two rounds it repeats itself
        day = number / per_day
        while back and back[0] <= day + 1e-9:
            back.popleft()
            fresh += 1
        if not fresh:
            return day
        fresh -= 1
        back.append(day + cooldown_days)
    return None
