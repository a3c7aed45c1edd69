"""Slots: the UTC intervals that get one tweet each, named by their start, and what has been used of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from src.domain.posts import Status


@dataclass(frozen=True, slots=True)
class Usage:
    """The use of slot, day and month. Money in US dollars; `last_sent` is X's own time where X gave an id."""

    slot_status: Status | None
    last_sent: datetime | None
    sent_24h: int
    spent_24h: float
    spent_month: float


def slot_of(now: datetime, minutes: int) -> str:
    """Return the slot of `now`, named by its start: `2026-11-22T14:00Z`. Slots count from the Unix epoch."""
    length = minutes * 60
    start = int(now.timestamp()) // length * length
    return datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%MZ")


def slot_start(slot: str) -> datetime:
    """Return the UTC instant at which a slot begins."""
    return datetime.strptime(slot, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)


def next_slot(now: datetime, minutes: int) -> datetime:
    """Return the UTC instant at which the slot after `now`'s begins."""
    return slot_start(slot_of(now, minutes)) + timedelta(minutes=minutes)


def require_interval(minutes: int) -> int:
    """Return the length of a slot. Raises `ValueError` unless slots of that length divide a day."""
    if 1440 % minutes:
        message = "must divide a day: 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720 or 1440 do"
        raise ValueError(message)
    return minutes
