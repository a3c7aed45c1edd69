"""A post and the states it passes through.

Life of a post (the database refuses every other move):

    draft -> approved -> pending -> sending -> posted
                 ^          ^          |-> pending   provably not sent: the same text may go later in the slot
                 |          |          '-> unknown   it may be on X, whatever X answered: looked up first
                 |  made by this run                     |-> posted       found on the timeline
                 |                                       |-> failed       proven absent: the text was refused,
                 |                                       |                or nobody knows what X did with it
                 +---------------------------------------+-> approved     proven absent: X refused the account
                                                         |                and not the text, which goes first
                                                         '-> unconfirmed  given up after 48 hours; a person
                                                                          decides

X has answered errors for requests that it carried out. So a refusal proves nothing, and a tweet that is found
later still counts: `pending`, `approved`, `expired` and `failed` may become `posted`. A person's wrong word
about a tweet id is taken back: `posted` becomes `unconfirmed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
    Status.APPROVED: frozenset({Status.PENDING, Status.REJECTED, Status.DRAFT, Status.POSTED}),
    Status.REJECTED: frozenset({Status.DRAFT}),
    Status.PENDING: frozenset({Status.SENDING, Status.EXPIRED, Status.APPROVED, Status.POSTED}),
    Status.SENDING: frozenset({Status.PENDING, Status.POSTED, Status.UNKNOWN}),
    Status.UNKNOWN: frozenset({Status.POSTED, Status.FAILED, Status.APPROVED, Status.UNCONFIRMED}),
    Status.UNCONFIRMED: frozenset({Status.POSTED, Status.FAILED}),
    Status.FAILED: frozenset({Status.POSTED}),
    Status.POSTED: frozenset({Status.UNCONFIRMED}),
    Status.EXPIRED: frozenset({Status.POSTED}),
}
MAY_BE_ON_X = frozenset({Status.SENDING, Status.POSTED, Status.UNKNOWN, Status.UNCONFIRMED})


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
    approved_at: datetime | None = None
    resolved_by: str | None = None
    created_at: datetime | None = None
    not_before: datetime | None = None
    queued_at: datetime | None = None
    place: float | None = None

    @property
    def deleted_at(self) -> datetime | None:
        """Return when the owner deleted the tweet with `undo`, None if that was not done."""
        return self.vanished_at if self.resolved_by == "undo" else None
