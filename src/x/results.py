"""What X's answer to a request for tweets says of their public figures: pure, total over any answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from src.domain.answers import Outcome, SendResult
from src.domain.results import Figures, Lookup
from src.x.responses import FIX_CLOCK, clock_is_off, json_object, read_error

# The names of X's `public_metrics`, in the order of `Figures`.
METRICS = (
    "impression_count",
    "like_count",
    "retweet_count",
    "reply_count",
    "bookmark_count",
    "quote_count",
)
MOST_COUNTED = 10**15  # what is more is no count
_GONE = "resource-not-found"


def read_lookup(
    tweet_ids: Collection[int], status: int, headers: Mapping[str, str], body: str, now: datetime
) -> Lookup:
    """Return what X says of these tweets. DONE: 200, well-formed, by a right clock.

    An id counts as missing only where X says so. What was not asked for is left out.
    """
    data = json_object(body)
    if status != 200 or data is None:
        return Lookup(result=_unread(status, headers, body, now))
    items, errors = data.get("data", []), data.get("errors", [])
    if not isinstance(items, list) or not isinstance(errors, list) or not (items or errors):
        return Lookup(result=SendResult(Outcome.UNKNOWN, reason="malformed-tweets", http_status=status))
    if clock_is_off(headers, now):  # the age of a tweet goes by the clock
        result = SendResult(Outcome.UNKNOWN, reason="clock", http_status=status, fix=FIX_CLOCK)
        return Lookup(shown=len(items), result=result)
    asked = {str(tweet_id): tweet_id for tweet_id in tweet_ids}
    figures: dict[int, Figures] = {}
    for item in items:
        tweet_id = _asked_id(item, asked, "id")
        if tweet_id is not None:
            figures.setdefault(tweet_id, _figures(item.get("public_metrics")))
    missing = {_asked_id(error, asked, "value", "resource_id") for error in errors if _is_gone(error)}
    gone = frozenset(tweet_id for tweet_id in missing if tweet_id is not None and tweet_id not in figures)
    return Lookup(figures, gone, len(items), SendResult(Outcome.DONE, http_status=status))


def _figures(metrics: object) -> Figures:
    given = metrics if isinstance(metrics, dict) else {}
    return Figures(*(_count(given.get(name)) for name in METRICS))


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MOST_COUNTED else None


def _asked_id(item: Any, asked: Mapping[str, int], *names: str) -> int | None:
    """Return the tweet id that an item or an error names, None for one that was not asked for."""
    values = [item.get(name) for name in names] if isinstance(item, dict) else []
    return next((asked[value] for value in values if isinstance(value, str) and value in asked), None)


def _is_gone(error: object) -> bool:
    kind = error.get("type") if isinstance(error, dict) else None
    return isinstance(kind, str) and kind.rstrip("/").rpartition("/")[2] == _GONE


def _unread(status: int, headers: Mapping[str, str], body: str, now: datetime) -> SendResult:
    result = read_error(status, headers, body, now)
    if result.outcome in {Outcome.DUPLICATE, Outcome.REFUSED}:  # these are about texts, and none was sent
        return SendResult(Outcome.UNKNOWN, reason=f"http-{status}", http_status=status, detail=result.detail)
    return result
