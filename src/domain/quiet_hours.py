"""The quiet hours of a day, in which nothing is posted, parsed from `QUIET_HOURS` and `TIME_ZONE`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_SPAN = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A span of the day, by the clock of a time zone. If it ends before it begins, it includes midnight."""

    begin: time
    end: time
    zone: tzinfo

    def includes(self, now: datetime) -> bool:
        """Return whether `now` lies in the span; its end does not belong to it."""
        return self.has(now.astimezone(self.zone).time())

    def has(self, at: time) -> bool:
        """Return whether a time of the day lies in the span."""
        if self.begin <= self.end:
            return self.begin <= at < self.end
        return at >= self.begin or at < self.end

    @property
    def share(self) -> float:
        """The share of a day that the span takes."""
        begin, end = (at.hour * 60 + at.minute for at in (self.begin, self.end))
        return (end - begin) % 1440 / 1440


def parse(text: str, zone: str) -> QuietHours | None:
    """Return the span `HH:MM-HH:MM` in an IANA time zone, None for an empty text."""
    if not text:
        return None
    begin, end = map(time.fromisoformat, text.split("-"))
    return QuietHours(begin, end, zone_of(zone))


def require_span(text: str) -> str:
    """Return a span `HH:MM-HH:MM`, or an empty text. Raise `ValueError` for anything else."""
    if text and not _SPAN.fullmatch(text):
        message = "must be two times of day with a hyphen, as 22:00-07:00"
        raise ValueError(message)
    return text


def zone_of(name: str) -> tzinfo:
    """Return a time zone. UTC needs no database of zones."""
    return UTC if name == "UTC" else ZoneInfo(name)


def require_zone(name: str) -> str:
    """Return the name of a time zone. Raise `ValueError` for one that this machine does not know."""
    try:
        zone_of(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = "must be an IANA time zone such as Europe/Berlin"
        if not available_timezones():
            message = "this machine has no database of time zones; type: pip install tzdata"
        raise ValueError(message) from error
    return name
