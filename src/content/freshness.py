"""How long the library lasts: texts that were not sent yet, cool-downs, posts a day. Pure functions."""

from __future__ import annotations

import heapq
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from src.config import Settings
from src.content.library import Statement
from src.domain.texts import History

HORIZON_DAYS = 366


_HASHTAGS = re.compile(r"(?: #\w+)+$")


@dataclass(frozen=True, slots=True)
class Supply:
    """The rest of the library: statements, those that may run now, texts not sent, and the days these last.

    `days` is None where they last longer than a year.
    """

    total: int
    fresh: int
    texts: int
    days: float | None


def posts_per_day(settings: Settings) -> float:
    """Return how many posts a day the settings allow, quiet hours aside."""
    return min(1440 / settings.post_interval_minutes, settings.max_posts_per_day)


def is_fresh(settings: Settings, used: datetime | None, now: datetime) -> bool:
    """Return whether the cool-down of a statement that last ran at `used` (None: never) is over."""
    return used is None or now - used >= timedelta(days=settings.cooldown_days)


def joined(opening: str, text: str) -> str:
    """Return the tweet that an opening and a text make; the text alone where the opening is empty."""
    return f"{opening}\n\n{text}" if opening else text


def unsent(statement: Statement, sent: Collection[str]) -> list[tuple[str, str]]:
    """Return the vetted (opening, text) pairs of a statement that were not sent.

    The opening is empty for the text alone. Wordings used least come first. `sent` are the statement's tweets
    on record; their hashtags make no other text.
    """
    tweets = {_HASHTAGS.sub("", tweet) for tweet in sent}
    times_used = {text: sum(tweet.endswith(text) for tweet in tweets) for text in statement.texts}
    by_use = sorted(statement.texts, key=times_used.__getitem__)
    return [
        (opening, text)
        for text in by_use
        for opening in (*statement.openings, "")
        if joined(opening, text) not in tweets
    ]


def supply(settings: Settings, statements: Iterable[Statement], history: History, now: datetime) -> Supply:
    """Return how long the vetted texts of these statements last at the pace that the settings allow."""
    left = {s.id: len(unsent(s, history.sent.get(s.id, ()))) for s in statements}
    waits = {
        name: 0.0
        if is_fresh(settings, history.last_used.get(name), now)
        else _days_until_back(settings, history.last_used, name, now)
        for name, texts in left.items()
        if texts
    }
    days = days_left(
        [(wait, left[name]) for name, wait in waits.items()], posts_per_day(settings), settings.cooldown_days
    )
    return Supply(len(left), sum(wait == 0 for wait in waits.values()), sum(left.values()), days)


def _days_until_back(
    settings: Settings, last_used: Mapping[str, datetime], name: str, now: datetime
) -> float:
    return (last_used[name] + timedelta(days=settings.cooldown_days) - now) / timedelta(days=1)


def days_left(stock: Iterable[tuple[float, int]], per_day: float, cooldown_days: float) -> float | None:
    """Return the days until a post finds no text; None if that does not come within a year.

    There are `per_day` posts. `stock` has one pair a statement: the days until it may run, and how many texts
    it has. After each use it rests for `cooldown_days`.
    """
    waiting = [
        (wait, -texts) for wait, texts in stock if texts
    ]  # of those that are back at once, the one with most texts first
    heapq.heapify(waiting)
    for number in range(int(HORIZON_DAYS * per_day) + 1):
        day = number / per_day
        if not waiting or waiting[0][0] > day + 1e-9:
            return day
        _, texts = heapq.heappop(waiting)
        if texts < -1:
            heapq.heappush(waiting, (day + cooldown_days, texts + 1))
    return None
