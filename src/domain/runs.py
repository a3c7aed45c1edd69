"""How a run ends and what is kept of it: exit codes, results, attempts, and the hold between runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from src.domain.notes import Note


class Exit(IntEnum):
    """Exit codes; 64 and up follow sysexits.h. Cron mails what is printed, monitors read these."""

    OK = 0
    USAGE = 2
    NO_CONTENT = 69
    BUG = 70
    IO = 74
    TEMPORARY = 75
    UNKNOWN = 76
    BLOCKED = 77
    CONFIG = 78


@dataclass(frozen=True, slots=True)
class TickResult:
    """How one tick ended: its exit code, a word for the log and metrics, and a sentence for people."""

    exit_code: Exit
    outcome: str
    message: str
    fix: str = ""
    post_id: int | None = None
    tweet_id: int | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One stored tick. Times UTC; `finished` and `exit_code` are None while it runs or if it died."""

    slot: str
    started: datetime
    finished: datetime | None
    exit_code: int | None
    outcome: str
    message: str
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to post and X's answer. `outcome` is one of `answers.Outcome`; no answer has no status."""

    slot: str
    started: datetime
    outcome: str
    http_status: int | None
    reason: str
    detail: str
    latency_ms: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason not to post before `until` (UTC; None: no wait), and how many times in succession it came.

    `kind` is "blocked" (account, app or money: a person has to act) or "wait" (it passes by itself).
    """

    kind: str
    reason: str
    until: datetime | None
    fix: str
    count: int
    since: datetime
