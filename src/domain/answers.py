"""What X answers: the outcome of a request, rate limits, tweets and reads of the timeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from src.domain.fixes import NO_FIX, Fix

TWITTER_EPOCH_MS = 1288834974657
MAX_TWEET_ID = 2**63 - 1


class Outcome(StrEnum):
    """The outcome of one request to X. `x.responses` and `x.session` decide it, no other module."""

    POSTED = "posted"  # a POST made a tweet, and X gave its id
    DONE = "done"  # another request was carried out: a delete, a read, a renewal of the login
    REFUSED = "refused"  # X does not accept this text; another one may be sent
    DUPLICATE = "duplicate"  # X says that the text is there already: a hint only, so the timeline is read
    BLOCKED = "blocked"  # account, app or money: a person has to act
    LATER = "later"  # a limit: wait until `until`
    NOT_SENT = "not_sent"  # no connection: X received nothing, so trying again is safe
    UNKNOWN = "unknown"  # anything else: X may have carried out the request


# X refused the account, the app or the money, and not the text.
ACCOUNT_REFUSED = frozenset({Outcome.LATER, Outcome.BLOCKED})
# X said that it made no tweet. It has said so of requests that it carried out.
REFUSALS = frozenset({Outcome.REFUSED, Outcome.DUPLICATE, *ACCOUNT_REFUSED})
# Not entered in the ledger when the answer comes, but when the tweet is found after all.
NOT_BILLED = frozenset({Outcome.NOT_SENT, Outcome.REFUSED, *ACCOUNT_REFUSED})
# An id of X's may differ by this much from the clock that it is compared with.
CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One rate-limit window that X reported: how many requests are left and when it resets (UTC)."""

    name: str
    limit: int
    remaining: int
    reset: datetime


@dataclass(frozen=True, slots=True)
class Profile:
    """What X tells of the account: its name without the @ (empty), and how many tweets it has (None)."""

    name: str = ""
    tweets: int | None = None


@dataclass(frozen=True, slots=True)
class SendResult:
    """X's answer to one request. `until` (UTC) is set for LATER, `fix` says what the owner can do."""

    outcome: Outcome
    tweet_id: int | None = None
    http_status: int | None = None
    reason: str = ""
    detail: str = ""
    fix: Fix = NO_FIX
    until: datetime | None = None
    transaction_id: str = ""
    latency_ms: int = 0
    limits: tuple[RateLimit, ...] = ()


@dataclass(frozen=True, slots=True)
class Tweet:
    """A tweet as the timeline shows it: `text` is X's rendering (`&amp;`, t.co links).

    Each edit gives a tweet a new id. `earlier` holds the ids before the edits, of which the first is the one
    that X named when the tweet was made.
    """

    id: int
    text: str
    earlier: tuple[int, ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of all versions."""
        return (*self.earlier, self.id)

    @property
    def first_id(self) -> int:
        """The id under which X made it."""
        return min(self.ids)

    @property
    def at(self) -> datetime:
        """The time at which X made it, from its first id (UTC)."""
        return snowflake_time(self.first_id)


@dataclass(frozen=True, slots=True)
class TimelineRead:
    """One owned read, of a page or of several.

    Absence is evidence only in one that is `healthy`, without odd items, and `complete`: X has no older tweet
    to show in the range that was asked for. `odd` counts the items that could not be understood: each may be
    any tweet, so none is absent. `oldest_id` is the lowest id shown, 0 where there is none. `more`: X says
    that it has older tweets to show.
    """

    tweets: tuple[Tweet, ...] = ()
    healthy: bool = False
    complete: bool = False
    odd: int = 0
    oldest_id: int = 0
    more: bool = False
    result: SendResult = field(default_factory=lambda: SendResult(Outcome.UNKNOWN))


def snowflake_time(tweet_id: int) -> datetime:
    """Return the time at which X made the tweet, from its id (milliseconds, UTC)."""
    return datetime.fromtimestamp(((tweet_id >> 22) + TWITTER_EPOCH_MS) / 1000, UTC)


def tweet_id_text(tweet_id: int | None) -> str | None:
    """Return an id for JSON: as a number JavaScript and jq would round it."""
    return str(tweet_id) if tweet_id else None


def tweet_url(tweet_id: int | None) -> str:
    """Return the address of a tweet."""
    return f"https://x.com/i/web/status/{tweet_id}" if tweet_id else "no tweet id"
