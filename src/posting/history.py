"""The account's history, read into a new or restored database before its first post.

X shows the newest 3,200 tweets. They are read back, page by page, until the cool-down and the repeat window
are covered. Each page is kept, and after a run that was broken off the next one goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from src.content.freshness import EVER
from src.domain import reasons
from src.domain.answers import MAX_TWEET_ID, Outcome, SendResult, TimelineRead, snowflake_time
from src.domain.fixes import NO_FIX, Fix
from src.domain.runs import Exit, Hold, RunOutcome, TickResult
from src.posting.reconcile import (
    AUDIT_EVERY,
    CANARIES,
    FREE_AFTER,
    SECONDS_A_PAGE,
    absorb,
    look_at,
    read_timeline,
)
from src.posting.run import Run
from src.system.failpoints import reach
from src.system.log import logger

MOST_TWEETS = 3200  # X shows no more
TRIES = 3
_EMPTY = SendResult(Outcome.UNKNOWN, reason="it is empty, although this account has posted before")
_MORE = SendResult(Outcome.UNKNOWN, reason="X has older tweets and shows none")


def cold_start(run: Run) -> TickResult | None:
    """Read the account's tweets into a new or restored database, which does not know them.

    Return None when that is done, now or before, and otherwise the run's result: until then nothing is
    posted. Where the program has posted before, this slot stays empty as well, and so do the next 45 minutes:
    its last tweet may not be on the timeline yet. The audit looks for it before the first post.
    """
    kind = run.db.notes.get("cold_start")
    if kind is None or run.preview:
        return None
    if kind == "restored":
        if unfinished := _read_since_the_backup(run):
            return unfinished
        if Position.of(run, "import").until:  # the backup was made while the history was read: that goes on
            run.db.notes.put(cold_start=(kind := "replaced"))
    if kind != "restored" and (unfinished := _read_all(run, kind)):
        return unfinished
    if kind != "new" or run.db.tweets.has_texts_of_the_library():
        _rest(run)
    notes = dict.fromkeys((*Position.notes("import"), *Position.notes("restore"), "restore_since"))
    run.db.notes.put(cold_start=None, **notes)
    return None


def _rest(run: Run) -> None:
    """Hold the next post back until the last tweet that was made must be on the timeline; then audit."""
    now = run.clock.now()
    until = max(run.timetable.closed_after(now) or now, now + FREE_AFTER)
    run.db.notes.put_hold(Hold("wait", "new-database", until, fix=NO_FIX, count=1, since=now))
    run.db.notes.put(audited_at=str((until - AUDIT_EVERY).timestamp()), audited_before=None)


def covered_since(run: Run) -> datetime:
    """Return how far back the history matters: the cool-down and the repeat window, or as far as X shows."""
    settings = run.settings
    if not settings.repeat_after_days:
        return EVER
    return run.clock.now() - timedelta(days=max(settings.repeat_after_days, settings.cooldown_days))


@dataclass(frozen=True, slots=True)
class Position:
    """How far the history was read: below which id, how many tweets, how many runs may still ask for more.

    X has shown empty pages while tweets existed. Where it says that there are older ones and shows none, a
    few runs ask again before that is taken for the end. `head` names the notes that keep it for the next run.
    """

    head: str
    until: int
    seen: int
    tries: int

    @staticmethod
    def notes(head: str) -> tuple[str, str, str]:
        """Return the names of the notes."""
        return f"{head}_until", f"{head}_tweets", f"{head}_tries"

    @classmethod
    def of(cls, run: Run, head: str) -> Position:
        """Return the position that an earlier run kept, or the beginning."""
        return cls(head, *(_number(run, name) for name in cls.notes(head)))

    def keep(self, run: Run) -> None:
        """Keep the position for the next run."""
        until, seen, tries = self.notes(self.head)
        run.db.notes.put(**{until: str(self.until), seen: str(self.seen), tries: str(self.tries)})


def _number(run: Run, name: str) -> int:
    value = run.db.notes.get(name)
    return int(value) if value else 0


def _read_all(run: Run, kind: str) -> TickResult | None:
    """Read all that matters into a new database. Return the run's result if that did not come to its end."""
    at = Position.of(run, "import")
    if not at.until:
        run.db.notes.put(audited_at=str(run.clock.now().timestamp()))
    slot_of = run.settings.schedule.slot_of

    def keep(page: TimelineRead) -> None:
        run.db.tweets.import_tweets(page.tweets, run.clock.now(), run.recognise, slot_of=slot_of)

    return _read_back(run, kind, at, 0, keep)


def _read_since_the_backup(run: Run) -> TickResult | None:
    """Read what was tweeted since the backup; `reconcile`, which comes next, settles the open texts.

    The read starts below the fifth newest tweet of the backup, so that one of them is shown; if all five were
    deleted, all that matters is read.
    """
    at = Position.of(run, "restore")
    if not at.until:
        known = run.db.tweets.known_tweet_ids(CANARIES)
        run.db.notes.put(restore_since=str(known[-1] - 1 if known else 0))

    def keep(page: TimelineRead) -> None:
        absorb(run, look_at(run, page), ours=True)

    since = _number(run, "restore_since")
    unfinished = _read_back(run, "restored", at, since, keep)
    if not unfinished and not Position.of(run, "restore").seen:
        run.db.notes.put(restore_since="0")
        unfinished = _read_back(run, "restored", at, 0, keep)
    return unfinished


def _read_back(
    run: Run, kind: str, at: Position, since_id: int, keep: Callable[[TimelineRead], None]
) -> TickResult | None:
    """Read page by page, newest first. Return the run's result if that did not come to its end."""
    first = True
    while first or run.seconds_left() >= SECONDS_A_PAGE:  # the first page of a run always goes
        first = False
        page = read_timeline(run, since_id, until_id=at.until, head="import")
        if not page.healthy:
            return _unread(kind, at.seen, page.result)
        if not 0 < page.oldest_id < (at.until or MAX_TWEET_ID):
            return _at_the_end(run, kind, at, since_id)
        keep(page)
        count = at.seen + len(page.tweets) + page.odd
        at = Position(at.head, page.oldest_id, count, TRIES if page.more else 0)
        at.keep(run)
        reach("history.page")
        logger.info("history.page", extra={"tweets": len(page.tweets), "count": at.seen, "kind": kind})
        if page.complete or at.seen >= MOST_TWEETS:
            return None
        if not since_id and snowflake_time(at.until) < covered_since(run):
            return None
    return _unfinished(kind, at.seen, "the time of this run is over", NO_FIX)


def _at_the_end(run: Run, kind: str, at: Position, since_id: int) -> TickResult | None:
    """Return why an empty page is not taken for the end of the history, None where it is."""
    if kind != "new" and not at.seen and not since_id:
        return _unread(kind, at.seen, _EMPTY)
    if at.tries:
        Position(at.head, at.until, at.seen, at.tries - 1).keep(run)
        return _unread(kind, at.seen, _MORE)
    return None


def _unread(kind: str, count: int, result: SendResult) -> TickResult:
    blocked = result.outcome is Outcome.BLOCKED
    why = f"the timeline could not be read: {reasons.of_answer(result.reason)}"
    ended = _unfinished(kind, count, why, result.fix)
    return replace(ended, exit_code=Exit.BLOCKED) if blocked else ended


def _unfinished(kind: str, count: int, why: str, fix: Fix) -> TickResult:
    database = "restored" if kind == "restored" else "new"
    return TickResult(
        Exit.TEMPORARY,
        RunOutcome.COLD_START,
        f"the database is {database} and reads the account's tweets first, {count} so far; {why}",
        fix or Fix("nothing to do: the next run goes on; nothing is posted until then"),
    )
