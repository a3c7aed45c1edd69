"""The one screen: healthy or not and why, what was and will be posted, limits, money, success, library."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from src import __version__
from src.config import Settings
from src.content.freshness import Supply
from src.domain import model_choice, money
from src.domain.answers import RateLimit, tweet_id_text, tweet_url
from src.domain.plurals import numbered
from src.domain.posts import Post
from src.domain.runs import RunOutcome, RunRecord
from src.domain.timetable import Pause
from src.posting.breaker import CLOSED, BreakerState
from src.posting.due import Wait
from src.watch import health
from src.watch.facts import Finding
from src.watch.overview import Overview, Spend
from src.watch.slot_history import Rate
from src.x import account_name
from src.x.claim import fix_text


class Unit(NamedTuple):
    """A unit of time: its names, its length, and the least age that is told in it (both in minutes)."""

    one: str
    many: str
    minutes: int
    least: int


UNITS = (Unit("day", "days", 1440, 2880), Unit("hour", "hours", 60, 120), Unit("minute", "minutes", 1, 1))

# The windows of X's rate limits, for people.
WINDOW_NAMES = {
    "x-rate-limit": "15 minutes:",
    "x-app-limit-24hour": "app, 24 hours:",
    "x-user-limit-24hour": "user, 24 hours:",
}


# ---- as text -----------------------------------------------------------------------------------------------


def as_text(overview: Overview | None, findings: Sequence[Finding], settings: Settings, now: datetime) -> str:
    """Return the screen for people."""
    state = "waits for you" if findings else "healthy"
    if health.exit_code(findings):
        state = "needs attention"
    lines = [f"{state}, {pause_text(overview.pause, settings)}" if overview and overview.pause else state]
    for finding in findings:
        lines.append(f"  {finding.code}: {finding.message}")
        lines.append(f"    fix: {fix_text(finding.fix, settings.profile)}")
    if overview:
        lines += [f"{name:<12} {value}" for name, value in rows(overview, settings, now)]
    return "\n".join(lines)


def rows(overview: Overview, settings: Settings, now: datetime) -> list[tuple[str, str]]:
    """Return the lines of the screen: a name and a text each."""
    limits = "; ".join(limit_text(limit, settings, now) for limit in overview.limits)
    rates = " | ".join(f"{name}: {rate_text(share)}" for name, share in overview.rates.items())
    no_backup = "none yet: the second line of crontab.example makes one a day"
    return [
        ("account", account_name.known(settings) or "its name is not known yet: check --online asks X"),
        ("last post", _last_post_text(overview.last_tweet, settings, now)),
        ("next post", next_post_text(overview.wait, settings)),
        ("schedule", settings.schedule.describe()),
        ("queue", queue_text(overview, settings)),
        ("last run", _last_run_text(overview.last_run, settings, now)),
        ("refusals", health.refusals_text(overview.facts.breaker or CLOSED, settings)),
        ("rate limits", limits or "not reported by X yet"),
        ("spend", spend_text(overview.spend, settings)),
        ("success", rates),
        ("library", library_text(overview.library, settings)),
        ("program", f"version {__version__}, model {settings.model} {_role(settings)}"),
        ("backup", when_text(overview.maintained, settings, now) if overview.maintained else no_backup),
    ]


def _role(settings: Settings) -> str:
    return model_choice.role(settings.mode_in_force, settings.openings, settings.model_left_out)


def _last_post_text(tweet: Post | None, settings: Settings, now: datetime) -> str:
    if tweet is None or tweet.sent_at is None:
        return "none"
    text = f"{when_text(tweet.sent_at, settings, now)}, {tweet_url(tweet.tweet_id)}"
    if tweet.deleted_at:
        return f"{text}, deleted by you on {settings.shown(tweet.deleted_at)}"
    return f"{text}, no longer on X" if tweet.vanished_at else text


def _last_run_text(run: RunRecord | None, settings: Settings, now: datetime) -> str:
    if run is None:
        return "none"
    said = run.message or ("an outcome of a newer version" if run.finished else "not finished")
    if run.outcome is RunOutcome.POSTED:
        said = "posted"
    return f"{when_text(run.started, settings, now)}: {said}"


def pause_text(pause: Pause, settings: Settings) -> str:
    """Return until when the owner has paused."""
    since = f"since {settings.shown(pause.since)}"
    return f"paused until {settings.shown(pause.until)}" if pause.until else f"paused {since}"


def queue_text(overview: Overview, settings: Settings) -> str:
    """Return how many texts wait, for whom, and until when the last of them goes out."""
    queue = overview.queue
    words = numbered(queue.waiting, "text waits", "texts wait") if queue.waiting else "empty"
    if queue.last:
        words += f", the last of them until {settings.shown(queue.last)}"
    if queue.drafts:
        words += f"; {numbered(queue.drafts, 'draft waits', 'drafts wait')} for you"
    return words + ("; each text needs your approval" if settings.require_approval else "")


def next_post_text(wait: Wait | None, settings: Settings) -> str:
    """Return when the next post goes out, as far as it is known."""
    if wait is None:
        return "with the next run"
    if wait.until is None:
        return wait.message
    return f"with the first run after {settings.shown(wait.until)} ({wait.message})"


def limit_text(limit: RateLimit, settings: Settings, now: datetime) -> str:
    """Return one window of X's rate limits in words."""
    known = f"until {settings.shown(limit.reset)}" if limit.reset > now else "when last reported"
    return f"{WINDOW_NAMES.get(limit.name, limit.name)} {limit.remaining} of {limit.limit} left {known}"


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
        f" {money.price(spend.month)} this month of {money.budget(settings.monthly_budget_usd)},"
        f" forecast {money.price(spend.forecast)}"
    )


def percent(share: float) -> str:
    """Return 0.9972 as 99.7 %; 100 % only where it is all."""
    return f"{min(share * 100, 99.9):.1f} %" if share < 1 else "100 %"


def library_text(left: Supply, settings: Settings) -> str:
    """Return how long the vetted texts last."""
    statements, texts = numbered(left.total, "statement"), numbered(left.texts, "text")
    return f"{left.fresh:,} of {statements} fresh; {texts} may be sent; {lasts_text(left, settings)}"


def lasts_text(left: Supply, settings: Settings) -> str:
    """Return until which day every slot has a text."""
    if left.until is None or left.days is None:
        return "every slot has a text for more than three years"
    until = left.until.astimezone(settings.schedule.zone)
    return f"a slot first stays empty on {until:%F}, in {numbered(round(left.days), 'day')}"


def until_text(left: Supply, settings: Settings) -> str:
    """Return how long the vetted texts last, in few words."""
    if left.until is None:
        return "lasts more than three years"
    return f"lasts until {left.until.astimezone(settings.schedule.zone):%F}"


def when_text(moment: datetime, settings: Settings, now: datetime) -> str:
    """Return `2026-11-22 14:07 UTC (3 hours ago)`; the time alone where it lies ahead."""
    passed = age_text(moment, now)
    return settings.shown(moment) + (f" ({passed})" if passed else "")


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
        "healthy": health.exit_code(findings) == 0,
        "reasons": [_finding_data(finding, settings) for finding in findings],
        "exit_code": int(health.exit_code(findings)),
    }
    if findings:
        data |= {"message": findings[0].message, "fix": fix_text(findings[0].fix, settings.profile)}
    if overview is None:
        return {**data, "nothing_has_run": True}
    wait, rates = overview.wait, overview.rates
    return data | {
        "last_post": _last_post_data(overview.last_tweet),
        "next_post": {
            "due": wait is None,
            "not_before": iso(wait.until) if wait else None,
            "says": next_post_text(wait, settings),
        },
        "schedule": settings.schedule.as_data() | {"says": settings.schedule.describe()},
        "paused": pause_data(overview.pause),
        "queue": {
            "waiting": overview.queue.waiting,
            "drafts": overview.queue.drafts,
            "last_expected_at": iso(overview.queue.last),
        },
        "version": __version__,
        "account": account_name.known(settings).removeprefix("@") or None,
        "profile": settings.profile,
        "model": settings.model,
        "mode": settings.mode_in_force,
        "openings": settings.openings,
        "model_left_out": settings.model_left_out or None,
        "last_run": _last_run_data(overview.last_run),
        "breaker": _breaker_data(overview.facts.breaker or CLOSED),
        "rate_limits": [
            {"name": w.name, "limit": w.limit, "remaining": w.remaining, "reset": iso(w.reset)}
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
            "until": iso(overview.library.until),
        },
        "last_backup": iso(overview.maintained),
    }


def _finding_data(finding: Finding, settings: Settings) -> dict[str, Any]:
    return {
        "name": finding.code,
        "message": finding.message,
        "fix": fix_text(finding.fix, settings.profile),
        "exit_code": int(finding.exit_code),
        "since": iso(finding.since),
    }


def _last_post_data(tweet: Post | None) -> dict[str, Any] | None:
    if tweet is None:
        return None
    return {
        "at": iso(tweet.sent_at),
        "tweet_id": tweet_id_text(tweet.tweet_id),
        "url": tweet_url(tweet.tweet_id),
        "deleted_at": iso(tweet.deleted_at),
    }


def pause_data(pause: Pause | None) -> dict[str, Any] | None:
    """Return a pause for programs."""
    return {"since": iso(pause.since), "until": iso(pause.until)} if pause else None


def _breaker_data(state: BreakerState) -> dict[str, Any]:
    return {
        "open": state.open,
        "refusals": state.count,
        "reason": state.reason,
        "since": iso(state.since),
        "until": iso(state.until),
    }


def _last_run_data(run: RunRecord | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "at": iso(run.started),
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


def iso(moment: datetime | None) -> str | None:
    """Return a time for programs, in UTC."""
    return moment.isoformat(timespec="seconds") if moment else None
