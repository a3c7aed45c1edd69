"""What goes out next, as the page shows it: the next texts with their times, and what they wait for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from src.config import Settings
from src.domain.plurals import numbered
from src.domain.queue import origin_text
from src.watch import status
from src.watch.overview import Overview

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Item:
    """One text to come: when, where it comes from, and its lines."""

    when: str
    origin: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """The whole section: a summary, the next texts, and what stands in their place where there are none."""

    summary: str
    items: tuple[Item, ...]
    nothing: str
    more: str


def section(overview: Overview, settings: Settings) -> Section:
    """Return the section of the page."""
    texts = overview.queue.texts
    left = len(texts) - SHOWN
    more = f"and {numbered(left, 'more text', 'more texts')}" if left > 0 else ""
    return Section(
        f"Posts {settings.schedule.describe()}; queue: {status.queue_text(overview, settings)}",
        tuple(_items(overview, settings)),
        _nothing(overview, settings),
        more,
    )


def _items(overview: Overview, settings: Settings) -> Iterator[Item]:
    for planned in overview.queue.texts[:SHOWN]:
        when = settings.shown(planned.at) if planned.at else "when you resume"
        lines = tuple(line for line in planned.post.content.splitlines() if line.strip())
        yield Item(when, origin_text(planned.post), lines)


def _nothing(overview: Overview, settings: Settings) -> str:
    """Return what happens at the next time to post while no text waits."""
    if settings.require_approval:
        return "No text is approved: nothing is posted until you approve one."
    due = status.next_post_text(overview.wait, settings)
    return f"A text is written when it is due. The next post: {due}."
