"""The one order in which texts go out.

1. The text that is frozen for the slot, and one that waits because X refused the account.
2. Texts whose time has come, the earliest first.
3. Texts that the owner moved to the front.
4. The owner's own texts without a time.
5. Approved drafts.
6. Items of feeds.
7. Texts written ahead.
8. A new text.

Within each, the one that has waited longest goes first.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from src.domain import feeds
from src.domain.posts import Post

OWN = "person"  # the origin of a text that the owner wrote
FEED = feeds.ORIGIN
ORIGINS = {
    OWN: "yours",
    FEED: "feed",
    "model": "library, opening by the model",
    "wording": "library",
    "import": "read from the timeline",
    "seed": "the original program",
}
_NEVER = datetime.max.replace(tzinfo=UTC)


def in_order(posts: Iterable[Post], now: datetime) -> list[Post]:
    """Return the texts that may go out at `now`, the next one first."""
    ready = (post for post in posts if post.not_before is None or post.not_before <= now)
    return sorted(ready, key=_key)


def _key(post: Post) -> tuple[int, float, int]:
    waits = post.approved_at or post.queued_at
    since = waits.timestamp() if waits else 0.0
    if post.attempts:
        return 1, since, post.id
    if post.not_before:
        return 2, post.not_before.timestamp(), post.id
    if post.place is not None:
        return 3, post.place, post.id
    return _rank(post), since, post.id


def _rank(post: Post) -> int:
    if post.origin == OWN:
        return 4
    if post.origin == FEED:
        return 6
    return 5 if post.approved_at else 7


def origin_text(post: Post) -> str:
    """Return where a text comes from, for people."""
    origin = post.origin or ""
    name = ORIGINS.get(origin, origin)
    return f"{name}: {post.source_id}" if post.source_id else name


def is_written_ahead(post: Post) -> bool:
    """Return whether the program wrote this text for later, without a person's approval."""
    return post.queued_at is not None and post.approved_at is None and post.origin not in {OWN, FEED}
