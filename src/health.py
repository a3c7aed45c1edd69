"""Whether all is well, and if not, why and what to do: one judgement for `status` and `report`. Pure.

What an alert would say comes from the same rules (`alerts.causes`); added is what only shows from outside a run:
that none ran, that keys are missing, that an outcome is open since a moment ago.
"""

from __future__ import annotations

import calendar
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from src import alerts
from src.config import Settings
from src.db_manager import Hold, Run, Usage
from src.pacing import BREAKER_AFTER, Wait
from src.post import Exit, Post, RateLimit, TickResult
from src.slots import Rate

FORECAST_DAYS = 7
HORIZON_DAYS = 366
LOG_FIX = "the whole story is in error.log in the folder of the logs"
_EXITS = {
    "blocked": Exit.BLOCKED,
    "unknown": Exit.UNKNOWN,
    "database": Exit.IO,
    "library": Exit.NO_CONTENT,
}
_FIXES = {
    "not-sent": "check the network and the name server of this machine",
    "later": "nothing to do: the program waits until X's limit is over",
    "no-content": "`sources check` shows the library; add statements (SOURCES)",
    "waiting-for-approval": "`drafts list`, then `drafts approve ID`",
    "nothing-due:budget": "raise DAILY_BUDGET_USD or MONTHLY_BUDGET_USD if you want more",
    "nothing-due:clock-behind": "set the clock of this machine (timedatectl set-ntp true)",
}


@dataclass(frozen=True, slots=True)
class Library:
    """Statements in all, those fresh now, and the days they last (None: longer than anybody need plan for)."""

    total: int
    fresh: int
    days: float | None


@dataclass(frozen=True, slots=True)
class Spend:
    """US dollars: the last 24 hours, this calendar month so far, and the month as it will be at this pace."""

    day: float
    month: float
    forecast: float


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the judgement and the one screen rest on. Times UTC; `rates` by window: 24 h, 7 d, 30 d.

    `wait` is why no post is due at this moment (None: one is); `unknown` are the ids of posts whose outcome is open;
    `maintained` is when the last backup was made.
    """

    usage: Usage
    wait: Wait | None
    hold: Hold | None
    limits: tuple[RateLimit, ...]
    last_run: Run | None
    last_tweet: Post | None
    unknown: tuple[int, ...]
    failures: int
    last_posted: datetime | None
    watched_since: datetime | None
    maintained: datetime | None
    rates: Mapping[str, Rate]
    library: Library
    spend: Spend


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that a person should look at: a stable name, a sentence, what to do, and the exit code it deserves."""

    name: str
    message: str
    fix: str
    exit_code: Exit


def judge(facts: Facts, settings: Settings, now: datetime) -> tuple[Reason, ...]:
    """Everything that is wrong, the gravest first; empty when all is well."""
    found = [*_outside(facts, settings, now), *_by_the_alerts(facts, settings, now)]
    return tuple(sorted(found, key=lambda reason: -reason.exit_code))


def exit_code(reasons: Iterable[Reason]) -> Exit:
    """The gravest reason's exit code, 0 for none."""
    return max((reason.exit_code for reason in reasons), default=Exit.OK)


def _by_the_alerts(facts: Facts, settings: Settings, now: datetime) -> list[Reason]:
    causes = alerts.causes(_as_seen_by_a_run(facts), settings, now)
    return [Reason(c.name, c.message, c.fix or LOG_FIX, _EXITS.get(c.name, Exit.TEMPORARY))
            for c in causes if c.name != "unknown"]


def _as_seen_by_a_run(facts: Facts) -> alerts.Health:
    run, hold = facts.last_run, facts.hold if facts.hold and facts.hold.kind == "blocked" else None
    result = TickResult(Exit.OK, "", "")
    if run and run.finished:
        result = TickResult(_known(run.exit_code), run.outcome, run.message, _FIXES.get(run.outcome, ""))
    return alerts.Health(
        result,
        blocked=f"{hold.reason}, {hold.count} in a row" if hold else "",
        blocked_fix=hold.fix if hold else "",
        failures=facts.failures,
        last_posted=facts.last_posted,
        watched_since=facts.watched_since,
        fresh_statements=facts.library.fresh,
    )


def _known(code: int | None) -> Exit:
    return Exit(code) if code in set(Exit) else Exit.BUG


def _outside(facts: Facts, settings: Settings, now: datetime) -> list[Reason]:
    """What a run cannot see of itself."""
    found = []
    last = facts.last_run.started if facts.last_run else facts.watched_since
    silent = last is not None and now - last > timedelta(minutes=2 * settings.post_interval_minutes)
    missing = settings.missing_credentials
    if missing and (silent or not facts.last_run):  # runs that are on record had keys: systemd may hand them to the service alone
        found.append(Reason("credentials", f"{', '.join(missing)}: not set", "fill them in in .env; .env.example explains each", Exit.CONFIG))
    if facts.unknown:
        which = ", ".join(map(str, facts.unknown))
        found.append(Reason("unknown", f"outcome unknown of post {which}",
                            "the next runs look on the timeline; or look at your account and settle it with"
                            f" `reconcile {facts.unknown[0]} --posted TWEET_ID` or `--not-posted`", Exit.UNKNOWN))
    if silent:
        found.append(Reason("not-running", f"no run since {last:%F %R} UTC",
                            "look at `crontab -l` and at what cron mailed; was the machine off or asleep?", Exit.TEMPORARY))
    return found


def breaker(hold: Hold | None, now: datetime) -> str:
    """How the circuit breaker stands, in words."""
    if hold is None or hold.kind != "blocked":
        return "closed"
    held = f" until {hold.until:%F %R} UTC" if hold.until and hold.until > now else ""
    if hold.count >= BREAKER_AFTER:
        return f"open{held or ', one try is due'}: {hold.reason}, {hold.count} in a row since {hold.since:%F %R} UTC"
    return f"closed, {hold.count} of {BREAKER_AFTER} refusals: {hold.reason}" + (f"; waits{held}" if held else "")


def posts_per_day(settings: Settings) -> float:
    """How many posts a day the settings allow, quiet hours aside."""
    return min(1440 / settings.post_interval_minutes, settings.max_posts_per_day)


def library(settings: Settings, statements: Iterable[str], last_used: Mapping[str, datetime], now: datetime) -> Library:
    """How long the library lasts. `statements` are their ids, `last_used` when each last ran."""
    known = set(statements)
    cooldown = timedelta(days=settings.cooldown_days)
    back = sorted(used + cooldown for name, used in last_used.items() if name in known and now - used < cooldown)
    fresh = len(known) - len(back)
    waits = [max((at - now) / timedelta(days=1), 0.0) for at in back]
    return Library(len(known), fresh, days_left(fresh, waits, posts_per_day(settings), settings.cooldown_days))


def days_left(fresh: int, waits: Iterable[float], per_day: float, cooldown_days: float) -> float | None:
    """Days until no statement is fresh, at `per_day` posts; `waits` are the days until each used one is back, ascending.

    None if that does not come within a year, or ever: what is used is back after `cooldown_days`.
    """
    back = deque(waits)
    for number in range(int(min(2 * cooldown_days, HORIZON_DAYS) * per_day) + 1):  # after two rounds it repeats itself
        day = number / per_day
        while back and back[0] <= day + 1e-9:
            back.popleft()
            fresh += 1
        if not fresh:
            return day
        fresh -= 1
        back.append(day + cooldown_days)
    return None


def forecast(month: float, week: float, watched_days: float, now: datetime) -> float:
    """What the calendar month (UTC) will have cost at the pace of the last seven days (`week`, US dollars)."""
    days = calendar.monthrange(now.year, now.month)[1]
    month_start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    left = days - (now - month_start) / timedelta(days=1)
    return month + week / max(min(FORECAST_DAYS, watched_days), 1.0) * left
