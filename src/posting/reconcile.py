"""Settle what is open by reading our own timeline. A match is proof; absence is proof only under conditions.

Absence counts only in a healthy read (200, well-formed, all pages) that shows a tweet on record, the canary.
X has answered 404 for eight hours, and stale or empty lists, while tweets existed. So a post is proven absent
only by two such reads, both at least 15 minutes after the send: one alone may leave an item out. Where the
proof frees a slot or a text, for X had refused it, both come at least 45 minutes after the send: X has made
tweets that it refused, some of them minutes later, and its timeline has been 20 minutes behind. After 48
hours a person decides (`unconfirmed`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from src.db_manager import Database
from src.domain.answers import (
    ACCOUNT_REFUSED,
    CLOCK_TOLERANCE,
    REFUSALS,
    TimelineRead,
    Tweet,
)
from src.domain.posts import Post, Status
from src.domain.runs import Metric
from src.domain.texts import alike, same_text
from src.posting.due import price_of
from src.posting.run import Run
from src.system.failpoints import reach
from src.system.log import logger

ABSENT_READS = 2
ABSENT_AFTER = timedelta(minutes=15)
FREE_AFTER = timedelta(minutes=45)
MADE_WITHIN = timedelta(hours=1)  # after a send, as far as an edited tweet is concerned
GIVE_UP_AFTER = timedelta(hours=48)
AUDIT_EVERY = timedelta(hours=24)
AUDIT_OVERLAP = timedelta(hours=1)
LONGEST_AUDIT = timedelta(days=14)
CANARIES = 5
LOOK_TWEETS = 500  # that one look reads at most: X bills each
LOOK_PAGES = 20  # X gives what it likes of a page of 100
SECONDS_A_PAGE = 40.0  # of the run's time that must be left for one more


@dataclass(frozen=True, slots=True)
class Look:
    """One read of the timeline. It proves absence only if it shows a known tweet, the `canary`."""

    read: TimelineRead
    canary: bool


def reconcile(run: Run) -> None:
    """Settle every `unknown` post that the timeline can settle. No request unless there is one."""
    open_posts = run.db.with_status(Status.UNKNOWN)
    if not open_posts:
        return
    look = _look(run, min(post.since_id for post in open_posts))
    _settle_found(run, look)
    for post in run.db.with_status(Status.UNKNOWN):
        _judge_absence(run, post, look)
    absorb(run, look)
    reach("reconcile.settled")


def audit(run: Run) -> None:
    """Compare the timeline with the database once a day, since the audit before the last one.

    Stamp own tweets that are missing on X; import tweets that the database lacks. Each tweet is in two
    audits, because one read may leave it out.
    """
    now = run.clock.now()
    last = run.db.notes.get_time("audited_at") or datetime.fromtimestamp(0, UTC)
    if abs(now - last) < AUDIT_EVERY:
        return
    if run.db.tweets.newest_tweet_id():
        longest = now - LONGEST_AUDIT
        since = min(run.db.notes.get_time("audited_before") or last, last)
        if not longest < since < now:  # later than now: a clock that was wrong wrote it
            since = longest
        look = _look(run, run.db.tweets.newest_tweet_before(since - AUDIT_OVERLAP))
        _settle_found(run, look)
        if not look.canary:
            return
        absorb(run, look)
    run.db.notes.put(audited_before=str(last.timestamp()), audited_at=str(now.timestamp()))


def _look(run: Run, since_id: int) -> Look:
    """Read from the newest known tweet at or below `since_id`, further back if that one is missing."""
    known = run.db.tweets.known_tweet_ids(CANARIES, newest=since_id)
    starts = dict.fromkeys([known[0] - 1, known[-1] - 1] if known else [0])
    look = Look(TimelineRead(), canary=False)
    for start in starts:
        look = look_at(run, _read_pages(run, start))
        if look.canary or not look.read.healthy:
            break
    return look


def look_at(run: Run, read: TimelineRead) -> Look:
    """Return a read with what it is worth: whether it shows a tweet on record."""
    known = run.db.tweets.known_among(i for tweet in read.tweets for i in tweet.ids)
    return Look(read, canary=bool(read.healthy and known))


def _read_pages(run: Run, since_id: int) -> TimelineRead:
    """Read all pages as one read, newest first, which is healthy only if each page is."""
    page = read_timeline(run, since_id)
    tweets, odd, until = page.tweets, page.odd, page.oldest_id
    for _ in range(1, LOOK_PAGES):
        if page.complete or not page.healthy or not until or len(tweets) >= LOOK_TWEETS:
            break
        if run.seconds_left() < SECONDS_A_PAGE:
            break
        page = read_timeline(run, since_id, until_id=until)
        tweets, odd = tweets + page.tweets, odd + page.odd
        until = page.oldest_id if page.oldest_id < until else 0
    return replace(page, tweets=tweets, odd=odd)


def read_timeline(run: Run, since_id: int, until_id: int = 0, head: str = "read") -> TimelineRead:
    """Make one owned read, and record it in the log, and in the ledger under `head`."""
    read = run.account.timeline(since_id, until_id=until_id)
    run.add("reads")
    run.add("read_ms", read.result.latency_ms)
    if read.tweets:
        usd = len(read.tweets) * run.settings.price_read_usd
        run.db.journal.spend(run.clock.now(), head, len(read.tweets), usd)
        run.add(Metric.COST_USD, usd)
    logger.info(
        "timeline.read",
        extra={
            "tweets": len(read.tweets),
            "healthy": read.healthy,
            "odd": read.odd,
            "http_status": read.result.http_status,
            "reason": read.result.reason,
        },
    )
    reach("reconcile.read")
    return read


def find_tweet(db: Database, post: Post, read: TimelineRead, now: datetime) -> Tweet | None:
    """Return the oldest tweet that is this post: sent since, same text, not another post's.

    The same words of a person within the tolerance of the clock before the send count as the post. Of an
    edited tweet, made soon after the send, most of the words must be the same.
    """
    strangers = sorted(db.tweets.unrecorded(read.tweets), key=lambda t: t.first_id)
    since = [tweet for tweet in strangers if made_since(db, post, tweet, now)]
    same = (tweet for tweet in since if same_text(tweet.text, post.content))
    edited = (t for t in since if _edited_since(db, post, t, now) and alike(t.text, post.content))
    return next(same, None) or next(edited, None)


def _edited_since(db: Database, post: Post, tweet: Tweet, now: datetime) -> bool:
    """Return whether a tweet, made when this post was sent, was edited: nobody knows its first words."""
    sent = sent_time(db, post)
    soon = sent is None or sent > now or tweet.at <= sent + MADE_WITHIN
    return bool(tweet.earlier) and soon and made_since(db, post, tweet, now)


def sent_time(db: Database, post: Post) -> datetime | None:
    """Return when this post was sent, also where it was given up; None if it never was."""
    return post.sent_at or db.journal.last_attempt(post)


def made_since(db: Database, post: Post, tweet: Tweet, now: datetime) -> bool:
    """Return whether X can have made this tweet for this post: it is not older than the send.

    A send that lies in the future was recorded under a clock that was wrong, and says nothing of the time.
    """
    if tweet.first_id <= post.since_id:
        return False
    sent = sent_time(db, post)
    return sent is None or sent > now or tweet.at >= sent - CLOCK_TOLERANCE


def _confirm(run: Run, post: Post, tweet: Tweet, resolved_by: str) -> bool:
    price = price_of(post.content, run.settings)
    return run.db.confirm_posted(post, tweet, resolved_by, run.clock.now(), price)


def _settle_found(run: Run, look: Look) -> None:
    """Settle every open post whose tweet is shown, whatever the look was made for."""
    now = run.clock.now()
    for post in run.db.with_status(Status.UNKNOWN):
        if tweet := find_tweet(run.db, post, look.read, now):
            _confirm(run, post, tweet, "timeline")
            logger.info("post.found", extra={"post_id": post.id, "tweet_id": tweet.first_id})


def _judge_absence(run: Run, post: Post, look: Look) -> None:
    """Settle an open post that a look does not show, if that is proof; give it up after two days."""
    now = run.clock.now()
    sent = post.sent_at or now
    refused = run.db.journal.last_answer(post) in REFUSALS
    strangers = run.db.tweets.unrecorded(look.read.tweets)
    edited = any(_edited_since(run.db, post, tweet, now) for tweet in strangers)
    shows_all = look.read.complete and not look.read.odd and not edited
    # Where the send lies in the future, the clock was ahead: the time begins with the first healthy look.
    since = min(sent, post.absent_at or now, now)
    if look.read.healthy:
        waited = now - since >= (FREE_AFTER if refused else ABSENT_AFTER)
        post = run.db.record_look(post, now, absent=look.canary and shows_all and waited)
        if post.absent >= ABSENT_READS:
            _prove_absent(run, post)
            return
    # A refused text waits for its proof while the account is locked or empty. More tweets since then than a
    # look reads, or what cannot be understood, hides it for good.
    hidden = look.canary and not shows_all
    if now - since > GIVE_UP_AFTER and (hidden or not refused):
        run.db.give_up(post)
        logger.error("post.unconfirmed", extra={"post_id": post.id})


def _prove_absent(run: Run, post: Post) -> None:
    """Record that no tweet was made. What becomes of slot and text depends on what X had answered."""
    answer = run.db.journal.last_answer(post)
    if answer in ACCOUNT_REFUSED:
        run.db.queue_again(post)
    else:
        run.db.prove_absent(post, "absent", free_slot=answer in REFUSALS)
    logger.warning("post.absent", extra={"post_id": post.id, "answer": answer})


def absorb(run: Run, look: Look, *, ours: bool = False) -> None:
    """Record what a read shows: import unknown tweets, stamp known ones as seen, mark missing ones.

    With `ours` (after a restore) unknown tweets are our own posts: each takes its slot and is in the ledger.
    """
    read, now = look.read, run.clock.now()
    if not read.healthy or not read.tweets:
        return
    shown = {i for tweet in read.tweets for i in tweet.ids}
    strangers = run.db.tweets.unrecorded(read.tweets)
    for tweet in strangers:
        lost = run.db.tweets.lost_post(tweet.text, edited=bool(tweet.earlier))
        if lost is None or not made_since(run.db, lost, tweet, now) or not _may_be(run.db, lost, tweet, now):
            continue
        if _confirm(run, lost, tweet, "audit"):
            logger.warning("post.found_late", extra={"post_id": lost.id, "tweet_id": tweet.id})
    waiting = run.db.with_status(Status.UNKNOWN)
    new = [t for t in strangers if not any(_may_be(run.db, post, t, now) for post in waiting)]
    slot_of = run.settings.schedule.slot_of if ours else None
    price = partial(price_of, settings=run.settings) if ours else None
    if imported := run.db.tweets.import_tweets(new, now, run.recognise, slot_of=slot_of, price_of=price):
        logger.warning("timeline.unrecorded", extra={"tweets": imported})
    gone = [i for i in run.db.tweets.known_tweet_ids(200) if min(shown) < i <= max(shown) and i not in shown]
    run.db.tweets.stamp_seen(shown, gone if look.canary and not read.odd else [], now)


def _may_be(db: Database, post: Post, tweet: Tweet, now: datetime) -> bool:
    """Return whether an unrecorded tweet may be this post, by its text or because it was edited."""
    return same_text(tweet.text, post.content) or _edited_since(db, post, tweet, now)


def settle_now(run: Run, post: Post) -> Post:
    """Look a few times, with pauses, for a text whose tweet may be on X already; return the post."""
    for pause in run.settings.reconcile_delays_seconds:
        if run.seconds_left() < pause:
            break
        run.clock.sleep(pause)
        look = _look(run, post.since_id)
        _settle_found(run, look)
        post = run.db.post(post.id)
        if post.status is Status.UNKNOWN:
            _judge_absence(run, post, look)
            post = run.db.post(post.id)
        if post.status is not Status.UNKNOWN:
            absorb(run, look)
            return post
    return post
