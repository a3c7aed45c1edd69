"""The account's history, read into a new or restored database before its first post.

X shows the newest 3,200 tweets. They are read back, page by page, until the cool-down and the repeat window
are covered. Each page is kept, and after a run that was broken off the next one goes on where it stopped.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from src.content.freshness import EVER
from src.domain.answers import MAX_TWEET_ID, Outcome, SendResult, TimelineRead, snowflake_time
from src.domain.fixes import NO_FIX, Fix
from src.domain.runs import Exit, Hold, RunOutcome, TickResult
from src.posting.reconcile import CANARIES, Look, absorb, read_timeline
from src.posting.run import Run
from src.system.failpoints import reach
from src.system.log import logger

PAGE = 100
MOST_TWEETS = 3200  # X shows no more
SECONDS_A_PAGE = 40.0  # of the run's time that must be left for one more
TRIES = 3
_NOTES = ("import_until", "import_tweets", "import_tries")
_EMPTY = SendResult(Outcome.UNKNOWN, reason="it is empty, although this account has posted before")


def cold_start(run: Run) -> TickResult | None:
    """Read the account's tweets into a new or restored database, which does not know them.

    Return None when that is done, now or before, and otherwise the run's result: until then nothing is
    posted. After a damaged database was replaced or a backup restored, this slot stays empty as well: its
    tweet may not be on the timeline yet.
    """
    kind = run.db.notes.get("cold_start")
    if kind is None or run.preview:
        return None
    if kind == "restored" and (unfinished := _restored(run)):
        return unfinished
    # A backup that was made in the middle of the reading goes on where that was.
    unread = kind != "restored" or Position.of(run).until
    if unread and (unfinished := _read_back(run, kind)):
        return unfinished
    now = run.clock.now()
    if kind != "new":
        until = run.timetable.closed_after(now)
        run.db.notes.put_hold(Hold("wait", "new-database", until, fix=NO_FIX, count=1, since=now))
    run.db.notes.put(cold_start=None, **dict.fromkeys(_NOTES))
    return None


def covered_since(run: Run) -> datetime:
    """Return how far back the history matters: the cool-down and the repeat window, or as far as X shows."""
    settings = run.settings
    if not settings.repeat_after_days:
        return EVER
    return run.clock.now() - timedelta(days=max(settings.repeat_after_days, settings.cooldown_days))


def _read_back(run: Run, kind: str) -> TickResult | None:
    """Read page by page, newest first. Return the run's result if that did not come to its end."""
    at = Position.of(run)
    if not at.until:
        run.db.notes.put(audited_at=str(run.clock.now().timestamp()))
    for pages in itertools.count():
        if pages and run.seconds_left() < SECONDS_A_PAGE:  # the first page of a run always goes
            return _unfinished(kind, at.seen, "the time of this run is over", NO_FIX)
        page = read_timeline(run, 0, until_id=at.until, head="import")
        if not page.healthy:
            return _unread(kind, at.seen, page.result)
        if not 0 < page.oldest_id < (at.until or MAX_TWEET_ID):
            return _at_the_end(run, kind, at)
        slot_of = run.settings.schedule.slot_of
        run.db.tweets.import_tweets(page.tweets, run.clock.now(), run.recognise, slot_of=slot_of)
        at = Position(page.oldest_id, at.seen + len(page.tweets) + page.odd, TRIES if page.more else 0)
        at.keep(run)
        reach("history.page")
        logger.info("history.page", extra={"tweets": len(page.tweets), "count": at.seen, "kind": kind})
        if page.complete or at.seen >= MOST_TWEETS or snowflake_time(at.until) < covered_since(run):
            return None
    raise AssertionError


@dataclass(frozen=True, slots=True)
class Position:
    """How far the history was read: below which id, how many tweets, how many runs may still ask for more.

    X has shown empty pages while tweets existed. Where it says that there are older ones and shows none, a
    few runs ask again before that is taken for the end.
    """

    until: int = 0
    seen: int = 0
    tries: int = 0

    @classmethod
    def of(cls, run: Run) -> Position:
        """Return the position that an earlier run kept, or the beginning."""
        kept = (run.db.notes.get(name) for name in _NOTES)
        return cls(*(int(value or 0) for value in kept))

    def keep(self, run: Run) -> None:
        """Keep the position for the next run."""
        values = (self.until, self.seen, self.tries)
        run.db.notes.put(**{name: str(value) for name, value in zip(_NOTES, values, strict=True)})


def _at_the_end(run: Run, kind: str, at: Position) -> TickResult | None:
    """Return why an empty page is not taken for the end of the history, None where it is."""
    if kind == "replaced" and not at.seen:
        return _unread(kind, 0, _EMPTY)
    if at.tries:
        Position(at.until, at.seen, at.tries - 1).keep(run)
        return _unread(kind, at.seen, SendResult(Outcome.UNKNOWN, reason="X has older tweets and shows none"))
    return None


def _restored(run: Run) -> TickResult | None:
    """Read what was tweeted since the backup; `reconcile`, which comes next, settles the open texts."""
    read = _since_the_backup(run)
    if not read.healthy or not read.tweets:
        return _unread("restored", 0, _EMPTY if read.healthy else read.result)
    absorb(run, Look(read, bool(run.db.tweets.known_among(t.id for t in read.tweets))), ours=True)
    logger.info("cold_start.imported", extra={"tweets": len(read.tweets), "kind": "restored"})
    run.db.notes.put(audited_at=str(run.clock.now().timestamp()))
    return None


def _since_the_backup(run: Run) -> TimelineRead:
    """Read every tweet since the newest on record, that one included; further back if it was deleted."""
    known = run.db.tweets.known_tweet_ids(CANARIES)
    read = TimelineRead()
    for start in dict.fromkeys([known[0] - 1, known[-1] - 1, 0] if known else [0]):
        read = _pages(run, start)
        if read.tweets or not read.healthy:
            break
    return read


def _pages(run: Run, since_id: int) -> TimelineRead:
    """Read all pages as one read, newest first, which is healthy only if each page is."""
    page = read_timeline(run, since_id, head="import")
    tweets, odd, oldest = page.tweets, page.odd, covered_since(run)
    while page.healthy and not page.complete and page.tweets and len(tweets) < MOST_TWEETS:
        if not since_id and page.tweets[-1].at < oldest:
            break
        page = read_timeline(run, since_id, min(t.id for t in page.tweets), head="import")
        tweets, odd = tweets + page.tweets, odd + page.odd
    return replace(page, tweets=tweets, odd=odd)


def _unread(kind: str, count: int, result: SendResult) -> TickResult:
    blocked = result.outcome is Outcome.BLOCKED
    why = f"the timeline could not be read: {result.reason}"
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
