"""What the fake X says of tweets that are asked for by their ids: figures, and which it does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.fake_x.faults import PROBLEMS
from tests.fake_x.memory import Stored
from tests.fake_x.timeline import item_of

METRICS = (
    "retweet_count",
    "reply_count",
    "like_count",
    "quote_count",
    "bookmark_count",
    "impression_count",
)
Figures = Callable[[Stored], dict[str, Any]]


def no_figures(_tweet: Stored) -> dict[str, Any]:
    """Return the figures of a tweet that nobody saw."""
    return dict.fromkeys(METRICS, 0)


def lookup_of(
    ids: Sequence[str], tweets: Iterable[Stored], figures: Figures, fields: str, *, links: bool
) -> dict[str, Any]:
    """Return the body of an answer: the tweets in the order of the ids, and an error for each that is missing."""
    shown = {str(i): tweet for tweet in tweets for i in tweet.ids}
    items = []
    for one in ids:
        if tweet := shown.get(one):
            item = item_of(tweet, links=links)
            items.append(item | {"public_metrics": figures(tweet)} if "public_metrics" in fields else item)
    errors = [gone(one) for one in ids if one not in shown]
    return {name: part for name, part in (("data", items), ("errors", errors)) if part}


def gone(tweet_id: str) -> dict[str, str]:
    """Return the error of a tweet that is not there."""
    return {
        "value": tweet_id,
        "detail": f"Could not find tweet with ids: [{tweet_id}].",
        "title": "Not Found Error",
        "resource_type": "tweet",
        "parameter": "ids",
        "resource_id": tweet_id,
        "type": PROBLEMS + "resource-not-found",
    }
