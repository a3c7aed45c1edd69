"""What became of posts: the public figures of a tweet, read from X once, at a fixed age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from src.domain.answers import Outcome, SendResult
from src.domain.fixes import NO_FIX, Fix
from src.domain.times import CRON_JITTER

MOST = 100  # tweets that X shows in one request
EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Figures:
    """The public figures of one tweet; None is one that X did not give, and all are where it has no tweet."""

    impressions: int | None = None
    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    bookmarks: int | None = None
    quotes: int | None = None

    @property
    def reactions(self) -> int | None:
        """Return how often somebody did anything with the tweet but see it, None where X does not say."""
        known = (self.likes, self.reposts, self.replies, self.bookmarks, self.quotes)
        counts = [count for count in known if count is not None]
        return sum(counts) if counts else None

    def __bool__(self) -> bool:
        return any(count is not None for count in asdict(self).values())


@dataclass(frozen=True, slots=True)
class Due:
    """A post whose result is to be read."""

    post_id: int
    tweet_id: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """X's answer to one request for tweets: their figures by tweet id, and the ids that it has no tweet for.

    An id in neither was not answered. `shown` is how many tweets came, which X bills. Only where the result
    is DONE the rest counts.
    """

    figures: Mapping[int, Figures] = field(default_factory=dict)
    missing: frozenset[int] = frozenset()
    shown: int = 0
    result: SendResult = field(default_factory=lambda: SendResult(Outcome.UNKNOWN))


@dataclass(frozen=True, slots=True)
class PostResult:
    """The result of one post, read at `read_at` (UTC), when its tweet was of this age."""

    post_id: int
    read_at: datetime
    age: timedelta
    figures: Figures

    @property
    def days(self) -> int:
        """Return the age in whole days."""
        return self.age // timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """How the latest consecutive reads failed; `failures` is 0 after a good one."""

    failures: int = 0
    detail: str = ""
    fix: Fix = NO_FIX


def latest_age(days: int) -> timedelta:
    """Return up to which age the figures still stand for those at `days`.

    Reads are a day apart, and a machine may be off. A much older tweet was not seen at that age.
    """
    return timedelta(days=2 * days + 1)


def is_time(last: datetime | None, now: datetime) -> bool:
    """Return whether X may be asked again. A last time that lies ahead was set by a clock that was wrong."""
    return last is None or not now - EVERY + CRON_JITTER < last <= now + CRON_JITTER
