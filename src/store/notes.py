"""Values kept between runs: the hold, rate limits, times of the last audit and maintenance."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from src.domain.answers import RateLimit
from src.domain.fixes import Fix
from src.domain.runs import Hold
from src.domain.schedule import Schedule
from src.domain.timetable import ALWAYS, Pause, Timetable
from src.store.connection import Connection
from src.store.rows import required_time, time_of

ERAS_KEPT = 50  # schedules and pauses; the older ones are judged by the first that is left


class Notes:
    """The values that runs keep for later runs, by name."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def get(self, key: str) -> str | None:
        """Return the value of an earlier run, None where there is none."""
        value = self._db.value("SELECT value FROM meta WHERE key = ?", key)
        return None if value is None else str(value)

    def get_time(self, key: str) -> datetime | None:
        """Return a value that is a time. None also for a damaged one: these rows have no copy in an index."""
        try:
            return required_time(float(self.get(key) or "none"))
        except (ValueError, OverflowError, OSError):
            return None

    def put(self, **notes: str | None) -> None:
        """Keep values for later runs; None deletes one."""
        with self._db.transaction() as db:
            for key, value in notes.items():
                put_note(db, key, value)

    def put_hold(self, hold: Hold) -> None:
        """Store a reason not to post; `posting.breaker` counts and times it."""
        value = {
            "kind": hold.kind,
            "reason": hold.reason,
            "until": hold.until.timestamp() if hold.until else None,
            "fix": hold.fix.as_data(),
            "count": hold.count,
            "since": hold.since.timestamp(),
        }
        self.put(hold=json.dumps(value))

    def current_hold(self) -> Hold | None:
        """Return the stored hold, also one whose time is over."""
        value = self.get("hold")
        if value is None:
            return None
        try:
            data = json.loads(value)
            return Hold(
                data["kind"],
                data["reason"],
                time_of(data["until"]),
                Fix.from_data(data["fix"]),
                data["count"],
                required_time(data["since"]),
            )
        except (ValueError, KeyError, TypeError, OverflowError, OSError):
            return None

    def end_refusals(self) -> Hold | None:
        """End the hold that refusals of X left, because their cause is put right; return it as it was."""
        hold = self.current_hold()
        if hold is None or hold.kind != "blocked":
            return None
        self.clear_hold()
        return hold

    def clear_hold(self) -> None:
        """Delete the hold: X answers normally again."""
        if self.get("hold") is not None:
            self.put(hold=None)

    def put_limits(self, limits: Iterable[RateLimit]) -> None:
        """Store the rate-limit windows that X reported."""
        self.put(limits=json.dumps([[w.name, w.limit, w.remaining, w.reset.timestamp()] for w in limits]))

    def limits(self) -> tuple[RateLimit, ...]:
        """Return the rate-limit windows that X reported last."""
        try:
            noted = self._listed("limits")
            return tuple(
                RateLimit(n, int(limit), int(left), required_time(at)) for n, limit, left, at in noted
            )
        except (ValueError, TypeError, OverflowError, OSError):
            return ()

    # ---- when posts are wanted -------------------------------------------------------------------------

    def timetable(self, schedule: Schedule, now: datetime) -> Timetable:
        """Return the schedules on record, the one that holds from now on, and the pauses."""
        eras = self._eras()
        if not eras:
            eras = ((ALWAYS, schedule),)
        elif eras[-1][1] != schedule:
            eras = (*eras, (max(now, eras[-1][0]), schedule))
        return Timetable(eras, self.pauses())

    def keep_schedule(self, schedule: Schedule, now: datetime) -> None:
        """Keep the schedule with the time from which it holds, if it is not the one on record."""
        kept = self._eras()
        eras = self.timetable(schedule, now).eras[-ERAS_KEPT:]
        if eras != kept:
            self.put(schedules=json.dumps([[since.timestamp(), era.as_data()] for since, era in eras]))

    def _eras(self) -> tuple[tuple[datetime, Schedule], ...]:
        try:
            kept = self._listed("schedules")
            return tuple((required_time(since), Schedule.from_data(data)) for since, data in kept)
        except (ValueError, KeyError, TypeError, OverflowError, OSError):
            return ()

    def pauses(self) -> tuple[Pause, ...]:
        """Return the pauses, the oldest first."""
        try:
            kept = self._listed("pauses")
            return tuple(Pause(required_time(since), time_of(until)) for since, until in kept)
        except (ValueError, TypeError, OverflowError, OSError):
            return ()

    def pause(self, now: datetime, until: datetime | None) -> Pause:
        """Pause from now on, or change the end of the pause that goes on; return it."""
        going_on = next((pause for pause in self.pauses() if pause.includes(now)), None)
        pause = Pause(going_on.since if going_on else now, until)
        self._put_pauses([*self._over(now), pause])
        return pause

    def resume(self, now: datetime) -> Pause | None:
        """End the pause that goes on; return it as it was, None if there was none."""
        going_on = next((pause for pause in self.pauses() if pause.includes(now)), None)
        if going_on:
            self._put_pauses([*self._over(now), Pause(going_on.since, now)])
        return going_on

    def _over(self, now: datetime) -> list[Pause]:
        return [pause for pause in self.pauses() if pause.until and pause.until <= now][-ERAS_KEPT:]

    def _put_pauses(self, pauses: Iterable[Pause]) -> None:
        kept = [[p.since.timestamp(), p.until.timestamp() if p.until else None] for p in pauses]
        self.put(pauses=json.dumps(kept))

    def hidden(self) -> frozenset[str]:
        """Return the statements that the owner retired."""
        try:
            return frozenset(map(str, self._listed("hidden")))
        except (ValueError, TypeError):
            return frozenset()

    def hide(self, statements: Iterable[str]) -> None:
        """Retire these statements, and no others."""
        self.put(hidden=json.dumps(sorted(set(statements))))

    def _listed(self, key: str) -> Any:
        """Return what a note holds as JSON, an empty list without one. Raises `ValueError` for damage."""
        return json.loads(self.get(key) or "[]")

    def made_at(self) -> datetime | None:
        """Return when this database was made or taken over from the original program."""
        return self.get_time("made_at")


def put_note(db: sqlite3.Connection, key: str, value: str | None) -> None:
    """Write one value within the caller's transaction; None deletes it."""
    if value is None:
        db.execute("DELETE FROM meta WHERE key = ?", (key,))
    else:
        db.execute(
            "INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value ="
            " excluded.value",
            (key, value),
        )
