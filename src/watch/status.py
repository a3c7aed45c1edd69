"""The one screen: healthy or not and why, what was and will be posted, limits, money, success, library."""

from __future__ import annotations

import calendar
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from src import db_manager
from src.config import Settings
from src.content import library
from src.content.freshness import FAR_HORIZON_DAYS, Supply, supply
from src.db_manager import Database
from src.domain import money
from src.domain.answers import RateLimit, tweet_url
from src.domain.posts import Post
from src.domain.runs import RunOutcome, RunRecord
from src.domain.slots import Usage, slot_of
from src.posting import due
from src.posting.breaker import CLOSED
from src.posting.due import Wait
from src.watch import health
from src.watch.health import Facts, Finding, Outside, Stock
from src.watch.slot_history import Rate, Slot, rate, slot_history
from src.x.claim import fix_text

WINDOWS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
FORECAST_DAYS = 7


class Unit(NamedTuple):
    """A unit of time: its names, its length, and the least age that is told in it (both in minutes)."""

    one: str
    many: str
    minutes: int
    least: int


UNITS = (Unit("day", "days", 1440, 2880), Unit("hour", "hours", 60, 120), Unit("minute", "minutes", 1, 1))


@dataclass(frozen=True, slots=True)
class Spend:
    """US dollars: the last 24 hours, this calendar month so far, and the month as it will be at this pace."""

    day: float
    month: float
    forecast: float


@dataclass(frozen=True, slots=True)
class Overview:
    """The facts of the judgement, and what else the screen shows. Times UTC; `rates` by window: 24h, 7d, 30d.

    `wait` is why no post is due at this moment (None: one is); `maintained` is when the last backup was made.
    """

    facts: Facts
    wait: Wait | None
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
        minutes=settings.post_interval_minutes,
    )


def read_overview(db: Database, settings: Settings, slots: Sequence[Slot], now: datetime) -> Overview:
    """Return everything that the screen shows, from the database and the library of statements."""
    usage, limits = db.archive.usage(slot_of(now, settings.post_interval_minutes), now), db.notes.limits()
    last_run, left = db.journal.latest_run(), _library(db, settings, now)
    facts = replace(
        health.look(db, now),
        result=health.result_of(last_run),
        library=Stock(left.fresh, left.days),
        outside=Outside(last_run.started if last_run else None, tuple(settings.missing_credentials)),
    )
    return Overview(
        facts=facts,
        wait=due.not_due(settings, usage, db.notes.current_hold(), limits, now),
        limits=limits,
        last_run=last_run,
        last_tweet=db.archive.last_tweet(),
        maintained=db.notes.get_time("maintained_at"),
        rates={name: rate(slots, now - window) for name, window in WINDOWS.items()},
        library=left,
        spend=_spend(db, usage, facts.watched_since, now),
    )


def _library(db: Database, settings: Settings, now: datetime) -> Supply:
    statements = library.load(settings.library_paths).statements
    history = db.archive.content_history(now, settings.cooldown_days)
    return supply(settings, statements, history, now, FAR_HORIZON_DAYS)


def _spend(db: Database, usage: Usage, watched: datetime | None, now: datetime) -> Spend:
    ledger = db.journal.spending_by_day(now - timedelta(days=FORECAST_DAYS))
    week = sum(usd for _, kind, _, usd in ledger if kind != "import")  # which comes once
    days = (now - watched) / timedelta(days=1) if watched else 0.0
    return Spend(usage.spent_24h, usage.spent_month, forecast(usage.spent_month, week, days, now))


def forecast(month: float, week: float, watched_days: float, now: datetime) -> float:
    """Return what the calendar month (UTC) will cost at the pace of the last week (`week`, US dollars)."""
    days = calendar.monthrange(now.year, now.month)[1]
    month_start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    left = days - (now - month_start) / timedelta(days=1)
    return month + week / max(min(FORECAST_DAYS, watched_days), 1.0) * left


# ---- as text -----------------------------------------------------------------------------------------------


def as_text(overview: Overview | None, findings: Sequence[Finding], settings: Settings, now: datetime) -> str:
    """Return the screen for people."""
    lines = ["needs attention" if findings else "healthy"]
    for finding in findings:
        lines.append(f"  {finding.code}: {finding.message}")
        lines.append(f"    fix: {fix_text(finding.fix, settings.profile)}")
    if overview:
        lines += [f"{name:<12} {value}" for name, value in rows(overview, settings, now)]
    return "\n".join(lines)


def rows(overview: Overview, settings: Settings, now: datetime) -> list[tuple[str, str]]:
    """Return the lines of the screen: a name and a text each."""
    limits = "; ".join(limit_text(limit, now) for limit in overview.limits)
    rates = " | ".join(f"{name}: {rate_text(share)}" for name, share in overview.rates.items())
    no_backup = "none yet: the second line of crontab.example makes one a day"
    return [
        ("last post", _last_post_text(overview.last_tweet, now)),
        ("next post", next_post_text(overview.wait)),
        ("last run", _last_run_text(overview.last_run, now)),
        ("breaker", _breaker_text(overview)),
        ("rate limits", limits or "not reported by X yet"),
        ("spend", spend_text(overview.spend, settings)),
        ("success", rates),
        ("library", library_text(overview.library)),
        ("backup", when_text(overview.maintained, now) if overview.maintained else no_backup),
    ]


def _last_post_text(tweet: Post | None, now: datetime) -> str:
    if tweet is None or tweet.sent_at is None:
        return "none"
    return f"{when_text(tweet.sent_at, now)}, {tweet_url(tweet.tweet_id)}"


def _last_run_text(run: RunRecord | None, now: datetime) -> str:
    if run is None:
        return "none"
    outcome = run.outcome or ("not finished" if run.finished is None else "an outcome of a newer version")
    message = f" ({run.message})" if run.message and run.outcome is not RunOutcome.POSTED else ""
    return f"{when_text(run.started, now)}: {outcome}{message}"


def _breaker_text(overview: Overview) -> str:
    return health.breaker_text(overview.facts.breaker or CLOSED)


def next_post_text(wait: Wait | None) -> str:
    """Return when the next post goes out, as far as it is known."""
    if wait is None:
        return "with the next run"
    if wait.until is None:
        return wait.message
    return f"with the first run after {wait.until:%F %R} UTC ({wait.message})"


def limit_text(limit: RateLimit, now: datetime) -> str:
    """Return one window of X's rate limits in words."""
    known = f"until {limit.reset:%R} UTC" if limit.reset > now else "when last reported"
    return f"{limit.name} {limit.remaining} of {limit.limit} left {known}"


def rate_text(share: Rate) -> str:
    """Return a success rate: percentage and counts."""
    if share.share is None:
        return "nothing was due" + left_out_text(share)
    return f"{percent(share.share)} ({share.posted} of {share.due}{left_out_text(share)})"


def left_out_text(share: Rate) -> str:
    """Return how many slots the owner's settings left out, to be put behind a count; empty for none."""
    return f", {share.left_out} left out by your settings" if share.left_out else ""


def spend_text(spend: Spend, settings: Settings) -> str:
    """Return what was spent, of how much, and what the month will come to."""
    return (
        f"{money.price(spend.day)} in 24 hours of {money.budget(settings.daily_budget_usd)};"
        f" {money.total(spend.month)} this month of {money.budget(settings.monthly_budget_usd)},"
        f" forecast {money.total(spend.forecast)}"
    )


def percent(share: float) -> str:
    """Return 0.9972 as 99.7 %; 100 % only where it is all."""
    return f"{min(share * 100, 99.9):.1f} %" if share < 1 else "100 %"


def library_text(left: Supply) -> str:
    """Return how long the vetted texts last."""
    stock = f"{left.fresh:,} of {left.total:,} statements fresh; {left.texts:,} texts may be sent"
    return f"{stock}; {lasts_text(left)}"


def lasts_text(left: Supply) -> str:
    """Return until which day every slot has a text."""
    if left.days is None:
        return "every slot has a text for more than three years"
    return f"a slot first stays empty on {left.until:%F}, in {left.days:.0f} days"


def when_text(moment: datetime, now: datetime) -> str:
    """Return `2026-11-22 14:07 UTC (3 hours ago)`; the time alone where it lies ahead."""
    passed = age_text(moment, now)
    return f"{moment:%F %R} UTC" + (f" ({passed})" if passed else "")


def age_text(moment: datetime, now: datetime, units: Sequence[Unit] = UNITS) -> str:
    """Return `3 hours ago` in the largest unit that fits; empty for a moment ahead."""
    minutes = (now - moment) / timedelta(minutes=1)
    for unit in units:
        if minutes >= unit.least:
            count = int(minutes // unit.minutes)
            return f"{count} {unit.one if count == 1 else unit.many} ago"
    return "just now" if minutes > -1 else ""


# ---- for programs ------------------------------------------------------------------------------------------


def as_data(overview: Overview | None, findings: Sequence[Finding], settings: Settings) -> dict[str, Any]:
    """Return the same for programs: times in ISO 8601, money in US dollars, shares from 0 to 1."""
    data: dict[str, Any] = {
        "healthy": not findings,
        "reasons": [_finding_data(finding, settings) for finding in findings],
        "exit_code": int(health.exit_code(findings)),
    }
    if overview is None:
        return {**data, "nothing_has_run": True}
    wait, rates = overview.wait, overview.rates
    return data | {
        "last_post": _last_post_data(overview.last_tweet),
        "next_post": {
            "due": wait is None,
            "not_before": _iso(wait.until) if wait else None,
            "says": next_post_text(wait),
        },
        "last_run": _last_run_data(overview.last_run),
        "breaker": _breaker_text(overview),
        "rate_limits": [
            {"name": w.name, "limit": w.limit, "remaining": w.remaining, "reset": _iso(w.reset)}
            for w in overview.limits
        ],
        "spend_usd": _spend_data(overview.spend, settings),
        "success": {
            name: {"share": r.share, "posted": r.posted, "due": r.due, "left_out": r.left_out}
            for name, r in rates.items()
        },
        "library": {
            "total": overview.library.total,
            "fresh": overview.library.fresh,
            "texts": overview.library.texts,
            "days": overview.library.days,
            "until": _iso(overview.library.until),
        },
        "last_backup": _iso(overview.maintained),
    }


def _finding_data(finding: Finding, settings: Settings) -> dict[str, Any]:
    return {
        "name": finding.code,
        "message": finding.message,
        "fix": fix_text(finding.fix, settings.profile),
        "exit_code": int(finding.exit_code),
        "since": _iso(finding.since),
    }


def _last_post_data(tweet: Post | None) -> dict[str, Any] | None:
    if tweet is None:
        return None
    return {
        "at": _iso(tweet.sent_at),
        "tweet_id": str(tweet.tweet_id or ""),
        "url": tweet_url(tweet.tweet_id),
    }


def _last_run_data(run: RunRecord | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "at": _iso(run.started),
        "outcome": run.outcome or "",
        "reason": run.reason,
        "exit_code": run.exit_code,
        "message": run.message,
    }


def _spend_data(spend: Spend, settings: Settings) -> dict[str, float]:
    return {
        "last_24h": money.exact(spend.day),
        "month": money.exact(spend.month),
        "forecast": money.exact(spend.forecast),
        "daily_budget": settings.daily_budget_usd,
        "monthly_budget": settings.monthly_budget_usd,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
