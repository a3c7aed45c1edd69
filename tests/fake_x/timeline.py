"""What a page of the timeline shows: whole and in order, or as X has shown it on bad days."""

from __future__ import annotations

import hashlib
import html
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.fake_x.memory import Stored

_LINKS = re.compile(
    r"[A-Za-z0-9]+\.(?:to|is|io|qqq)"
)  # qqq: a domain that the program's list does not have yet
ODD_ITEMS: tuple[Any, ...] = (None, {"id": "x", "text": "odd"}, {"text": "without an id"}, {"id": "7"})


def short_links(text: str) -> str:
    """Return a text with t.co in the place of what X takes for a link, as in `asyncio.to_thread`."""
    return _LINKS.sub(lambda m: "https://t.co/" + hashlib.md5(m[0].encode()).hexdigest()[:10], text)


class Look(Protocol):
    """How X shows its timeline."""

    def size(self, asked: int) -> int:
        """Return how many items the page may have."""
        ...

    def shown(self, items: list[Any]) -> list[Any]:
        """Return what is shown of the items of a page."""
        ...


class Honest:
    """Every item, once, newest first, as many as were asked for."""

    def size(self, asked: int) -> int:
        return asked

    def shown(self, items: list[Any]) -> list[Any]:
        return items


@dataclass
class Liar:
    """Pages of any size, items left out, repeated, out of order or odd.

    No item is left out twice in succession of the pages that it belongs to: an X that hides a tweet for good
    cannot be told from one that never made it.
    """

    rng: random.Random
    sizes: tuple[int, ...] = ()  # empty: as many as were asked for
    left_out: float = 0.0  # the share of items
    repeated: float = 0.0  # the share of pages
    shuffled: bool = False
    odd: float = 0.0  # the share of pages
    garbled: float = 0.0  # the share of pages whose newest item is one that cannot be understood
    _missing: set[str] = field(default_factory=set)

    def size(self, asked: int) -> int:
        return min(asked, self.rng.choice(self.sizes)) if self.sizes else asked

    def shown(self, items: list[Any]) -> list[Any]:
        shown = [item for item in items if not self._leaves_out(item["id"])]
        if shown and self.rng.random() < self.repeated:
            shown.insert(self.rng.randrange(len(shown) + 1), self.rng.choice(shown))
        if self.shuffled:
            self.rng.shuffle(shown)
        if self.rng.random() < self.odd:
            place = self.rng.randrange(len(shown) + 1)
            shown[place : place + self.rng.randrange(2)] = [self.rng.choice(ODD_ITEMS)]
        if self.garbled and self.rng.random() < self.garbled:
            shown[:1] = [ODD_ITEMS[0]]
        return shown

    def _leaves_out(self, tweet_id: str) -> bool:
        if tweet_id in self._missing:
            self._missing.discard(tweet_id)
            return False
        if self.rng.random() < self.left_out:
            self._missing.add(tweet_id)
            return True
        return False


def item_of(tweet: Stored, *, links: bool) -> dict[str, Any]:
    """Return a tweet as an item: its newest version, escaped, with the ids of all of its versions."""
    text = tweet.edited or tweet.text
    return {
        "id": str(tweet.ids[-1]),
        "text": html.escape(short_links(text) if links else text, quote=False),
        "edit_history_tweet_ids": [str(i) for i in tweet.ids],
    }


def page_of(
    tweets: Iterable[Stored], start: int, count: int, look: Look, *, links: bool
) -> tuple[list[Any], dict[str, Any]]:
    """Return the items of a page of these tweets, newest first, and what X says of it (`meta`)."""
    rest = sorted(tweets, key=lambda t: -t.ids[-1])[start:]
    page = rest[: look.size(count)]
    items = look.shown([item_of(t, links=links) for t in page])
    meta: dict[str, Any] = {"result_count": len(items)}
    if page:
        shown = [i["id"] for i in items if isinstance(i, dict) and str(i.get("id")).isdigit()]
        ids = sorted(map(int, shown)) or [page[-1].ids[-1], page[0].ids[-1]]
        meta |= {"newest_id": str(ids[-1]), "oldest_id": str(ids[0])}
    if len(rest) > len(page):
        meta["next_token"] = str(start + len(page))
    return items, meta
