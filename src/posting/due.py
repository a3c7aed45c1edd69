"""The decision whether a post is due, from what was used, what is held and what was set. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from src.config import Settings
from src.domain import money, reasons
from src.domain.answers import CLOCK_TOLERANCE, RateLimit
from src.domain.fixes import NO_FIX, Fix, command
from src.domain.plurals import numbered
from src.domain.posts import Status
from src.domain.runs import Exit, Hold, RunOutcome, TickResult
from src.domain.slots import Usage
from src.domain.timetable import Timetable
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
    settings: Settings,
    timetable: Timetable,
    usage: Usage,
    hold: Hold | None,
    limits: Iterable[RateLimit],
    now: datetime,
    *,
    slot: str,
    price: float | None = None,
) -> Wait | None:
    """Return the first reason not to post in `slot` now, or None: a post is due. No slot: none is open.

    `price` is what the post costs (US dollars), by default that of one without a link.
    """
    if paused := _paused(settings, timetable, now):
        return paused
    if usage.slot_status is Status.UNKNOWN and hold and hold.kind == "blocked":
        return _held(settings, hold)  # X refused the account in this slot, and that lasts: it is no success
    if usage.slot_status not in {None, Status.PENDING}:
        open_words = " whose outcome is unknown" if usage.slot_status is Status.UNKNOWN else ""
        return Wait(RunOutcome.SLOT_USED, f"this slot has a post{open_words}", timetable.next_after(now))
    return (
        _stopped(settings, timetable, usage, hold, now)
        or (_too_soon(settings, timetable, usage, now) if slot else None)
        or _used_up(settings, usage, limits, now, settings.price_post_usd if price is None else price)
        or (None if slot else _no_slot(settings, timetable, now))
    )


def held_back(
    settings: Settings,
    timetable: Timetable,
    usage: Usage,
    hold: Hold | None,
    limits: Iterable[RateLimit],
    now: datetime,
    price: float,
) -> Wait | None:
    """Return the first reason not to post now beside the slots: clock, hold, cap, budget or X's limit."""
    return _stopped(settings, timetable, usage, hold, now) or _used_up(settings, usage, limits, now, price)


def _stopped(
    settings: Settings, timetable: Timetable, usage: Usage, hold: Hold | None, now: datetime
) -> Wait | None:
    """Return the wait for a clock that is behind, or for a hold."""
    if usage.last_sent and now < usage.last_sent - CLOCK_TOLERANCE:
        return Wait(
            RunOutcome.CLOCK_BEHIND,
            f"the clock is behind the last post ({settings.shown(usage.last_sent)})",
            usage.last_sent,
            Exit.TEMPORARY,
            Fix("set the clock of this machine (timedatectl set-ntp true)"),
        )
    if hold and hold.until and now < hold.until <= _latest_end(timetable, now):
        return _held(settings, hold)
    return None


def _too_soon(settings: Settings, timetable: Timetable, usage: Usage, now: datetime) -> Wait | None:
    gap, last = timetable.current.gap, usage.last_in_slot
    if last is None or now - last >= gap:
        return None
    return Wait(RunOutcome.TOO_SOON, f"the last post went out at {settings.shown(last)}", last + gap)


def _used_up(
    settings: Settings, usage: Usage, limits: Iterable[RateLimit], now: datetime, price: float
) -> Wait | None:
    """Return the wait for the cap, a budget, or a limit of X."""
    if usage.sent_24h >= settings.max_posts_per_day:
        sent = numbered(usage.sent_24h, "post")
        words = f"{sent} in 24 hours, MAX_POSTS_PER_DAY is {settings.max_posts_per_day}"
        return Wait(RunOutcome.DAILY_CAP, words)
    return over_budget(settings, usage, price) or _rate_limited(settings, limits, now)


def _latest_end(timetable: Timetable, now: datetime) -> datetime:
    """Return the latest time at which a hold can end. One that ends later was set by a wrong clock."""
    longest = max(LONGEST_WAIT, timetable.current.longest * BREAKER_SLOTS)
    return max(now + longest, timetable.next_after(now, BREAKER_SLOTS) or now)


def _held(settings: Settings, hold: Hold) -> Wait:
    until = f" until {settings.shown(hold.until)}" if hold.until else ""
    blocked = hold.kind == "blocked"
    return Wait(
        RunOutcome.ON_HOLD,
        f"on hold{until}: {reasons.of_answer(hold.reason)}",
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


def _rate_limited(settings: Settings, limits: Iterable[RateLimit], now: datetime) -> Wait | None:
    resets = [w.reset for w in limits if w.remaining <= 0 and now < w.reset <= now + LONGEST_WAIT]
    if not resets:
        return None
    message = f"X's limit is used up until {settings.shown(max(resets))}"
    return Wait(RunOutcome.RATE_LIMITED, message, max(resets))


def _paused(settings: Settings, timetable: Timetable, now: datetime) -> Wait | None:
    pause = timetable.pause_at(now)
    if pause is None:
        return None
    until = f"until {settings.shown(pause.until)}" if pause.until else "by you"
    opens = timetable.opens_after(now)
    return Wait(RunOutcome.PAUSED, f"paused {until}", opens, fix=Fix(command("resume"), " ends the pause"))


def _no_slot(settings: Settings, timetable: Timetable, now: datetime) -> Wait:
    opens = timetable.opens_after(now)
    if timetable.current.is_quiet(now):
        message = f"quiet hours {settings.quiet_hours} ({settings.time_zone})"
        return Wait(RunOutcome.QUIET_HOURS, message, opens)
    next_time = f"the next time to post is {settings.shown(opens)}" if opens else "no time to post is set"
    return Wait(RunOutcome.NOT_YET, next_time, opens)
