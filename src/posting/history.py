"""The account's history, read into a new or restored database before its first post.

X shows the newest 3,200 tweets. They are read back, page by page, until the cool-down and the repeat window
are covered. Each page is kept, and after a run that was broken off the next one goes on where it stopped.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from src.content.freshness import EVER
from src.domain.answers import Outcome, SendResult, TimelineRead
from src.domain.fixes import NO_FIX, Fix
from src.domain.runs import Exit, Hold, RunOutcome, TickResult
from src.domain.slots import next_slot
from src.posting.reconcile import CANARIES, Look, absorb, read_timeline
from src.posting.run import Run
from src.system.failpoints import reach
from src.system.log import logger

PAGE = 100
MOST_TWEETS = 3200  # X shows no more
SECONDS_A_PAGE = 40.0  # of the run's time that must be left for one more


def cold_start(run: Run) -> TickResult | None:
    """Read the account's tweets into a new or restored database, which does not know them.

    Return None when that is done, now or before, and otherwise the run's result: until then nothing is
    posted. After a damaged database was replaced or a backup restored, this slot stays empty as well: its
    tweet may not be on the timeline yet.
    """
    kind = run.db.notes.get("cold_start")
    if kind is None or run.preview:
        return None
    unfinished = _restored(run) if kind == "restored" else _read_back(run, kind)
    if unfinished:
        return unfinished
    now = run.clock.now()
    if kind != "new":
        until = next_slot(now, run.settings.post_interval_minutes)
        run.db.notes.put_hold(Hold("wait", "new-database", until, fix=NO_FIX, count=1, since=now))
    run.db.notes.put(cold_start=None, import_until=None, import_tweets=None)
    return None


def covered_since(run: Run) -> datetime:
    """Return how far back the history matters: the cool-down and the repeat window, or as far as X shows."""
    settings = run.settings
    if not settings.repeat_after_days:
        return EVER
    return run.clock.now() - timedelta(days=max(settings.repeat_after_days, settings.cooldown_days))


def _read_back(run: Run, kind: str) -> TickResult | None:
    """Read page by page, newest first. Return the run's result if that did not come to its end."""
    until = int(run.db.notes.get("import_until") or 0)
    count = int(run.db.notes.get("import_tweets") or 0)
    if not until:
        run.db.notes.put(audited_at=str(run.clock.now().timestamp()))
    while True:
        if run.seconds_left() < SECONDS_A_PAGE:
            return _unfinished(kind, count, "the time of this run is over", NO_FIX)
        page = read_timeline(run, 0, until_id=until, head="import")
        if not page.healthy:
            return _unread(kind, count, page.result)
        if not page.tweets:
            if kind == "replaced" and not count:
                empty = SendResult(
                    Outcome.UNKNOWN, reason="it is empty, although this account has posted before"
                )
                return _unread(kind, count, empty)
            return None
        until, count = min(tweet.id for tweet in page.tweets), count + len(page.tweets)
        minutes = run.settings.post_interval_minutes
        run.db.tweets.import_tweets(page.tweets, run.clock.now(), run.recognise, slot_minutes=minutes)
        run.db.notes.put(import_until=str(until), import_tweets=str(count))
        reach("history.page")
        logger.info("history.page", extra={"tweets": len(page.tweets), "count": count, "kind": kind})
        if page.complete or count >= MOST_TWEETS or min(t.at for t in page.tweets) < covered_since(run):
            return None


def _restored(run: Run) -> TickResult | None:
    """Read what was tweeted since the backup; `reconcile`, which comes next, settles the open texts."""
    read = _since_the_backup(run)
    if not read.healthy or not read.tweets:
        empty = SendResult(Outcome.UNKNOWN, reason="it is empty, although this account has posted before")
        return _unread("restored", 0, empty if read.healthy else read.result)
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
