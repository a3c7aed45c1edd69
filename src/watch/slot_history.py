"""The fate of each slot: posted, missed or left out by the owner's own settings, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from src.domain.answers import Outcome
from src.domain.posts import Status
from src.domain.runs import Attempt, RunOutcome, RunRecord
from src.domain.slots import slot_start

T = TypeVar("T")
LONGEST_CAUSE = 160  # characters
NO_RUN = "no run on record: the machine was off, cron stopped, or the disk was full"


class Fate(StrEnum):
    """The fate of a slot."""

    POSTED = "posted"
    MISSED = "missed"
    UNKNOWN = "unknown"  # it may be on X
    LEFT_OUT = "left out"  # quiet hours, caps, budget, approval: the owner wants it so


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot that is over or has its post: its start (UTC), its fate, and the cause if it has no post."""

    start: datetime
    fate: Fate
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Consecutive slots without a post for one cause: start of the first, end of the last (UTC), count."""

    begin: datetime
    end: datetime
    slots: int
    fate: Fate
    cause: str


@dataclass(frozen=True, slots=True)
class Rate:
    """Slots that got their post, of those that were due. Slots left out by the owner's settings are apart."""

    posted: int
    due: int
    left_out: int

    @property
    def share(self) -> float | None:
        """The share that got their post, 0 to 1; None where nothing was due."""
        return self.posted / self.due if self.due else None


_ATTEMPT_CAUSES = {
    Outcome.REFUSED: "X refused the text",
    Outcome.DUPLICATE: "X took the text for a duplicate",
    Outcome.BLOCKED: "X refused the account, the app or the money",
    Outcome.LATER: "X's limit was used up",
    Outcome.NOT_SENT: "X could not be reached",
    Outcome.UNKNOWN: "X gave no trustworthy answer",
    Outcome.POSTED: "the tweet was deleted or belongs to another slot",
}
_RUN_CAUSES = {
    RunOutcome.QUIET_HOURS: (Fate.LEFT_OUT, "quiet hours"),
    RunOutcome.DAILY_CAP: (Fate.LEFT_OUT, "MAX_POSTS_PER_DAY was reached"),
    RunOutcome.BUDGET: (Fate.LEFT_OUT, "the budget was used up"),
    RunOutcome.WAITING_FOR_APPROVAL: (Fate.LEFT_OUT, "no approved draft"),
    RunOutcome.TOO_SOON: (Fate.MISSED, "too soon after the post before"),
    RunOutcome.CLOCK_BEHIND: (Fate.MISSED, "the clock of the machine was behind"),
    RunOutcome.RATE_LIMITED: (Fate.MISSED, "X's limit was used up"),
    RunOutcome.NO_CONTENT: (Fate.MISSED, "no text was fit to post"),
    RunOutcome.COLD_START: (Fate.MISSED, "the timeline could not be read first"),
}
_SAYS_NOTHING = {RunOutcome.SLOT_USED, RunOutcome.TOO_SOON}


def slot_history(
    posts: Mapping[str, Status],
    runs: Iterable[RunRecord],
    attempts: Iterable[Attempt],
    *,
    since: datetime,
    now: datetime,
    minutes: int,
) -> list[Slot]:
    """Return every slot from `since` to `now`, oldest first; the one that goes on only if it has its post.

    `posts` maps slot names to the state of their post; `minutes` is the length of a slot.
    """
    length = timedelta(minutes=minutes)
    held = _by_slot(((slot_start(name), status) for name, status in posts.items()), minutes)
    tried = _by_slot(((a.started, a) for a in attempts), minutes)
    ran = _by_slot(((r.started, r) for r in runs), minutes)
    slots = []
    start = _slot(since, minutes)
    if start < since and Status.POSTED not in held.get(start, ()):  # it had begun before anybody watched
        start += length
    while start <= now:
        slot = _judge(start, held.get(start, []), tried.get(start, []), ran.get(start, []))
        if start + length <= now or slot.fate is Fate.POSTED:
            slots.append(slot)
        start += length
    return slots


def _slot(moment: datetime, minutes: int) -> datetime:
    seconds = minutes * 60
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


def _by_slot(items: Iterable[tuple[datetime, T]], minutes: int) -> dict[datetime, list[T]]:
    by_slot: dict[datetime, list[T]] = {}
    for moment, item in items:
        by_slot.setdefault(_slot(moment, minutes), []).append(item)
    return by_slot


def _judge(
    start: datetime, held: Sequence[Status], tried: Sequence[Attempt], ran: Sequence[RunRecord]
) -> Slot:
    if Status.POSTED in held:
        return Slot(start, Fate.POSTED)
    if {Status.UNKNOWN, Status.UNCONFIRMED, Status.SENDING} & set(held):
        return Slot(start, Fate.UNKNOWN, "X gave no trustworthy answer; the outcome is not known")
    if Status.FAILED in held:
        return Slot(start, Fate.MISSED, "X gave no trustworthy answer, and the tweet is not there")
    if tried:
        last = tried[-1]
        words = (
            _ATTEMPT_CAUSES.get(Outcome(last.outcome), "") if last.outcome in set(Outcome) else "the run died"
        )
        return Slot(start, Fate.MISSED, f"{words}: {last.reason}" if last.reason else words)
    return Slot(start, *_from_runs(ran))


def _from_runs(ran: Sequence[RunRecord]) -> tuple[Fate, str]:
    if not ran:
        return Fate.MISSED, NO_RUN
    run = next((r for r in reversed(ran) if r.outcome not in _SAYS_NOTHING), ran[-1])
    if run.finished is None:
        return Fate.MISSED, "the run was killed before its end"
    if run.outcome is RunOutcome.ON_HOLD:
        return Fate.MISSED, f"on hold: {run.reason}"
    if run.outcome in _RUN_CAUSES:
        return _RUN_CAUSES[run.outcome]
    return Fate.MISSED, run.message[:LONGEST_CAUSE] or run.outcome or "the run left no message"


def gaps(slots: Iterable[Slot], minutes: int) -> list[Gap]:
    """Return the slots without a post, neighbours with the same cause taken together, newest first."""
    length = timedelta(minutes=minutes)
    merged: list[Gap] = []
    for slot in slots:
        if slot.fate is Fate.POSTED:
            continue
        end, last = slot.start + length, merged[-1] if merged else None
        if last and (last.end, last.fate, last.cause) == (slot.start, slot.fate, slot.cause):
            merged[-1] = replace(last, end=end, slots=last.slots + 1)
        else:
            merged.append(Gap(slot.start, end, 1, slot.fate, slot.cause))
    return merged[::-1]


def rate(slots: Iterable[Slot], since: datetime) -> Rate:
    """Return the success rate over the slots that begin at `since` or later."""
    fates = [slot.fate for slot in slots if slot.start >= since]
    posted, left_out = fates.count(Fate.POSTED), fates.count(Fate.LEFT_OUT)
    return Rate(posted, len(fates) - left_out, left_out)
