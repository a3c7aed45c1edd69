"""Names of slots, which get one tweet each, and what has been used of slot, day and month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from src.domain.posts import Status


@dataclass(frozen=True, slots=True)
class Usage:
    """The use of slot, day and month. Money in US dollars; times are X's own where X gave an id.

    `last_sent` is of any tweet on record, `last_in_slot` of those that filled a slot.
    """

    slot_status: Status | None
    last_sent: datetime | None
    sent_24h: int
    spent_24h: float
    spent_month: float
    last_in_slot: datetime | None = None


def slot_name(start: datetime) -> str:
    """Return the name of the slot that begins at `start`: `2026-11-22T14:00Z`."""
    return start.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def slot_start(slot: str) -> datetime:
    """Return the UTC instant at which a slot begins."""
    return datetime.fromisoformat(slot.removesuffix("Z")).replace(tzinfo=UTC)


def extra_slot(now: datetime) -> str:
    """Return the slot of a post beside the slots: it is named by its second, so that it is none of theirs."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_extra(slot: str) -> bool:
    """Return whether a slot is one of a post beside the slots."""
    return len(slot) > len("2026-11-22T14:00Z")


def require_interval(minutes: int) -> int:
    """Return the length of a slot. Raises `ValueError` unless slots of that length divide a day."""
    if 1440 % minutes:
        message = "must divide a day: 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720 or 1440 do"
        raise ValueError(message)
    return minutes
