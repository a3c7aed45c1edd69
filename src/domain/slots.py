"""Slots: the UTC intervals that get one tweet each, named by their start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


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
