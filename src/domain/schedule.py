"""When a post is wanted: each slot of an interval, or each wanted time of the day. The only notion of "due".

A slot is named by its UTC start. A slot of an interval lasts as long as the interval; a wanted time is open
for 90 minutes, so that the next run can make up for a run that did not come or could not send.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from src.domain import quiet_hours
from src.domain.quiet_hours import QuietHours, zone_of
from src.domain.slots import slot_name

MAKE_UP = timedelta(minutes=90)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = tuple(range(7))
LEAST_DISTANCE = 5  # minutes between two posts
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_FAR = 9 * _DAY  # the next slot is nearer: at least one day of the week is wanted
_SAMPLE = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday; no zone changes its clock in the two weeks from here


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One slot: its start, which names it, and the end of the time in which its post may go out (UTC)."""

    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        """Return the name of the slot."""
        return slot_name(self.start)

    def includes(self, moment: datetime) -> bool:
        """Return whether a run at `moment` may fill the slot."""
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Schedule:
    """The slots that the owner wants: every `interval` minutes from the Unix epoch, or `times` of the day.

    `times` are in ascending order, `days` count from Monday (0). All but `interval` is by the clock of
    `zone_name`.
    """

    interval: int = 60
    times: tuple[time, ...] = ()
    days: tuple[int, ...] = EVERY_DAY
    quiet: str = ""
    zone_name: str = "UTC"

    @property
    def zone(self) -> tzinfo:
        """Return the time zone of times, days and quiet hours."""
        return zone_of(self.zone_name)

    @property
    def quiet_span(self) -> QuietHours | None:
        """Return the quiet hours, None if there are none."""
        return quiet_hours.parse(self.quiet, self.zone_name)

    @property
    def length(self) -> timedelta:
        """Return how long a slot is open."""
        return MAKE_UP if self.times else timedelta(minutes=self.interval)

    # ---- which slot ------------------------------------------------------------------------------------

    def between(self, begin: datetime, end: datetime) -> Iterator[Window]:
        """Yield the wanted slots that start from `begin` on and before `end`, in order."""
        if not self.times:
            yield from (slot for slot in self._intervals(begin, end) if self._first_open(slot))
            return
        first, last = (moment.astimezone(self.zone).date() for moment in (begin, end))
        for number in range((last - first).days + 1):
            day = first + number * _DAY
            yield from (slot for slot in self._of_day(day) if begin <= slot.start < end)

    def open_at(self, moment: datetime) -> tuple[Window, ...]:
        """Return the slots that a run at `moment` may fill, the oldest first; none in the quiet hours."""
        if self.is_quiet(moment):
            return ()
        if self.times:
            return tuple(
                slot for slot in self.between(moment - MAKE_UP, moment + _MINUTE) if slot.includes(moment)
            )
        return (self._interval_at(moment),) if self._wants_day(moment) else ()

    def next_after(self, moment: datetime) -> datetime:
        """Return when the first slot that starts after `moment` may get its post."""
        slot = next(slot for slot in self.between(moment, moment + _FAR) if slot.start > moment)
        return self.open_from(slot)

    def opens_after(self, moment: datetime) -> datetime:
        """Return when a post may go out for the first time after `moment`, at which none may."""
        slots = self.between(self._interval_at(moment).start if not self.times else moment, moment + _FAR)
        opens = (max(self._first_open(slot, moment) or slot.start, slot.start) for slot in slots)
        return next(opening for opening in opens if opening > moment)

    def slot_of(self, moment: datetime) -> str | None:
        """Return the slot that a tweet of this moment filled: the newest open one, None if there was none."""
        if not self.times:
            return self._interval_at(moment).name
        slots = [slot for slot in self.between(moment - MAKE_UP, moment + _MINUTE) if slot.includes(moment)]
        return slots[-1].name if slots else None

    def is_quiet(self, moment: datetime) -> bool:
        """Return whether `moment` lies in the quiet hours."""
        return self.quiet_span is not None and self.quiet_span.includes(moment)

    def day_before(self, start: datetime) -> datetime:
        """Return the slot of a day before, by the clock of the zone, at most 24 hours earlier."""
        local = start.astimezone(self.zone)
        return max(start - _DAY, (local - _DAY).astimezone(UTC))

    def _wants_day(self, moment: datetime) -> bool:
        return len(self.days) == len(DAYS) or moment.astimezone(self.zone).weekday() in self.days

    def _is_open(self, moment: datetime) -> bool:
        return self._wants_day(moment) and not self.is_quiet(moment)

    def _of_day(self, day: date) -> Iterator[Window]:
        """Yield the slots of one day. Where the clock skips an hour, its times follow in the next one."""
        if day.weekday() not in self.days:
            return
        before = datetime.min.replace(tzinfo=UTC)
        for at in self.times:
            start = max(datetime.combine(day, at, self.zone).astimezone(UTC), before + _MINUTE)
            yield Window(start, start + MAKE_UP)
            before = start

    def _interval_at(self, moment: datetime) -> Window:
        length = self.interval * 60
        start = datetime.fromtimestamp(int(moment.timestamp() // length) * length, UTC)
        return Window(start, start + timedelta(seconds=length))

    def _intervals(self, begin: datetime, end: datetime) -> Iterator[Window]:
        slot = self._interval_at(begin)
        while slot.start < end:
            if slot.start >= begin:
                yield slot
            slot = Window(slot.end, slot.end + (slot.end - slot.start))

    def open_from(self, slot: Window) -> datetime:
        """Return the first moment of a slot in which its post may go out."""
        return self._first_open(slot) or slot.start

    def _first_open(self, slot: Window, moment: datetime | None = None) -> datetime | None:
        """Return the first moment of a slot, from `moment` on, that is not quiet and on a wanted day."""
        begin = max(slot.start, moment or slot.start)
        if self.times or self._is_open(begin):
            return begin
        first, last = (edge.astimezone(self.zone).date() for edge in (begin, slot.end))
        ends = (time.min, self.quiet_span.end) if self.quiet_span else (time.min,)
        days = (first + number * _DAY for number in range((last - first).days + 1))
        wakings = sorted(datetime.combine(day, at, self.zone).astimezone(UTC) for day in days for at in ends)
        return next((w for w in wakings if begin < w < slot.end and self._is_open(w)), None)

    # ---- how many, how far apart -----------------------------------------------------------------------

    @property
    def posts_per_day(self) -> float:
        """Return how many posts are wanted a day, on the average of a week."""
        return _figures(self)[0]

    @property
    def shortest(self) -> timedelta:
        """Return the shortest distance between two slots."""
        return _figures(self)[1]

    @property
    def longest(self) -> timedelta:
        """Return the longest distance between two slots."""
        return _figures(self)[2]

    @property
    def gap(self) -> timedelta:
        """Return the least time between two posts of slots, also across a change of the settings."""
        return self.shortest / 2

    # ---- in words, as data -----------------------------------------------------------------------------

    def describe(self) -> str:
        """Return the schedule in words: `at 09:00, 13:00 and 18:00 on mon-fri (Europe/Berlin)`."""
        if self.times:
            when = listed(f"{at:%H:%M}" for at in self.times)
            words = f"at {when}" if len(self.times) <= 12 else f"{len(self.times)} times a day"
        else:
            words = "every hour" if self.interval == 60 else f"every {self.interval} minutes"
        if self.days != EVERY_DAY:
            words += f" on {days_text(self.days)}"
        if self.quiet:
            words += f", not from {self.quiet.replace('-', ' to ')}"
        return f"{words} ({self.zone_name})"

    def as_data(self) -> dict[str, Any]:
        """Return the schedule as plain data, which is kept with the time from which it holds."""
        times = [f"{at:%H:%M}" for at in self.times]
        return {
            "interval": self.interval,
            "times": times,
            "days": list(self.days),
            "quiet": self.quiet,
            "zone": self.zone_name,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Schedule:
        """Return the schedule that `as_data` made. Raise `ValueError` or its like for anything else."""
        times = tuple(time.fromisoformat(at) for at in data["times"])
        schedule = cls(int(data["interval"]), times, tuple(data["days"]), data["quiet"], data["zone"])
        if next(schedule.between(_SAMPLE, _SAMPLE + _FAR), None) is None:
            message = "a schedule without a slot"
            raise ValueError(message)
        return schedule


@lru_cache(maxsize=64)
def _figures(schedule: Schedule) -> tuple[float, timedelta, timedelta]:
    """Return posts a day, the shortest and the longest distance, counted over two weeks."""
    starts = [slot.start for slot in schedule.between(_SAMPLE, _SAMPLE + 14 * _DAY)]
    distances = [b - a for a, b in itertools.pairwise([*starts, starts[0] + 14 * _DAY])]
    return len(starts) / 14, min(distances), max(distances)


@lru_cache(maxsize=64)
def schedule_of(
    interval: int, times: tuple[str, ...], per_day: int, days: str, quiet: str, zone: str, cap: int
) -> Schedule:
    """Return the schedule that settings describe; an interval of over `cap` slots a day is thinned out."""
    wanted = parse_days(days)
    if times:
        return Schedule(0, tuple(map(parse_time, times)), wanted, quiet, zone)
    if per_day:
        return Schedule(0, spread(per_day, quiet), wanted, quiet, zone)
    hourly = Schedule(interval, (), EVERY_DAY, quiet, zone)
    if hourly.posts_per_day > cap:
        return Schedule(0, spread(cap, quiet), wanted, quiet, zone)
    return Schedule(interval, (), wanted, quiet, zone)


def spread(count: int, quiet: str) -> tuple[time, ...]:
    """Return `count` times of the day, spread over the waking hours, half a distance from their ends.

    Raise `ValueError` if they come closer to each other than five minutes.
    """
    span = quiet_hours.parse(quiet, "UTC")
    begin = span.end.hour * 60 + span.end.minute if span else 0
    awake = round(1440 * (1 - (span.share if span else 0)))
    if awake / count < LEAST_DISTANCE:
        message = (
            f"{count} posts do not fit into {awake} minutes a day, at least {LEAST_DISTANCE} minutes apart"
        )
        raise ValueError(message)
    minutes = sorted((begin + int((number + 0.5) * awake / count)) % 1440 for number in range(count))
    return tuple(time(minute // 60, minute % 60) for minute in minutes)


def parse_time(text: str) -> time:
    """Return a time of the day, as 09:00. Raise `ValueError` for anything else."""
    hour, _, minute = text.strip().partition(":")
    digits = hour.isascii() and hour.isdigit() and minute.isascii() and minute.isdigit()
    if not (digits and len(minute) == 2 and int(hour) < 24 and int(minute) < 60):
        message = f"{text.strip()!r} is not a time of the day; write 09:00 or 18:30"
        raise ValueError(message)
    return time(int(hour), int(minute))


def require_times(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return times of the day, in order and written alike. Raise `ValueError` for anything else."""
    times = sorted(map(parse_time, texts))
    for first, second in itertools.pairwise(times):
        distance = (second.hour - first.hour) * 60 + second.minute - first.minute
        if distance < LEAST_DISTANCE:
            message = f"{first:%H:%M} and {second:%H:%M} are less than {LEAST_DISTANCE} minutes apart"
            raise ValueError(message)
    return tuple(f"{at:%H:%M}" for at in times)


def parse_days(text: str) -> tuple[int, ...]:
    """Return the days of the week that names, lists and ranges name, from Monday (0); every day for none."""
    days: set[int] = set()
    for part in filter(None, (part.strip() for part in text.lower().split(","))):
        first, dash, last = (word.strip() for word in part.partition("-"))
        begin, end = _day(first), _day(last) if dash else _day(first)
        days.update((begin + number) % 7 for number in range((end - begin) % 7 + 1))
    return tuple(sorted(days)) or EVERY_DAY


def require_days(text: str) -> str:
    """Return a text that names days of the week, or an empty one. Raise `ValueError` for anything else."""
    parse_days(text)
    return text


def _day(name: str) -> int:
    for number, day in enumerate(DAYS):
        if len(name) >= len(day) and _FULL_NAMES[number].startswith(name):
            return number
    message = f"{name!r} is not a day of the week; write mon-fri, or sat,sun"
    raise ValueError(message)


_FULL_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def days_text(days: tuple[int, ...]) -> str:
    """Return days of the week as an owner writes them: `mon-fri`, `sat,sun`."""
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    long = [
        f"{DAYS[run[0]]}-{DAYS[run[-1]]}" if len(run) > 2 else ",".join(DAYS[d] for d in run) for run in runs
    ]
    return ",".join(long)


def listed(words: Iterable[str]) -> str:
    """Return words as a list in a sentence: `a`, `a and b`, `a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def contradictions(
    times: tuple[str, ...], per_day: int, interval_given: bool, quiet: str, cap: int
) -> Iterator[str]:
    """Yield what contradicts itself in the settings that say when to post."""
    ways = {"POST_TIMES": times, "POSTS_PER_DAY": per_day, "POST_INTERVAL_MINUTES": interval_given}
    if len(given := [name for name, value in ways.items() if value]) > 1:
        yield f"{listed(given)} each say when to post: set only one of them"
        return
    wanted = len(times) or per_day
    if wanted > cap:
        yield f"{given[0]} asks for {wanted} posts a day, MAX_POSTS_PER_DAY allows {cap}: change one of them"
    span = quiet_hours.parse(quiet, "UTC")
    for at in times:
        if span and span.has(parse_time(at)):
            yield f"POST_TIMES: {at} lies in the QUIET_HOURS {quiet}: change one of them"
    try:
        spread(per_day or 1, quiet)
    except ValueError as error:
        yield f"POSTS_PER_DAY: {error}"
