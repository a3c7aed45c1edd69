"""What the judgement of health rests on, and what it finds, under names that never change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from src.domain.errors import ProgramError
from src.domain.feeds import FeedRecord
from src.domain.fixes import Fix
from src.domain.posts import Post
from src.domain.results import Reading
from src.domain.runs import Exit, TickResult
from src.domain.timetable import Timetable
from src.posting.breaker import BreakerState


class Code(StrEnum):
    """The names of everything that can be wrong. They never change: alerts, JSON and Prometheus show them."""

    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    FAILURES = "failures"
    MODEL = "model"
    SILENCE = "silence"
    BUDGET = "budget"
    DATABASE = "database"
    SETTINGS = "settings"
    BUG = "bug"
    LIBRARY = "library"
    LOGIN = "login"
    CREDENTIALS = "credentials"
    NOT_RUNNING = "not-running"
    DAMAGE = "damage"
    BACKUP = "backup"
    RETURNED = "returned-draft"
    APPROVAL = "approval"
    FEED = "feed"
    RESULTS = "results"


@dataclass(frozen=True, slots=True)
class Stock:
    """The library's fresh statements, and the days that its texts last (None: more than a year)."""

    fresh: int
    days: float | None


@dataclass(frozen=True, slots=True)
class Login:
    """The login at X: when it ends unless a run renews it (UTC), None where that is not soon."""

    ends: datetime | None


@dataclass(frozen=True, slots=True)
class Outside:
    """What only an observer outside a run sees: the start of the last run (UTC), and missing credentials."""

    last_started: datetime | None
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """The texts that a person decides on: whether runs wait for an approval, and the number of drafts."""

    awaited: bool
    drafts: int


@dataclass(frozen=True, slots=True)
class Maintenance:
    """The end of `maintain`: the error that stopped it, or None, and whether it found the database sound."""

    error: ProgramError | None
    checked: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the judgement rests on; None is a fact that was not looked at. Times are UTC.

    `result` is how the last run ended; `failure` takes its place where an error ended a run before it could
    look at the rest. `unknown` are the posts whose outcome is open. `failures` and `model_failures` count
    consecutive runs.
    """

    result: TickResult | None = None
    failure: TickResult | None = None
    breaker: BreakerState | None = None
    unknown: tuple[Post, ...] | None = None
    returned: tuple[Post, ...] | None = None
    review: Review | None = None
    failures: int | None = None
    model_failures: int | None = None
    last_posted: datetime | None = None
    watched_since: datetime | None = None
    timetable: Timetable | None = None
    library: Stock | None = None
    login: Login | None = None
    outside: Outside | None = None
    maintenance: Maintenance | None = None
    feeds: tuple[FeedRecord, ...] | None = None
    results: Reading | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person should look at: `exit_code` is for `status`, `since` is when it began (UTC)."""

    code: Code
    message: str
    fix: Fix
    exit_code: Exit = Exit.TEMPORARY
    since: datetime | None = None
