"""The circuit breaker: how often X refused the account in a row, and when a post may be tried again. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from src.config import SECRETS, Settings
from src.domain.answers import Outcome, SendResult
from src.domain.fixes import NO_FIX, Fix
from src.domain.logins import RenewableLogin
from src.domain.runs import Hold
from src.domain.timetable import Timetable

BREAKER_AFTER = 3
BREAKER_SLOTS = 6


@dataclass(frozen=True, slots=True)
class BreakerState:
    """The breaker at one moment. `count` is the number of consecutive refusals; 0 means that X accepts posts.

    `until` (UTC) is when the next post may be tried, None if that is now; `since` (UTC) is the first refusal.
    """

    open: bool = False
    until: datetime | None = None
    count: int = 0
    reason: str = ""
    fix: Fix = NO_FIX
    since: datetime | None = None


CLOSED = BreakerState()


def keys_mark(settings: Settings) -> str:
    """Return a mark of the keys in use, by which a change of them is seen; it tells nothing of them."""
    if isinstance(settings.login, RenewableLogin):  # whose tokens change with each renewal
        keys = [settings.twitter_client_id, settings.login.user_id]
    else:
        secrets = (getattr(settings, name.lower()) for name in SECRETS)
        keys = [secret.get_secret_value() if secret else "" for secret in secrets]
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]


def breaker_state(hold: Hold | None, now: datetime) -> BreakerState:
    """Return how the breaker stands with the hold on record."""
    if hold is None or hold.kind != "blocked":
        return CLOSED
    until = hold.until if hold.until and hold.until > now else None
    return BreakerState(hold.count >= BREAKER_AFTER, until, hold.count, hold.reason, hold.fix, hold.since)


def next_hold(current: Hold | None, result: SendResult, now: datetime, timetable: Timetable) -> Hold:
    """Return the hold that follows from an answer of X (BLOCKED or LATER). The same kind again counts up."""
    blocked = result.outcome is Outcome.BLOCKED
    kind = "blocked" if blocked else "wait"
    before = current if current and current.kind == kind else None
    count = before.count + 1 if before else 1
    until = _blocked_until(result.reason, count, now, timetable) if blocked else result.until
    return Hold(kind, result.reason, until, result.fix, count, before.since if before else now)


def _blocked_until(reason: str, count: int, now: datetime, timetable: Timetable) -> datetime | None:
    """Return until when a refusal of the account, the app or the money holds; None: the next tick may try.

    The third in a row opens the breaker for six slots. Until then each tick tries again after a 401, because
    X has had outages that answer 401. A wrong clock is not waited for: it cannot tell when the wait ends.
    """
    if reason == "clock":
        return None
    if count >= BREAKER_AFTER:
        return timetable.next_after(now, BREAKER_SLOTS)
    return None if reason == "unauthorized" else timetable.next_after(now)
