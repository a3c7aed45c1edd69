"""Whether a post is due: a pure decision over what was used, what is held and what was set. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from src.config import Settings
from src.domain.answers import RateLimit
from src.domain.posts import Status
from src.domain.runs import Exit, Hold
from src.domain.slots import Usage, next_slot

CLOCK_TOLERANCE = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=24)
BREAKER_AFTER = 3
BREAKER_SLOTS = 6


@dataclass(frozen=True, slots=True)
class Wait:
    """Why nothing is due: a code, a sentence, the next time to look (UTC), and the exit code it deserves."""

    reason: str
    message: str
    until: datetime | None = None
    exit_code: Exit = Exit.OK
    fix: str = ""


def not_due(
    settings: Settings, usage: Usage, hold: Hold | None, limits: Iterable[RateLimit], now: datetime
) -> Wait | None:
    """The first reason not to post now, or None: a post is due."""
    after = next_slot(now, settings.post_interval_minutes)
    if usage.slot_status not in {None, Status.PENDING}:
        return Wait("slot-used", f"this slot has its post ({usage.slot_status})", after)
    if usage.last_sent and now < usage.last_sent - CLOCK_TOLERANCE:
        return Wait(
            "clock-behind",
            f"the clock is behind the last post ({usage.last_sent:%F %R} UTC)",
            usage.last_sent,
            Exit.TEMPORARY,
            "set the clock of this machine (timedatectl set-ntp true)",
        )
    longest = max(LONGEST_WAIT, timedelta(minutes=settings.post_interval_minutes * BREAKER_SLOTS))
    if (
        hold and hold.until and now < hold.until <= now + longest
    ):  # one that ends later was set by a wrong clock
        return _held(hold)
    gap = timedelta(minutes=settings.post_interval_minutes / 3)
    if usage.last_sent and now - usage.last_sent < gap:
        return Wait("too-soon", f"the last post went out at {usage.last_sent:%R} UTC", usage.last_sent + gap)
    if usage.sent_24h >= settings.max_posts_per_day:
        return Wait(
            "daily-cap",
            f"{usage.sent_24h} posts in 24 hours, MAX_POSTS_PER_DAY is {settings.max_posts_per_day}",
        )
    return _over_budget(settings, usage) or _rate_limited(limits, now) or _quiet(settings, now)


def _held(hold: Hold) -> Wait:
    until = f" until {hold.until:%F %R} UTC" if hold.until else ""
    blocked = hold.kind == "blocked"
    return Wait(
        f"hold-{hold.reason}",
        f"on hold{until}: {hold.reason}",
        hold.until,
        Exit.BLOCKED if blocked else Exit.OK,
        hold.fix,
    )


def _over_budget(settings: Settings, usage: Usage) -> Wait | None:
    price = settings.price_post_usd
    for name, spent, budget in (
        ("DAILY_BUDGET_USD", usage.spent_24h, settings.daily_budget_usd),
        ("MONTHLY_BUDGET_USD", usage.spent_month, settings.monthly_budget_usd),
    ):
        if spent + price > budget + 1e-9:
            return Wait(
                "budget",
                f"${spent:.3f} spent, a post costs ${price:.3f}, {name} is {budget:g}",
                fix=f"raise {name} if you want more",
            )
    return None


def price_of(text: str, settings: Settings) -> float:
    """Return what X bills for a post of `text`, in US dollars: more if it has a link."""
    from src.content.tweet_text import find_links  # noqa: PLC0415 (a tick with nothing due needs none of it)

    return settings.price_link_post_usd if find_links(text) else settings.price_post_usd


def _rate_limited(limits: Iterable[RateLimit], now: datetime) -> Wait | None:
    resets = [w.reset for w in limits if w.remaining <= 0 and now < w.reset <= now + LONGEST_WAIT]
    return (
        Wait("rate-limited", f"X's limit is used up until {max(resets):%F %R} UTC", max(resets))
        if resets
        else None
    )


def _quiet(settings: Settings, now: datetime) -> Wait | None:
    quiet = is_quiet(settings, now)
    return (
        Wait("quiet-hours", f"quiet hours {settings.quiet_hours} ({settings.time_zone})") if quiet else None
    )


def is_quiet(settings: Settings, now: datetime) -> bool:
    """Return whether `now` lies in the quiet hours."""
    return settings.quiet_span is not None and settings.quiet_span.includes(now)


def hold_until(reason: str, count: int, now: datetime, interval_minutes: int) -> datetime | None:
    """How long X's refusal of the account, the app or the money is respected. None: try again at the next tick.

    The third in a row opens the breaker for six slots. A 401 before that gets a probe per tick: X has had
    outages that answer 401. A wrong clock is not waited for: when it ends, that clock cannot tell.
    """
    if reason == "clock":
        return None
    if count >= BREAKER_AFTER:
        return next_slot(now, interval_minutes) + timedelta(minutes=interval_minutes * (BREAKER_SLOTS - 1))
    return None if reason == "unauthorized" else next_slot(now, interval_minutes)
