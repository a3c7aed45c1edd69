"""The one screen: healthy or not and why, what was and will be posted, limits, money, success, library."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from src import db_manager
from src.config import Settings
from src.content import library
from src.content.freshness import Supply, supply
from src.domain.answers import RateLimit, tweet_url
from src.domain.posts import Status
from src.domain.slots import Usage, slot_of
from src.posting import due
from src.posting.breaker import breaker_state
from src.watch import health
from src.watch.health import Facts, Reason, Spend
from src.watch.slot_history import Rate, Slot, rate, slot_history
from src.x.claim import named

WINDOWS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}


def look(settings: Settings, now: datetime) -> tuple[Facts | None, tuple[Reason, ...]]:
    """What there is to know, and what is wrong. No facts where nothing has run yet. Raises `StorageError`."""
    db = db_manager.open_for_reading(settings.database)
    if db is None:
        return None, ()
    with contextlib.closing(db):
        facts = read_facts(db, settings, read_slots(db, settings, now, WINDOWS["30d"]), now)
    return facts, health.judge(facts, settings, now)


def read_slots(db: db_manager.Database, settings: Settings, now: datetime, window: timedelta) -> list[Slot]:
    """What became of each slot of the last `window`, from the first that the program watched."""
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


def read_facts(db: db_manager.Database, settings: Settings, slots: Sequence[Slot], now: datetime) -> Facts:
    """Everything the judgement rests on, from the database and the library of statements."""
    usage, hold, limits = (
        db.archive.usage(slot_of(now, settings.post_interval_minutes), now),
        db.notes.current_hold(),
        db.notes.limits(),
    )
    watched = db.notes.made_at()
    return Facts(
        usage=usage,
        wait=due.not_due(settings, usage, hold, limits, now),
        breaker=breaker_state(hold, now),
        limits=limits,
        last_run=db.journal.latest_run(),
        last_tweet=db.archive.last_tweet(),
        unknown=tuple(
            p.id
            for state in (Status.UNKNOWN, Status.UNCONFIRMED)
            for p in db.with_status(state)
            if p.origin != "seed"
        ),
        failures=db.journal.failures_in_a_row(),
        model_failures=db.journal.model_failures_in_a_row(),
        last_posted=db.archive.last_posted(),
        watched_since=watched,
        maintained=db.notes.get_time("maintained_at"),
        rates={name: rate(slots, now - window) for name, window in WINDOWS.items()},
        library=_library(db, settings, now),
        spend=_spend(db, usage, watched, now),
    )


def _library(db: db_manager.Database, settings: Settings, now: datetime) -> Supply:
    statements = library.load(settings.library_paths).statements
    return supply(settings, statements, db.archive.content_history(now, settings.cooldown_days), now)


def _spend(db: db_manager.Database, usage: Usage, watched: datetime | None, now: datetime) -> Spend:
    week = sum(usd for _, _, _, usd in db.journal.spending_by_day(now - timedelta(days=health.FORECAST_DAYS)))
    days = (now - watched) / timedelta(days=1) if watched else 0.0
    return Spend(usage.spent_24h, usage.spent_month, health.forecast(usage.spent_month, week, days, now))


# ---- in words --------------------------------------------------------------------------------------------------


def as_text(facts: Facts | None, reasons: Sequence[Reason], settings: Settings, now: datetime) -> str:
    """The screen for people."""
    if facts is None:
        return named(
            "no database yet: nothing has run\nfix: `python -m src.twitter_manager check`, then the line of crontab.example",
            settings.profile,
        )
    lines = ["healthy" if not reasons else "needs attention"]
    for reason in reasons:
        lines += [f"  {reason.name}: {reason.message}", f"    fix: {reason.fix}"]
    lines += [f"{name:<12} {value}" for name, value in rows(facts, settings, now)]
    return "\n".join(lines)


def rows(facts: Facts, settings: Settings, now: datetime) -> list[tuple[str, str]]:
    """The lines of the screen: a name and a sentence each."""
    tweet, run, spend = facts.last_tweet, facts.last_run, facts.spend
    return [
        (
            "last post",
            f"{ago(tweet.sent_at, now)}, {tweet_url(tweet.tweet_id)}" if tweet and tweet.sent_at else "none",
        ),
        ("next post", next_post(facts)),
        (
            "last run",
            f"{ago(run.started, now)}: {run.outcome or 'killed or still going'}"
            + (f" ({run.message})" if run.message and run.outcome not in {"posted", ""} else "")
            if run
            else "none",
        ),
        ("breaker", health.breaker_text(facts.breaker)),
        ("rate limits", "; ".join(limit_words(limit, now) for limit in facts.limits) or "not told by X yet"),
        ("spend", spend_words(spend, settings)),
        ("success", " | ".join(f"{name}: {rate_words(found)}" for name, found in facts.rates.items())),
        ("library", library_words(facts.library)),
        (
            "backup",
            ago(facts.maintained, now)
            if facts.maintained
            else "none yet: the second line of crontab.example makes one a day",
        ),
    ]


def next_post(facts: Facts) -> str:
    """When the next post goes out, as far as it can be told."""
    if facts.wait is None:
        return "with the next run"
    return (
        f"with the first run after {facts.wait.until:%F %R} UTC ({facts.wait.message})"
        if facts.wait.until
        else facts.wait.message
    )


def limit_words(limit: RateLimit, now: datetime) -> str:
    """One window of X's rate limits."""
    return f"{limit.name} {limit.remaining} of {limit.limit} left" + (
        f" until {limit.reset:%R} UTC" if limit.reset > now else " when last told"
    )


def rate_words(found: Rate) -> str:
    """A success rate: percentage and counts."""
    left_out = f", {found.left_out} left out by your settings" if found.left_out else ""
    if found.share is None:
        return "nothing was due" + left_out
    return f"{percent(found.share)} ({found.posted} of {found.due}{left_out})"


def spend_words(spend: Spend, settings: Settings) -> str:
    """What was spent, of how much, and what the month will come to."""
    return (
        f"${spend.day:.3f} in 24 hours of ${settings.daily_budget_usd:g}; ${spend.month:.2f} this month of"
        f" ${settings.monthly_budget_usd:g}, forecast ${spend.forecast:.2f}"
    )


def percent(share: float) -> str:
    """0.9972 as 99.7 %; 100 % only where it is all."""
    return f"{min(share * 100, 99.9):.1f} %" if share < 1 else "100 %"


def library_words(found: Supply) -> str:
    """Return how long the vetted texts last, in words."""
    lasts = "last more than a year" if found.days is None else f"last {found.days:.0f} days"
    return f"{found.fresh:,} of {found.total:,} statements fresh; {found.texts:,} texts not sent yet {lasts}"


def ago(moment: datetime, now: datetime) -> str:
    """`2026-11-22 14:07 UTC (3 hours ago)`."""
    minutes = (now - moment) / timedelta(minutes=1)
    for unit, length in (("day", 1440), ("hour", 60), ("minute", 1)):
        if minutes >= (2 * length if unit != "minute" else 1):
            count = int(minutes // length)
            return f"{moment:%F %R} UTC ({count} {unit}{'s' if count > 1 else ''} ago)"
    return f"{moment:%F %R} UTC" + (" (just now)" if minutes > -1 else "")


# ---- for programs ----------------------------------------------------------------------------------------------


def as_data(facts: Facts | None, reasons: Sequence[Reason], settings: Settings) -> dict[str, Any]:
    """The same for programs: times in ISO 8601, money in US dollars, shares from 0 to 1."""
    data: dict[str, Any] = {
        "healthy": not reasons,
        "reasons": [
            {"name": r.name, "message": r.message, "fix": r.fix, "exit_code": int(r.exit_code)}
            for r in reasons
        ],
        "exit_code": int(health.exit_code(reasons)),
    }
    if facts is None:
        return {**data, "nothing_has_run": True}
    tweet, run = facts.last_tweet, facts.last_run
    return data | {
        "last_post": {
            "at": _iso(tweet.sent_at),
            "tweet_id": str(tweet.tweet_id or ""),
            "url": tweet_url(tweet.tweet_id),
        }
        if tweet
        else None,
        "next_post": {
            "due": facts.wait is None,
            "not_before": _iso(facts.wait.until) if facts.wait else None,
            "says": next_post(facts),
        },
        "last_run": {
            "at": _iso(run.started),
            "outcome": run.outcome,
            "exit_code": run.exit_code,
            "message": run.message,
        }
        if run
        else None,
        "breaker": health.breaker_text(facts.breaker),
        "rate_limits": [
            {"name": w.name, "limit": w.limit, "remaining": w.remaining, "reset": _iso(w.reset)}
            for w in facts.limits
        ],
        "spend_usd": {
            "last_24h": round(facts.spend.day, 6),
            "month": round(facts.spend.month, 6),
            "forecast": round(facts.spend.forecast, 2),
            "daily_budget": settings.daily_budget_usd,
            "monthly_budget": settings.monthly_budget_usd,
        },
        "success": {
            name: {"share": r.share, "posted": r.posted, "due": r.due, "left_out": r.left_out}
            for name, r in facts.rates.items()
        },
        "library": {
            "total": facts.library.total,
            "fresh": facts.library.fresh,
            "texts": facts.library.texts,
            "days": facts.library.days,
        },
        "last_backup": _iso(facts.maintained),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
