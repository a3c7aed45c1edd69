"""The schedules that were in force, and the pauses: each slot is judged by what was wanted at its time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from src.domain.schedule import Schedule, Window

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_LOOK_AHEAD = timedelta(days=800)  # a pause that lasts longer has no next slot worth telling


@dataclass(frozen=True, slots=True)
class Pause:
    """A time without posts, by a command of the owner; `until` is None until the owner ends it (UTC)."""

    since: datetime
    until: datetime | None

    def includes(self, moment: datetime) -> bool:
        """Return whether `moment` lies in the pause."""
        return self.since <= moment and (self.until is None or moment < self.until)

    def covers(self, slot: Window) -> bool:
        """Return whether all of a slot lies in the pause."""
        return self.since <= slot.start and (self.until is None or slot.end <= self.until)


@dataclass(frozen=True, slots=True)
class Timetable:
    """Schedules with the time from which each holds, the oldest first, and the pauses."""

    eras: tuple[tuple[datetime, Schedule], ...]
    pauses: tuple[Pause, ...] = ()

    @classmethod
    def of(cls, schedule: Schedule) -> Timetable:
        """Return the timetable of a schedule that always held."""
        return cls(((ALWAYS, schedule),))

    @property
    def current(self) -> Schedule:
        """Return the schedule that holds now."""
        return self.eras[-1][1]

    def pause_at(self, moment: datetime) -> Pause | None:
        """Return the pause in which `moment` lies, None if there is none."""
        return next((pause for pause in self.pauses if pause.includes(moment)), None)

    def open_at(self, moment: datetime) -> tuple[Window, ...]:
        """Return the slots that a run at `moment` may fill, the oldest first; none in a pause."""
        if self.pause_at(moment):
            return ()
        slots = self.current.open_at(moment)
        return tuple(slot for slot in slots if not self._is_left_out(self.current, slot))

    def between(self, begin: datetime, end: datetime) -> Iterator[Window]:
        """Yield the slots that were wanted from `begin` to before `end`, each by the schedule of its time.

        A slot that a change of the settings cut off was not wanted.
        """
        ends = [since for since, _ in self.eras[1:]]
        for (since, schedule), over in zip(self.eras, [*ends, None], strict=True):
            last = min(end, over) if over else end
            for slot in schedule.between(max(begin, since), last):
                if not (over and slot.end > over) and not self._is_left_out(schedule, slot):
                    yield slot

    def next_after(self, moment: datetime, count: int = 1) -> datetime | None:
        """Return when the slot `count` slots ahead may get its post; None in a pause without an end."""
        for _ in range(count):
            following = self._following(moment)
            if following is None:
                return None
            moment = following
        return moment

    def _following(self, moment: datetime) -> datetime | None:
        """Return when the first slot that starts after `moment` opens, with the pauses."""
        limit = moment + _LOOK_AHEAD
        while moment < limit:
            opens = self.current.next_after(moment)
            pause = self.pause_at(opens)
            if pause is None:
                return opens
            if pause.until is None:
                return None
            if not self.current.times and self.current.open_at(pause.until):
                return pause.until
            moment = pause.until - timedelta(microseconds=1)
        return None

    def opens_after(self, moment: datetime) -> datetime | None:
        """Return when a post may go out after `moment`, at which none may; None in a pause without an end."""
        pause = self.pause_at(moment)
        if pause:
            if pause.until is None:
                return None
            return pause.until if self.open_at(pause.until) else self.opens_after(pause.until)
        opens = self.current.opens_after(moment)
        return self.opens_after(opens) if self.pause_at(opens) else opens

    def posts_from(self, moment: datetime) -> datetime | None:
        """Return from when on a post may go out: at once, or when the next slot opens."""
        return moment if self.open_at(moment) else self.opens_after(moment)

    def closed_after(self, moment: datetime) -> datetime | None:
        """Return when the slots that are open at `moment` are over, or else when the next one opens."""
        ends = [slot.end for slot in self.current.open_at(moment)]
        return max(ends) if ends else self.opens_after(moment)

    def empty_time(self, since: datetime, now: datetime) -> timedelta:
        """Return how much time wanted slots take up that start from `since` to `now`.

        A wanted time takes up the shortest distance of its schedule, an interval its open part.
        """
        step = self.current.shortest
        total = timedelta(0)
        for slot in self.between(since, now):
            end = min(slot.start + step if self.current.times else slot.end, now)
            total += max(end - self.current.open_from(slot), timedelta(0))
        return total

    def _is_left_out(self, schedule: Schedule, slot: Window) -> bool:
        """Return whether a pause leaves a slot out: a wanted time that lies in it, or all of an interval."""
        if schedule.times:
            return self.pause_at(slot.start) is not None
        return any(pause.covers(slot) for pause in self.pauses)
