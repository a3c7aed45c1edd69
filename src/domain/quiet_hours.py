"""The quiet hours of a day, in which nothing is posted, parsed from `QUIET_HOURS` and `TIME_ZONE`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A span of the day, by the clock of a time zone. If it ends before it begins, it includes midnight."""

    begin: time
    end: time
    zone: ZoneInfo

    def includes(self, now: datetime) -> bool:
        """Return whether `now` lies in the span; its end does not belong to it."""
        at = now.astimezone(self.zone).time()
        if self.begin <= self.end:
            return self.begin <= at < self.end
        return at >= self.begin or at < self.end


def parse(text: str, zone: str) -> QuietHours | None:
    """Return the span `HH:MM-HH:MM` in an IANA time zone, None for an empty text."""
    if not text:
        return None
    begin, end = map(time.fromisoformat, text.split("-"))
    return QuietHours(begin, end, ZoneInfo(zone))


def require_zone(name: str) -> str:
    """Return the name of a time zone. Raises `ValueError` for one that this machine does not know."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = "must be an IANA time zone such as Europe/Berlin"
        raise ValueError(message) from error
    return name
