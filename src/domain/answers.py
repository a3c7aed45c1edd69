"""What X answers: the outcome of a request, rate limits, tweets and reads of the timeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

TWITTER_EPOCH_MS = 1288834974657
MAX_TWEET_ID = 2**63 - 1


class Outcome(StrEnum):
    """What one request to post came to. `twitter_handler` decides it; nobody else reads X's answers."""

    POSTED = "posted"  # X gave a tweet id
    REFUSED = "refused"  # X will not have this text; another one may go
    DUPLICATE = "duplicate"  # X says it is there already: a hint, not an outcome, so look
    BLOCKED = "blocked"  # account, app or money: a person has to act
    LATER = "later"  # a limit: wait until `until`
    NOT_SENT = "not_sent"  # the server saw nothing: safe to try again
    UNKNOWN = "unknown"  # anything else: it may be on X


UNSENT = frozenset({Outcome.NOT_SENT, Outcome.LATER, Outcome.BLOCKED})


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One rate-limit window that X reported: how many requests are left and when it resets (UTC)."""

    name: str
    limit: int
    remaining: int
    reset: datetime


@dataclass(frozen=True, slots=True)
class SendResult:
    """X's answer to one request, understood. `until` (UTC) is set for LATER, `fix` says what the owner can do."""

    outcome: Outcome
    tweet_id: int | None = None
    http_status: int | None = None
    reason: str = ""
    detail: str = ""
    fix: str = ""
    until: datetime | None = None
    transaction_id: str = ""
    latency_ms: int = 0
    limits: tuple[RateLimit, ...] = ()


@dataclass(frozen=True, slots=True)
class Tweet:
    """A tweet as the timeline shows it. `text` is X's rendering (`&amp;`, t.co links), `at` comes from the id."""

    id: int
    text: str

    @property
    def at(self) -> datetime:
        return snowflake_time(self.id)


@dataclass(frozen=True, slots=True)
class TimelineRead:
    """One owned read. Absence is evidence only in a `healthy` one; `tweets` are newest first."""

    tweets: tuple[Tweet, ...] = ()
    healthy: bool = False
    complete: bool = False
    result: SendResult = field(default_factory=lambda: SendResult(Outcome.UNKNOWN))


def snowflake_time(tweet_id: int) -> datetime:
    """When X made the tweet, read from its id (millisecond resolution, UTC)."""
    return datetime.fromtimestamp(((tweet_id >> 22) + TWITTER_EPOCH_MS) / 1000, UTC)


def tweet_url(tweet_id: int | None) -> str:
    """Where a tweet can be seen."""
    return f"https://x.com/i/web/status/{tweet_id}" if tweet_id else "no tweet id"
