"""How a run ends and what is kept of it: exit codes, outcomes, measures, attempts, and holds between runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from src.domain.fixes import NO_FIX, Fix
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


class RunOutcome(StrEnum):
    """How a run ended. The values are what logs, metrics, `--json` and the `runs` table hold."""

    POSTED = "posted"
    REFUSED = "refused"  # X refused the text
    BLOCKED = "blocked"  # X refused the account, the app or the payment
    LATER = "later"  # a limit of X was used up by this run
    NOT_SENT = "not-sent"
    UNKNOWN = "unknown"  # the tweet may be on X
    NO_CONTENT = "no-content"
    WAITING_FOR_APPROVAL = "waiting-for-approval"
    COLD_START = "cold-start"  # the timeline could not be read before the first post of a new database
    SLOT_USED = "nothing-due:slot-used"
    CLOCK_BEHIND = "nothing-due:clock-behind"
    ON_HOLD = "nothing-due:hold"  # the result's `reason` says why; the table joins the two
    TOO_SOON = "nothing-due:too-soon"
    DAILY_CAP = "nothing-due:daily-cap"
    BUDGET = "nothing-due:budget"
    RATE_LIMITED = "nothing-due:rate-limited"
    QUIET_HOURS = "nothing-due:quiet-hours"
    PAUSED = "nothing-due:paused"
    NOT_YET = "nothing-due:not-yet"  # the next time to post lies ahead
    BUSY = "busy"  # another run holds the lock
    LOCKED = "locked"  # another program holds the database
    TROUBLE = "trouble"  # an error ended the run
    MAINTAINED = "maintained"


@dataclass(frozen=True, slots=True)
class TickResult:
    """The end of one tick: its exit code, its outcome, and a message for people.

    `reason` is set for a hold.
    """

    exit_code: Exit
    outcome: RunOutcome
    message: str
    fix: Fix = NO_FIX
    post_id: int | None = None
    tweet_id: int | None = None
    notes: tuple[Note, ...] = ()
    reason: str = ""


class Metric(StrEnum):
    """Names of measurements that are read by another module than the one that takes them."""

    SECONDS = "seconds"
    OPEN_SECONDS = "open_seconds"
    SETTLE_SECONDS = "settle_seconds"
    DUE_SECONDS = "due_seconds"
    COMPOSE_SECONDS = "compose_seconds"
    SEND_SECONDS = "send_seconds"
    CPU_SECONDS = "cpu_seconds"
    PROGRAM_PEAK_MB = "program_peak_mb"
    MODEL_PEAK_MB = "model_peak_mb"
    MODEL_SECONDS = "generate_seconds"  # only where the model was asked
    MODEL_FAILED = "model_failed"  # only where it was asked and returned nothing
    TOKENS_PER_SECOND = "tokens_per_second"
    FRESH_STATEMENTS = "fresh_statements"  # only where a text was composed
    LIBRARY_DAYS = "library_days"  # only where the library does not last longer than ALERT_LOW_LIBRARY_DAYS
    COST_USD = "cost_usd"


class ModelUse(StrEnum):
    """What the model did in a run."""

    NOT_ASKED = "not asked"
    WROTE = "wrote"
    FAILED = "failed"


def model_use(metrics: Mapping[str, float]) -> ModelUse:
    """Return what the model did in the run that measured this."""
    if Metric.MODEL_FAILED in metrics:
        return ModelUse.FAILED
    return ModelUse.WROTE if Metric.MODEL_SECONDS in metrics else ModelUse.NOT_ASKED


_LEFT_SHARE = "-left-share"


def limit_left_metric(window: str) -> str:
    """Return the metric that holds the share left (0 to 1) of one window of X's rate limits."""
    return window + _LEFT_SHARE


def limits_left(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the share left (0 to 1) of each window of X's rate limits that a run was told."""
    return {
        name.removesuffix(_LEFT_SHARE): left for name, left in metrics.items() if name.endswith(_LEFT_SHARE)
    }


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One stored tick. Times UTC; `finished` and `exit_code` are None while it runs or if it died.

    `outcome` is None then too, and where another version wrote one that this version does not know. `reason`
    is set for a hold.
    """

    slot: str
    started: datetime
    finished: datetime | None
    exit_code: int | None
    outcome: RunOutcome | None
    message: str
    metrics: dict[str, float]
    reason: str = ""

    @property
    def model_use(self) -> ModelUse:
        """What the model did in this run."""
        return model_use(self.metrics)


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
    fix: Fix
    count: int
    since: datetime
