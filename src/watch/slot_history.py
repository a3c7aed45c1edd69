"""The fate of each slot: posted, missed or left out by the owner's own settings, and why. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from src.domain import reasons
from src.domain.answers import Outcome
from src.domain.posts import Status
from src.domain.runs import Attempt, RunOutcome, RunRecord
from src.domain.schedule import MAKE_UP, Window
from src.domain.slots import is_extra, slot_start
from src.domain.timetable import Timetable

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
    """One slot that is over or has its post: start and end (UTC), fate, and the cause if it has no post."""

    start: datetime
    end: datetime
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
    RunOutcome.PAUSED: (Fate.LEFT_OUT, "paused"),
    RunOutcome.TOO_SOON: (Fate.LEFT_OUT, "too soon after the post before"),
    RunOutcome.CLOCK_BEHIND: (Fate.MISSED, "the clock of the machine was behind"),
    RunOutcome.RATE_LIMITED: (Fate.MISSED, "X's limit was used up"),
    RunOutcome.NO_CONTENT: (Fate.MISSED, "no text was fit to post"),
    RunOutcome.COLD_START: (Fate.MISSED, "the timeline could not be read first"),
}
_SAYS_NOTHING = {RunOutcome.SLOT_USED, RunOutcome.TOO_SOON, RunOutcome.NOT_YET}


def slot_history(
    posts: Mapping[str, Status],
    runs: Iterable[RunRecord],
    attempts: Iterable[Attempt],
    *,
    since: datetime,
    now: datetime,
    timetable: Timetable,
) -> list[Slot]:
    """Return every wanted slot from `since` to `now`, oldest first; one that goes on only if it has its post.

    `posts` maps slot names to the state of their post. A post in a slot that nobody wanted counts too.
    """
    wanted = {slot.name: slot for slot in timetable.between(since, now)}
    length = timedelta(minutes=timetable.current.interval) or MAKE_UP
    held = {name: Window(slot_start(name), slot_start(name) + length) for name in posts if not is_extra(name)}
    filled = {
        name: slot
        for name, slot in held.items()
        if name not in wanted and posts[name] is Status.POSTED and slot.start <= now and slot.end > since
    }
    tried = _grouped((attempt.slot, attempt) for attempt in attempts)
    ran = _by_window(sorted(wanted.values()), sorted(runs, key=lambda run: run.started))
    slots = []
    for name, slot in sorted({**filled, **wanted}.items(), key=lambda item: item[1]):
        fate, cause = _judge(posts.get(name), tried.get(name, []), ran.get(name, []))
        if slot.end <= now or fate is Fate.POSTED:
            slots.append(Slot(slot.start, slot.end, fate, cause))
    return slots


def _grouped(items: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = {}
    for name, item in items:
        groups.setdefault(name, []).append(item)
    return groups


def _by_window(slots: Sequence[Window], runs: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    """Return the runs that started while each slot was open."""
    started = [run.started for run in runs]
    return {s.name: list(runs[bisect_left(started, s.start) : bisect_left(started, s.end)]) for s in slots}


def _judge(held: Status | None, tried: Sequence[Attempt], ran: Sequence[RunRecord]) -> tuple[Fate, str]:
    if held is Status.POSTED:
        return Fate.POSTED, ""
    if held in {Status.UNKNOWN, Status.UNCONFIRMED, Status.SENDING}:
        return Fate.UNKNOWN, "X gave no trustworthy answer; the outcome is not known"
    if held is Status.FAILED:
        return Fate.MISSED, "X gave no trustworthy answer, and the tweet is not there"
    if tried:
        last = tried[-1]
        words = (
            _ATTEMPT_CAUSES.get(Outcome(last.outcome), "") if last.outcome in set(Outcome) else "the run died"
        )
        return Fate.MISSED, f"{words}: {reasons.of_answer(last.reason)}" if last.reason else words
    return _from_runs(ran)


def _from_runs(ran: Sequence[RunRecord]) -> tuple[Fate, str]:
    if not ran:
        return Fate.MISSED, NO_RUN
    run = next((r for r in reversed(ran) if r.outcome not in _SAYS_NOTHING), ran[-1])
    if run.finished is None:
        return Fate.MISSED, "the run was killed before its end"
    if run.outcome is RunOutcome.ON_HOLD:
        return Fate.MISSED, f"on hold: {reasons.of_answer(run.reason)}"
    if run.outcome in _RUN_CAUSES:
        return _RUN_CAUSES[run.outcome]
    return Fate.MISSED, run.message[:LONGEST_CAUSE] or run.outcome or "the run left no message"


def gaps(slots: Iterable[Slot]) -> list[Gap]:
    """Return the slots without a post, neighbours with the same cause taken together, newest first."""
    merged: list[Gap] = []
    before: Slot | None = None
    for slot in slots:
        if slot.fate is not Fate.POSTED:
            if before and (before.fate, before.cause) == (slot.fate, slot.cause):
                merged[-1] = replace(merged[-1], end=slot.end, slots=merged[-1].slots + 1)
            else:
                merged.append(Gap(slot.start, slot.end, 1, slot.fate, slot.cause))
        before = slot
    return merged[::-1]


def rate(slots: Iterable[Slot], since: datetime) -> Rate:
    """Return the success rate over the slots that begin at `since` or later."""
    fates = [slot.fate for slot in slots if slot.start >= since]
    posted, left_out = fates.count(Fate.POSTED), fates.count(Fate.LEFT_OUT)
    return Rate(posted, len(fates) - left_out, left_out)
