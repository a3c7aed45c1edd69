"""What goes out next, and when: the texts of the queue on the slots to come."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from src.config import Settings
from src.content.freshness import repeats_after
from src.db_manager import Database
from src.domain.posts import Post
from src.domain.queue import in_order
from src.domain.schedule import Window
from src.domain.timetable import Timetable

FAR = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Planned:
    """One text to come, and when a run may post it (UTC); None in a pause without an end."""

    post: Post
    at: datetime | None


def plan(db: Database, settings: Settings, now: datetime) -> list[Planned]:
    """Return the texts that wait, in the order in which they go out, each with its expected time."""
    timetable = db.notes.timetable(settings.schedule, now)
    pending = [post for slot in timetable.open_at(now) if (post := db.pending(slot.name))]
    waiting = db.queue.waiting(repeats_after(settings, now))
    left = [*pending, *waiting]
    planned: list[Planned] = []
    last = db.archive.usage("", now).last_in_slot
    gap = timetable.current.gap
    for slot in _free_slots(db, timetable, now):
        if not left:
            break
        at = max(timetable.current.open_from(slot), now, last + gap if last else now)
        if at >= slot.end:
            continue  # too soon after the one before, until its time is over
        frozen = [post for post in left if post.slot]
        chosen = next(iter([*frozen, *in_order(left, at)]), None)
        if chosen:
            planned.append(Planned(chosen, at))
            left.remove(chosen)
            last = at
    rest = sorted(left, key=lambda post: (post.not_before or now, post.id))
    return [*planned, *(Planned(post, None) for post in rest)]


def _free_slots(db: Database, timetable: Timetable, now: datetime) -> Iterator[Window]:
    """Yield the slots without a post, from those that are open on."""
    opened = timetable.open_at(now)
    later = (slot for slot in timetable.between(now, now + FAR) if slot not in opened)
    for slot in itertools.chain(opened, later):
        if not db.archive.holds_slot(slot.name) or db.pending(slot.name):
            yield slot
