"""The shared vocabulary: what a post is, the states it passes through, and what a step can answer. No I/O.

Life of a post (the database refuses every other move):

    draft -> approved -> pending -> sending -> posted
                            ^          |-> pending   provably not sent: the same text may go later in the slot
                            |          |-> failed    X refused this text; the slot is free again
      made by this run -----+          '-> unknown   it may be on X: never sent again, looked up instead
                                             |-> posted       found on the timeline
                                             |-> failed       proven absent by two healthy reads
                                             '-> unconfirmed  given up after 48 hours; a person decides

A tweet that X made although it said no is found later: `pending`, `expired` and `failed` may still become `posted`.
"""

from __future__ import annotations

import hashlib
import html
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum

TWITTER_EPOCH_MS = 1288834974657
MAX_TWEET_ID = 2**63 - 1


class Status(StrEnum):
    """Where a post stands. The values are what the `status` column holds."""

    DRAFT = "draft"
    APPROVED = "approved"
    REJECTED = "rejected"
    PENDING = "pending"
    SENDING = "sending"
    POSTED = "posted"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNCONFIRMED = "unconfirmed"
    EXPIRED = "expired"


LEGAL_MOVES: dict[Status, frozenset[Status]] = {
    Status.DRAFT: frozenset({Status.APPROVED, Status.REJECTED}),
    Status.APPROVED: frozenset({Status.PENDING, Status.REJECTED, Status.DRAFT}),
    Status.REJECTED: frozenset({Status.DRAFT}),
    Status.PENDING: frozenset({Status.SENDING, Status.EXPIRED, Status.APPROVED, Status.POSTED}),
    Status.SENDING: frozenset({Status.PENDING, Status.POSTED, Status.FAILED, Status.UNKNOWN}),
    Status.UNKNOWN: frozenset({Status.POSTED, Status.FAILED, Status.UNCONFIRMED}),
    Status.UNCONFIRMED: frozenset({Status.POSTED, Status.FAILED}),
    Status.FAILED: frozenset({Status.POSTED}),
    Status.POSTED: frozenset(),
    Status.EXPIRED: frozenset({Status.POSTED}),
}
MAY_BE_ON_X = frozenset({Status.SENDING, Status.POSTED, Status.UNKNOWN, Status.UNCONFIRMED})


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


@dataclass(frozen=True, slots=True)
class Post:
    """One row of `posts`. Times are UTC-aware; `slot` is the UTC interval it was claimed for."""

    id: int
    content: str
    status: Status
    posted_at: datetime | None = None
    error_message: str | None = None
    slot: str | None = None
    tweet_id: int | None = None
    attempts: int = 0
    sent_at: datetime | None = None
    since_id: int = 0
    absent: int = 0
    absent_at: datetime | None = None
    duplicate: bool = False
    source_id: str | None = None
    topic: str | None = None
    origin: str | None = None
    opening: str | None = None
    verified_at: datetime | None = None
    vanished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that passed every gate and waits for its slot. `origin` is model, wording or person."""

    content: str
    origin: str
    source_id: str = ""
    topic: str = ""
    opening: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gates say of a text: the reason codes of those that refused it, empty when it may go out."""

    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Candidate:
    """One opening the model wrote for one statement, its score (higher is better) and its verdict."""

    source_id: str
    opening: str
    score: float
    verdict: Verdict
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """What a new text must be fresh against. `texts` and `openings` of the cool-down and `topics`, newest first.

    `last_used` is when each statement last ran, `sent` the texts of each statement over all of history: those that
    are or may be on X, and those that wait to go there.
    """

    texts: tuple[str, ...] = ()
    openings: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    last_used: dict[str, datetime] = field(default_factory=dict)
    sent: dict[str, frozenset[str]] = field(default_factory=dict)

    def with_draft(self, draft: Draft, now: datetime) -> History:
        """Return the history as it will be once this draft is out."""
        openings = (draft.opening, *self.openings) if draft.opening else self.openings
        sent, used = dict(self.sent), dict(self.last_used)
        if draft.source_id:
            sent[draft.source_id] = sent.get(draft.source_id, frozenset()) | {draft.content}
            used[draft.source_id] = now
        return History((draft.content, *self.texts), openings, (draft.topic, *self.topics), used, sent)


@dataclass(frozen=True, slots=True)
class Composition:
    """What `compose` brings back: the draft, if any, every candidate it judged, and words for the log."""

    draft: Draft | None
    candidates: tuple[Candidate, ...] = ()
    notes: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PinLogin:
    """What `login` brought: an OAuth 1.0a token pair, which does not expire. `at` is when (UTC)."""

    token: str = field(repr=False)
    token_secret: str = field(repr=False)
    at: datetime

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.token, self.token_secret


@dataclass(frozen=True, slots=True)
class RenewableLogin:
    """What `login --oauth2` brought, or X gave in exchange since: OAuth 2.0 tokens of one account. Times UTC.

    The access token ends at `expires_at`. The refresh token is good for one renewal, which gives two new tokens.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: datetime
    issued_at: datetime
    user_id: str = field(repr=False)
    scopes: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.access, self.refresh


class Exit(IntEnum):
    """Exit codes; 64 and up follow sysexits.h. Cron mails what is printed, monitors read these."""

    OK = 0
    USAGE = 2
    NO_CONTENT = 69
    BUG = 70
    IO = 74
    TEMPORARY = 75
    UNKNOWN = 76
    BLOCKED = 77
    CONFIG = 78


class Trouble(Exception):
    """A failure with an exit code and, in `fix`, words that tell the owner what to do."""

    exit_code = Exit.BUG

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class ConfigTrouble(Trouble):
    """Settings, files or permissions that only the owner can change."""

    exit_code = Exit.CONFIG


class DatabaseTrouble(Trouble):
    """The database or the disk under it. The file is never deleted."""

    exit_code = Exit.IO


class UsageTrouble(Trouble):
    """A command that cannot be carried out as typed."""

    exit_code = Exit.USAGE


@dataclass(frozen=True, slots=True)
class TickResult:
    """How one tick ended: its exit code, a word for the log and metrics, and a sentence for people."""

    exit_code: Exit
    outcome: str
    message: str
    fix: str = ""
    post_id: int | None = None
    tweet_id: int | None = None
    notes: tuple[str, ...] = ()


def snowflake_time(tweet_id: int) -> datetime:
    """When X made the tweet, read from its id (millisecond resolution, UTC)."""
    return datetime.fromtimestamp(((tweet_id >> 22) + TWITTER_EPOCH_MS) / 1000, UTC)


def tweet_url(tweet_id: int | None) -> str:
    """Where a tweet can be seen."""
    return f"https://x.com/i/web/status/{tweet_id}" if tweet_id else "no tweet id"


def slot_of(now: datetime, minutes: int) -> str:
    """The slot `now` falls in, named by its start: `2026-11-22T14:00Z`. Slots count from the Unix epoch in UTC."""
    length = minutes * 60
    start = int(now.timestamp()) // length * length
    return datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%MZ")


def slot_start(slot: str) -> datetime:
    """The UTC instant at which a slot begins."""
    return datetime.strptime(slot, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)


def next_slot(now: datetime, minutes: int) -> datetime:
    """The UTC instant at which the slot after `now`'s begins."""
    return slot_start(slot_of(now, minutes)) + timedelta(minutes=minutes)


def same_text(shown: str, sent: str) -> bool:
    """Whether a timeline shows the text we sent: X escapes HTML, normalises to NFC and folds white space."""
    return _normal(html.unescape(shown)) == _normal(sent)


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def fingerprint(text: str) -> str:
    """A short hash under which texts that differ only in case, punctuation or spacing are the same (hex, 32 digits)."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(c if c.isalnum() else " " for c in folded).split()
    return hashlib.sha256(" ".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:32]
