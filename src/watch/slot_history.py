"""What became of each slot: posted, missed or left out by the owner's own settings, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from src.domain.answers import Outcome
from src.domain.posts import Status
from src.domain.runs import Attempt, RunRecord
from src.domain.slots import slot_start

T = TypeVar("T")
NO_RUN = "no run on record: the machine was off, cron stopped, or the disk was full"


class Fate(StrEnum):
    """What became of a slot."""

    POSTED = "posted"
    MISSED = "missed"
    UNKNOWN = "unknown"  # it may be on X
    LEFT_OUT = "left out"  # quiet hours, caps, budget, approval: the owner wants it so


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot that is over (or has its post): its start (UTC), its fate, and the cause where it has no post."""

    start: datetime
    fate: Fate
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Slots in a row without a post for one cause: the first one's start, the last one's end (UTC), how many."""

    begin: datetime
    end: datetime
    slots: int
    fate: Fate
    cause: str


@dataclass(frozen=True, slots=True)
class Rate:
    """How many slots got their post of those that should have. Slots left out by the owner's settings are apart."""

    posted: int
    due: int
    left_out: int

    @property
    def share(self) -> float | None:
        """0 to 1; None where nothing was due."""
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
    "nothing-due:quiet-hours": (Fate.LEFT_OUT, "quiet hours"),
    "nothing-due:daily-cap": (Fate.LEFT_OUT, "MAX_POSTS_PER_DAY was reached"),
    "nothing-due:budget": (Fate.LEFT_OUT, "the budget was used up"),
    "waiting-for-approval": (Fate.LEFT_OUT, "no approved draft"),
    "nothing-due:too-soon": (Fate.MISSED, "too soon after the post before"),
    "nothing-due:clock-behind": (Fate.MISSED, "the clock of the machine was behind"),
    "nothing-due:rate-limited": (Fate.MISSED, "X's limit was used up"),
    "no-content": (Fate.MISSED, "no text was fit to post"),
    "cold-start": (Fate.MISSED, "the timeline could not be read first"),
}
_SAYS_NOTHING = {"nothing-due:slot-used", "nothing-due:too-soon"}


def slot_history(
    posts: Mapping[str, Status],
    runs: Iterable[RunRecord],
    attempts: Iterable[Attempt],
    *,
    since: datetime,
    now: datetime,
    minutes: int,
) -> list[Slot]:
    """Every slot from `since` to `now`, oldest first; the one that goes on only if it has its post.

    `posts` maps slot names to the state of their post; `minutes` is the length of a slot.
    """
    length = timedelta(minutes=minutes)
    held = _by_slot(((slot_start(name), status) for name, status in posts.items()), minutes)
    tried = _by_slot(((a.started, a) for a in attempts), minutes)
    ran = _by_slot(((r.started, r) for r in runs), minutes)
    found = []
    start = _slot(since, minutes)
    if start < since and Status.POSTED not in held.get(start, ()):  # it had begun before anybody watched
        start += length
    while start <= now:
        slot = _judge(start, held.get(start, []), tried.get(start, []), ran.get(start, []))
        if start + length <= now or slot.fate is Fate.POSTED:
            found.append(slot)
        start += length
    return found


def _slot(moment: datetime, minutes: int) -> datetime:
    seconds = minutes * 60
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


def _by_slot(items: Iterable[tuple[datetime, T]], minutes: int) -> dict[datetime, list[T]]:
    found: dict[datetime, list[T]] = {}
    for moment, item in items:
        found.setdefault(_slot(moment, minutes), []).append(item)
    return found


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
    if run.outcome in _RUN_CAUSES:
        return _RUN_CAUSES[run.outcome]
    if run.outcome.startswith("nothing-due:hold-"):
        return Fate.MISSED, f"on hold: {run.outcome.removeprefix('nothing-due:hold-')}"
    return Fate.MISSED, run.message[:160] or run.outcome


def gaps(slots: Iterable[Slot], minutes: int) -> list[Gap]:
    """Slots without a post, those next to each other with the same cause taken together; newest first."""
    length = timedelta(minutes=minutes)
    found: list[Gap] = []
    for slot in slots:
        if slot.fate is Fate.POSTED:
            continue
        end = slot.start + length
        if found and (found[-1].end, found[-1].fate, found[-1].cause) == (slot.start, slot.fate, slot.cause):
            found[-1] = Gap(found[-1].begin, end, found[-1].slots + 1, slot.fate, slot.cause)
        else:
            found.append(Gap(slot.start, end, 1, slot.fate, slot.cause))
    return found[::-1]


def rate(slots: Iterable[Slot], since: datetime) -> Rate:
    """The success rate over the slots that begin at `since` or later."""
    fates = [slot.fate for slot in slots if slot.start >= since]
    posted, left_out = fates.count(Fate.POSTED), fates.count(Fate.LEFT_OUT)
    return Rate(posted, len(fates) - left_out, left_out)
