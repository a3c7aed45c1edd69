"""Feeds and their items: what an item is known by, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from src.domain.times import CRON_JITTER

FIELDS = ("title", "summary", "link", "version", "project", "hashtags", "opening")  # of a template
OPENING = "{opening}"  # the model's, in a template
ORIGIN = "feed"  # of a post that an item became
LONGEST_PAUSE = timedelta(days=1)  # after failures, or because a server asks to wait


class Answer(StrEnum):
    """How the last read of a feed ended. The values stand in the database and in `--json`."""

    NEW = "new"  # a document came
    SAME = "same"  # 304: nothing has changed
    GONE = "gone"  # 410: the feed has ended
    LATER = "later"  # the server asks to wait
    FAILED = "failed"


class ItemState(StrEnum):
    """What became of an item. The values stand in the database and in `--json`."""

    SEEN = "seen"  # it was there at the first read
    QUEUED = "queued"  # its text is a post, which has a state of its own
    SKIPPED = "skipped"  # no text that may go out could be made of it


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a feed, as plain bounded text. `keys` are what it is known by: equal keys, equal items.

    `version` and `project` are set for a release. `dated` is what the feed claims (UTC).
    """

    title: str
    link: str
    summary: str = ""
    version: str = ""
    project: str = ""
    tags: tuple[str, ...] = ()
    dated: datetime | None = None
    prerelease: bool = False
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server gave with a document, to be sent back as it came: then 304 says that nothing changed."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """What is kept of a feed. Times UTC; `read_at` is None before the first good read, `next_at` is due then.

    `failures` are consecutive. An `ended` feed is asked no more.
    """

    address: str
    validators: Validators
    read_at: datetime | None
    next_at: datetime | None
    failures: int
    answer: Answer | None
    detail: str
    ended: bool

    @classmethod
    def unread(cls, address: str) -> Self:
        """Return the record of a feed that was never asked."""
        return cls(address, Validators(), None, None, 0, None, "", ended=False)

    def is_due(self, now: datetime, pause: timedelta) -> bool:
        """Return whether it is time to ask this feed, which is asked every `pause`.

        A next read that lies further ahead than any pause was set by a clock that was wrong.
        """
        if self.ended:
            return False
        possible = now + max(pause, LONGEST_PAUSE) + CRON_JITTER
        return self.next_at is None or not now + CRON_JITTER < self.next_at <= possible


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of one new item: a text for the queue, or the reason why there is none.

    `approved`: nobody needs to look at the text. `note` is what a person should know before approving it.
    """

    item: Item
    state: ItemState
    text: str = ""
    approved: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class KeptItem:
    """An item on record: its number, when it was first seen (UTC), and what became of it."""

    id: int
    feed: str
    item: Item
    seen_at: datetime
    state: ItemState
    reason: str
    post_id: int | None
