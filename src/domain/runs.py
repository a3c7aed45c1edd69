"""How a run ends: exit codes, and the result of one tick."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


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
    notes: tuple[str, ...] = ()
