"""The decision whether a post is due, from what was used, what is held and what was set. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from src.config import Settings
from src.domain import money
from src.domain.answers import CLOCK_TOLERANCE, RateLimit
from src.domain.fixes import NO_FIX, Fix
from src.domain.posts import Status
from src.domain.runs import Exit, Hold, RunOutcome, TickResult
from src.domain.slots import Usage, next_slot
from src.posting.breaker import BREAKER_SLOTS

LONGEST_WAIT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Wait:
    """The reason why nothing is due: the run's outcome, a message, and an exit code.

    `until` is the next time to look (UTC), `reason` is set for a hold.
    """

    outcome: RunOutcome
    message: str
    until: datetime | None = None
    exit_code: Exit = Exit.OK
    fix: Fix = NO_FIX
    reason: str = ""

    def as_result(self) -> TickResult:
        """Return the result of a run that ends here."""
        return TickResult(self.exit_code, self.outcome, self.message, self.fix, reason=self.reason)


def not_due(
    settings: Settings, usage: Usage, hold: Hold | None, limits: Iterable[RateLimit], now: datetime
) -> Wait | None:
    """Return the first reason not to post now, or None: a post is due."""
    after = next_slot(now, settings.post_interval_minutes)
    if usage.slot_status is Status.UNKNOWN and hold and hold.kind == "blocked":
        return _held(hold)  # X refused the account in this slot, and that lasts: it is no success
    if usage.slot_status not in {None, Status.PENDING}:
        open_words = " whose outcome is unknown" if usage.slot_status is Status.UNKNOWN else ""
        return Wait(RunOutcome.SLOT_USED, f"this slot has a post{open_words}", after)
    if usage.last_sent and now < usage.last_sent - CLOCK_TOLERANCE:
        return Wait(
            RunOutcome.CLOCK_BEHIND,
            f"the clock is behind the last post ({usage.last_sent:%F %R} UTC)",
            usage.last_sent,
            Exit.TEMPORARY,
            Fix("set the clock of this machine (timedatectl set-ntp true)"),
        )
    longest = max(LONGEST_WAIT, timedelta(minutes=settings.post_interval_minutes * BREAKER_SLOTS))
    # A hold that ends later than any rule sets was set by a wrong clock.
    if hold and hold.until and now < hold.until <= now + longest:
        return _held(hold)
    gap = timedelta(minutes=settings.post_interval_minutes / 3)
    if usage.last_sent and now - usage.last_sent < gap:
        return Wait(
            RunOutcome.TOO_SOON, f"the last post went out at {usage.last_sent:%R} UTC", usage.last_sent + gap
        )
    if usage.sent_24h >= settings.max_posts_per_day:
        return Wait(
            RunOutcome.DAILY_CAP,
            f"{usage.sent_24h} posts in 24 hours, MAX_POSTS_PER_DAY is {settings.max_posts_per_day}",
        )
    plain = settings.price_post_usd
    return over_budget(settings, usage, plain) or _rate_limited(limits, now) or _quiet(settings, now)


def _held(hold: Hold) -> Wait:
    until = f" until {hold.until:%F %R} UTC" if hold.until else ""
    blocked = hold.kind == "blocked"
    return Wait(
        RunOutcome.ON_HOLD,
        f"on hold{until}: {hold.reason}",
        hold.until,
        Exit.BLOCKED if blocked else Exit.OK,
        hold.fix,
        hold.reason,
    )


def over_budget(settings: Settings, usage: Usage, price: float) -> Wait | None:
    """Return the wait for a budget that a post of this price (US dollars) would exceed, None if none is."""
    for name, spent, budget in (
        ("DAILY_BUDGET_USD", usage.spent_24h, settings.daily_budget_usd),
        ("MONTHLY_BUDGET_USD", usage.spent_month, settings.monthly_budget_usd),
    ):
        if spent + price > budget + 1e-9:
            return Wait(
                RunOutcome.BUDGET,
                f"{money.price(spent)} spent, a post costs {money.price(price)}, {name} is {budget:g}",
                fix=Fix(f"raise {name} if you want more"),
            )
    return None


def price_of(text: str, settings: Settings) -> float:
    """Return what X bills for a post of `text`, in US dollars: more if it has a link."""
    from src.content.tweet_text import find_links  # noqa: PLC0415 (a tick with nothing due needs none of it)

    return settings.price_link_post_usd if find_links(text) else settings.price_post_usd


def _rate_limited(limits: Iterable[RateLimit], now: datetime) -> Wait | None:
    resets = [w.reset for w in limits if w.remaining <= 0 and now < w.reset <= now + LONGEST_WAIT]
    return (
        Wait(RunOutcome.RATE_LIMITED, f"X's limit is used up until {max(resets):%F %R} UTC", max(resets))
        if resets
        else None
    )


def _quiet(settings: Settings, now: datetime) -> Wait | None:
    quiet = is_quiet(settings, now)
    return (
        Wait(RunOutcome.QUIET_HOURS, f"quiet hours {settings.quiet_hours} ({settings.time_zone})")
        if quiet
        else None
    )


def is_quiet(settings: Settings, now: datetime) -> bool:
    """Return whether `now` lies in the quiet hours."""
    return settings.quiet_span is not None and settings.quiet_span.includes(now)
