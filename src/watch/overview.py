"""The present, as `status`, `report` and the page show it: facts, next post, money, success, library."""

from __future__ import annotations

import calendar
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from src import db_manager
from src.config import Settings
from src.content import choice, library
from src.content.freshness import FAR_HORIZON_DAYS, Supply, supply
from src.db_manager import Database
from src.domain.answers import RateLimit
from src.domain.posts import Post, Status
from src.domain.runs import RunRecord
from src.domain.slots import Usage, slot_start
from src.domain.timetable import Pause, Timetable
from src.posting import due, past
from src.posting.due import Wait
from src.posting.plan import Planned, plan
from src.watch import health
from src.watch.facts import Facts, Finding, Outside, Stock
from src.watch.slot_history import Rate, Slot, rate, slot_history

WINDOWS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
FORECAST_DAYS = 7


@dataclass(frozen=True, slots=True)
class Spend:
    """US dollars: the last 24 hours, this calendar month so far, and the month as it will be at this pace."""

    day: float
    month: float
    forecast: float


@dataclass(frozen=True, slots=True)
class Queue:
    """The texts that wait to go out, in their order, and how many drafts wait for a person."""

    texts: tuple[Planned, ...]
    drafts: int

    @property
    def waiting(self) -> int:
        """Return how many texts wait to go out."""
        return len(self.texts)

    @property
    def last(self) -> datetime | None:
        """Return when the last text is due (UTC), None where no time is known."""
        return max((item.at for item in self.texts if item.at), default=None)


@dataclass(frozen=True, slots=True)
class Overview:
    """The facts of the judgement, and what else the screen shows. Times UTC; `rates` by window: 24h, 7d, 30d.

    `wait` is why no post is due at this moment (None: one is); `pause` is the one that goes on;
    `maintained` is when the last backup was made.
    """

    facts: Facts
    wait: Wait | None
    pause: Pause | None
    queue: Queue
    limits: tuple[RateLimit, ...]
    last_run: RunRecord | None
    last_tweet: Post | None
    maintained: datetime | None
    rates: Mapping[str, Rate]
    library: Supply
    spend: Spend


def look(settings: Settings, now: datetime) -> tuple[Overview | None, tuple[Finding, ...]]:
    """Return the overview (None if nothing has run yet) and what is wrong. Raises `StorageError`."""
    db = db_manager.open_for_reading(settings.database)
    if db is None:
        outside = Outside(None, tuple(settings.missing_credentials))
        return None, health.find(Facts(outside=outside), settings, now)
    with contextlib.closing(db):
        overview = read_overview(db, settings, read_slots(db, settings, now, WINDOWS["30d"]), now)
    return overview, health.find(overview.facts, settings, now)


def read_slots(db: Database, settings: Settings, now: datetime, window: timedelta) -> list[Slot]:
    """Return what became of each slot of the last `window`, from the first that the program watched."""
    since = now - window
    runs, posts = db.journal.runs_since(since), db.archive.slots_since(since)
    begun = [moment for moment in (db.notes.made_at(), runs[0].started if runs else None) if moment]
    first = max(since, min(begun)) if begun else now
    return slot_history(
        posts,
        runs,
        db.journal.attempts_since(since),
        since=first,
        now=now,
        timetable=db.notes.timetable(settings.schedule, now),
    )


def read_overview(db: Database, settings: Settings, slots: Sequence[Slot], now: datetime) -> Overview:
    """Return everything that the screen shows, from the database and the library of statements."""
    timetable, limits = db.notes.timetable(settings.schedule, now), db.notes.limits()
    slot = db.archive.slot_to_fill([slot.name for slot in timetable.open_at(now)])
    day_before = settings.schedule.day_before(slot_start(slot)) if slot else None
    usage = db.archive.usage(slot, now, day_before)
    last_run, left = db.journal.latest_run(), _library(db, settings, now)
    facts = replace(
        health.look(db, settings, now),
        result=health.result_of(last_run),
        library=Stock(left.fresh, left.days),
        outside=Outside(last_run.started if last_run else None, tuple(settings.missing_credentials)),
    )
    return Overview(
        facts=facts,
        wait=due.not_due(settings, timetable, usage, db.notes.current_hold(), limits, now, slot=slot),
        pause=timetable.pause_at(now),
        queue=_queue(db, settings, now),
        limits=limits,
        last_run=last_run,
        last_tweet=db.archive.last_tweet(),
        maintained=db.notes.get_time("maintained_at"),
        rates={name: rate(slots, now - window) for name, window in WINDOWS.items()},
        library=left,
        spend=_spend(db, settings, timetable, usage, facts.watched_since, now),
    )


def _queue(db: Database, settings: Settings, now: datetime) -> Queue:
    return Queue(tuple(plan(db, settings, now)), len(db.with_status(Status.DRAFT)))


def _library(db: Database, settings: Settings, now: datetime) -> Supply:
    statements = choice.wanted(settings, library.load(settings.library_paths))
    history = past.history_of(db, settings, now)
    return supply(settings, statements, history, now, FAR_HORIZON_DAYS)


def _spend(
    db: Database,
    settings: Settings,
    timetable: Timetable,
    usage: Usage,
    watched: datetime | None,
    now: datetime,
) -> Spend:
    ledger = db.journal.spending_by_day(now - timedelta(days=FORECAST_DAYS))
    # Reading the history comes once, and what posts will cost follows from the timetable.
    rest = sum(usd for _, kind, _, usd in ledger if kind not in {"import", "post"})
    days = (now - watched) / timedelta(days=1) if watched else 0.0
    to_come = sum(1 for _ in timetable.between(now, month_end(now)))
    coming = forecast(usage.spent_month, to_come * settings.price_post_usd, rest, days, now)
    return Spend(usage.spent_24h, usage.spent_month, coming)


def forecast(month: float, posts: float, rest: float, watched_days: float, now: datetime) -> float:
    """Return what the calendar month (UTC) will cost, in US dollars.

    `month` was spent so far, `posts` is what the slots to come will cost, `rest` what the last week cost
    beside posts.
    """
    days_left = (month_end(now) - now) / timedelta(days=1)
    return month + posts + rest / max(min(FORECAST_DAYS, watched_days), 1.0) * days_left


def month_end(now: datetime) -> datetime:
    """Return when the calendar month (UTC) is over, by which X bills."""
    days = calendar.monthrange(now.year, now.month)[1]
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=days)
