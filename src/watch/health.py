"""Whether all is well, and if not, why and what to do: one judgement for `status` and `report`. Pure.

What an alert would say comes from the same rules (`alerts.causes`); added is what only shows from outside a run:
that none ran, that keys are missing, that an outcome is open since a moment ago.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from src.config import Settings
from src.content.freshness import Supply
from src.domain.answers import RateLimit
from src.domain.posts import Post
from src.domain.runs import Exit, RunRecord, TickResult
from src.domain.slots import Usage
from src.posting.breaker import BREAKER_AFTER, BreakerState
from src.posting.due import Wait
from src.watch import alerts
from src.watch.slot_history import Rate

FORECAST_DAYS = 7
LOG_FIX = "the whole story is in error.log in the folder of the logs"
_EXITS = {
    "blocked": Exit.BLOCKED,
    "unknown": Exit.UNKNOWN,
    "database": Exit.IO,
    "library": Exit.NO_CONTENT,
    "settings": Exit.CONFIG,
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
    breaker: BreakerState
    limits: tuple[RateLimit, ...]
    last_run: RunRecord | None
    last_tweet: Post | None
    unknown: tuple[int, ...]
    failures: int
    model_failures: int
    last_posted: datetime | None
    watched_since: datetime | None
    maintained: datetime | None
    rates: Mapping[str, Rate]
    library: Supply
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
    return [
        Reason(c.name, c.message, c.fix or LOG_FIX, _EXITS.get(c.name, Exit.TEMPORARY))
        for c in causes
        if c.name != "unknown"
    ]


def _as_seen_by_a_run(facts: Facts) -> alerts.Health:
    run = facts.last_run
    result = TickResult(Exit.OK, "", "")
    if run and run.finished:
        result = TickResult(_known(run.exit_code), run.outcome, run.message, _FIXES.get(run.outcome, ""))
    return alerts.Health(
        result,
        breaker=facts.breaker,
        failures=facts.failures,
        model_failures=facts.model_failures,
        last_posted=facts.last_posted,
        watched_since=facts.watched_since,
        fresh_statements=facts.library.fresh,
        library_days=facts.library.days,
    )


def _known(code: int | None) -> Exit:
    return Exit(code) if code in set(Exit) else Exit.BUG


def _outside(facts: Facts, settings: Settings, now: datetime) -> list[Reason]:
    """What a run cannot see of itself."""
    found = []
    last = facts.last_run.started if facts.last_run else facts.watched_since
    silent = last is not None and now - last > timedelta(minutes=2 * settings.post_interval_minutes)
    missing = settings.missing_credentials
    if missing and (
        silent or not facts.last_run
    ):  # runs that are on record had keys: systemd may hand them to the service alone
        found.append(
            Reason(
                "credentials",
                f"{', '.join(missing)}: not set",
                "fill them in in .env; .env.example explains each",
                Exit.CONFIG,
            )
        )
    if facts.unknown:
        which = ", ".join(map(str, facts.unknown))
        found.append(
            Reason(
                "unknown",
                f"outcome unknown of post {which}",
                "the next runs look on the timeline; or look at your account and settle it with"
                f" `reconcile {facts.unknown[0]} --posted TWEET_ID` or `--not-posted`",
                Exit.UNKNOWN,
            )
        )
    if silent:
        found.append(
            Reason(
                "not-running",
                f"no run since {last:%F %R} UTC",
                "look at `crontab -l` and at what cron mailed; was the machine off or asleep?",
                Exit.TEMPORARY,
            )
        )
    return found


def breaker_text(state: BreakerState) -> str:
    """Return how the circuit breaker stands, in one line."""
    if not state.count:
        return "closed"
    word, comma = ("open", "" if state.until else ",") if state.open else ("closed", ",")
    return f"{word}{comma} {breaker_detail(state)}"


def breaker_detail(state: BreakerState) -> str:
    """Return why the breaker is open, or what counts towards opening it; empty while X accepts posts."""
    until = f"until {state.until:%F %R} UTC" if state.until else ""
    if state.open:
        since = f" since {state.since:%F %R} UTC" if state.since else ""
        return f"{until or 'one try is due'}: {state.reason}, {state.count} in a row{since}"
    if not state.count:
        return ""
    wait = f"; waits {until}" if until else ""
    return f"{state.count} of {BREAKER_AFTER} refusals: {state.reason}{wait}"


def forecast(month: float, week: float, watched_days: float, now: datetime) -> float:
    """What the calendar month (UTC) will have cost at the pace of the last seven days (`week`, US dollars)."""
    days = calendar.monthrange(now.year, now.month)[1]
    month_start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    left = days - (now - month_start) / timedelta(days=1)
    return month + week / max(min(FORECAST_DAYS, watched_days), 1.0) * left
