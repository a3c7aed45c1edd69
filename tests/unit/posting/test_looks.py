"""Looks at the timeline: their pages, what an edit means, what they settle, and what they leave on record."""

from dataclasses import replace
from datetime import timedelta

import pytest

from src.domain.answers import Outcome, SendResult, TimelineRead, Tweet
from src.domain.posts import Status
from src.posting.reconcile import (
    Look,
    absorb,
    audit,
    find_tweet,
    look_at,
    read_timeline,
    reconcile,
    sent_time,
    settle_now,
)
from tests.support.logs import caught
from tests.support.scripted import Scripted, scripted_run, shows, tweet_at
from tests.support.stored import NEXT, NOW, SLOT, draft, put, put_attempt, sent

HOUR, MINUTE, SECOND, MS = (
    timedelta(**{unit: 1}) for unit in ("hours", "minutes", "seconds", "milliseconds")
)
WORDS = draft().content
OTHER = "Quite another thing, which nobody takes for it."
CANARY = tweet_at(NOW - HOUR)
AWAY = TimelineRead()


def looking(*reads, env=None, canary=True):
    """Return a run on an account that shows these pages, with one known tweet."""
    run = scripted_run(env, account=Scripted(reads=reads))
    if canary:
        run.db.tweets.import_tweets([CANARY], NOW)
    return run


def left_open(run, outcome=Outcome.UNKNOWN):
    """Send a post at NOW, with this answer."""
    post, attempt = sent(run.db)
    return run.db.settle(post, attempt, SendResult(outcome), NOW)


def old(*ages):
    return [tweet_at(NOW - age, f"Tweet of {age}.") for age in ages]


def contents(run):
    return [row[0] for row in run.db.connection.rows("SELECT content FROM posts ORDER BY id")]


def vanished(run):
    return {
        row[0] for row in run.db.connection.rows("SELECT tweet_id FROM posts WHERE vanished_at IS NOT NULL")
    }


# ---- pages -----------------------------------------------------------------------------------------------------


def page(*ages, complete=False, **parts):
    return shows(*old(*ages), complete=complete, **parts)


@pytest.mark.parametrize(
    ("pages", "asked"),
    [
        ([page(2 * MINUTE, complete=True)], 1),
        ([page(2 * MINUTE), page(3 * MINUTE, complete=True)], 2),
        ([page(2 * MINUTE), AWAY], 2),
        ([replace(page(2 * MINUTE), healthy=False)], 1),
        ([shows(complete=False)], 1),
        ([page(2 * MINUTE), shows(complete=False)], 2),
        ([page(2 * MINUTE), page(2 * MINUTE)], 2),
        ([page(2 * MINUTE), page(MINUTE)], 2),
        ([page(2 * MINUTE), page(3 * MINUTE), page(4 * MINUTE, complete=True)], 3),
    ],
)
def test_how_many_pages_are_read(pages, asked):
    """Until X has no more, a page cannot be read, shows nothing, or goes no further down than the one before."""
    run = looking(*pages)
    left_open(run)
    reconcile(run)
    below = [old(age)[0].id for age in (2 * MINUTE, 3 * MINUTE)]
    # A look without a known tweet that is healthy would start anew; there is one known tweet, so it does not.
    assert run.account.ranges == [(CANARY.id - 1, until) for until in [0, *below][:asked]]


def test_pages_count_as_one_read():
    """Tweets and odd items of all pages count, and it is healthy and complete only if the last one is."""
    run = looking(shows(*old(MINUTE), CANARY, complete=False, odd=1), page(2 * MINUTE, odd=1, complete=True))
    post = left_open(run)
    run.started = run.clock.time = NOW + HOUR
    reconcile(run)
    assert contents(run)[2:] == [old(age)[0].text for age in (2 * MINUTE, MINUTE)]
    assert run.db.post(post.id).absent == 0  # an odd item may be it


@pytest.mark.parametrize(("first", "asked"), [(499, 2), (500, 1), (501, 1)])
def test_a_look_reads_five_hundred_tweets(first, asked):
    """X bills each tweet: with 500 of them no further page is read."""
    tweets = [Tweet(CANARY.id + 1000 + n, "Of a person.") for n in range(first)]
    run = looking(shows(*tweets, complete=False), page(2 * HOUR, complete=True))
    left_open(run)
    reconcile(run)
    assert len(run.account.ranges) == asked


def test_a_look_reads_twenty_pages():
    """X gives what it likes of a page: after twenty of them that is enough."""
    run = looking(*(page(n * MINUTE) for n in range(1, 30)))
    left_open(run)
    reconcile(run)
    assert len(run.account.ranges) == 20


@pytest.mark.parametrize(("seconds", "asked"), [(40.0, 2), (39.5, 1)])
def test_a_further_page_needs_time(seconds, asked):
    """Forty seconds of the run's time must be left for another page; what was read counts."""
    run = looking(page(MINUTE), page(2 * MINUTE, complete=True), env={"DEADLINE_SECONDS": "480"})
    left_open(run)
    run.clock.sleep(480 - seconds)
    reconcile(run)
    assert len(run.account.ranges) == asked


def test_without_a_known_tweet_everything_is_read():
    """A new database has no place to start from."""
    run = looking(page(MINUTE, complete=True), canary=False)
    left_open(run)
    reconcile(run)
    assert run.account.ranges == [(0, 0)]


def test_a_read_is_in_the_ledger():
    """X bills each tweet that it showed; an empty read costs nothing."""
    run = looking(shows(*old(MINUTE, HOUR)), shows())
    read_timeline(run, 5, until_id=9, head="import")
    read_timeline(run, 5)
    assert run.account.ranges == [(5, 9), (5, 0)]
    rows = run.db.connection.rows("SELECT kind, units, usd FROM spending")
    assert [tuple(row) for row in rows] == [("import", 2, pytest.approx(2 * run.settings.price_read_usd))]


@pytest.mark.parametrize(
    ("tweet", "healthy", "canary"),
    [(CANARY, True, True), (CANARY, False, False), (old(MINUTE)[0], True, False),
     (Tweet(CANARY.id + 9, "Edited.", (CANARY.id,)), True, True)],
)  # fmt: skip
def test_what_a_read_is_worth(tweet, healthy, canary):
    """It shows a tweet on record, under whichever of its ids, and could be read."""
    run = looking()
    assert look_at(run, TimelineRead((tweet,), healthy=healthy)).canary is canary


# ---- edited tweets ---------------------------------------------------------------------------------------------


def edited(made, text=WORDS.replace(".", "!"), minutes=1):
    """Return a tweet that was made then and edited since: it has a new id, and the old one before it."""
    first = tweet_at(made)
    return Tweet(tweet_at(made + minutes * MINUTE).id, text, (first.id,))


@pytest.mark.parametrize(
    ("made", "text", "now", "is_it"),
    [
        (NOW + SECOND, WORDS.replace(".", "!"), HOUR, True),
        (NOW + SECOND, OTHER, HOUR, False),
        (NOW + HOUR, WORDS.replace(".", "!"), 3 * HOUR, True),
        (NOW + HOUR + MS, WORDS.replace(".", "!"), 3 * HOUR, False),
        (NOW - 5 * MINUTE, WORDS.replace(".", "!"), HOUR, True),
        (NOW - 5 * MINUTE - MS, WORDS.replace(".", "!"), HOUR, False),
        (NOW + 2 * HOUR, WORDS.replace(".", "!"), timedelta(0), False),
        (NOW + 2 * HOUR, WORDS.replace(".", "!"), -SECOND, True),  # sent under a clock that was ahead
    ],
)
def test_an_edited_tweet_as_the_post(made, text, now, is_it):
    """It was made from five minutes before the send to an hour after it, and most of its words are the same."""
    run = looking(canary=False)
    post = left_open(run)
    tweet = edited(made, text)
    found = find_tweet(run.db, post, shows(tweet), NOW + now)
    assert found == (tweet if is_it else None)


def test_an_edited_tweet_of_a_post_that_was_never_sent():
    """Where nobody knows of a send, its time says nothing; the same words count before an edit."""
    run = looking(canary=False)
    post = run.db.claim(draft(), SLOT, NOW)
    late = edited(NOW + 5 * HOUR)
    assert find_tweet(run.db, post, shows(late), NOW + 9 * HOUR) == late
    same = tweet_at(NOW + 6 * HOUR, WORDS)
    assert find_tweet(run.db, post, shows(late, same), NOW + 9 * HOUR) == same
    plain = tweet_at(NOW + 5 * HOUR, late.text)
    assert find_tweet(run.db, post, shows(plain), NOW + 9 * HOUR) is None


@pytest.mark.parametrize(
    ("tweets", "odd", "counted"),
    [
        ([], 0, 1),
        ([], 1, 0),
        ([edited(NOW + MINUTE, OTHER)], 0, 0),
        ([edited(NOW + 2 * HOUR, OTHER)], 0, 1),
        ([edited(NOW - 6 * MINUTE, OTHER)], 0, 1),
    ],
)
def test_what_may_be_the_post_is_no_absence(tweets, odd, counted):
    """An odd item may be it, and so may a tweet that was made when it was sent and edited to other words."""
    run = looking(shows(CANARY, *tweets, odd=odd))
    post = left_open(run)
    run.clock.time += 3 * HOUR
    reconcile(run)
    assert run.db.post(post.id).absent == counted


@pytest.mark.parametrize("words", [WORDS, OTHER])
def test_what_may_be_an_open_post_is_not_imported(words):
    """A tweet with its words, or made with it and edited since, is left for it; a stranger's is imported."""
    run = looking()
    left_open(run)
    mine = tweet_at(NOW + SECOND, WORDS) if words == WORDS else edited(NOW + SECOND, OTHER)
    run.clock.time += 3 * HOUR
    with caught() as records:
        absorb(run, Look(shows(mine, tweet_at(NOW - 2 * HOUR, "A stranger.")), canary=True))
        absorb(run, Look(shows(mine), canary=True))
    assert contents(run) == [CANARY.text, WORDS, "A stranger."]
    assert [r.tweets for r in records if r.msg == "timeline.unrecorded"] == [1]
    assert [row[0] for row in run.db.connection.rows("SELECT slot FROM posts")] == [None, SLOT, None]


# ---- when a post was sent --------------------------------------------------------------------------------------


def test_when_a_post_was_sent():
    """By its own time; by its last attempt where it was given up; a row without either was never sent."""
    run = looking(canary=False)
    own = put(run.db, Status.UNKNOWN, "One.", sent_at=NOW)
    put_attempt(run.db, own, "unknown", NOW - HOUR)
    given_up = put(run.db, Status.FAILED, "Two.")
    put_attempt(run.db, given_up, "unknown", NOW - 2 * HOUR)
    never = put(run.db, Status.DRAFT, "Three.")
    times = [sent_time(run.db, run.db.post(number)) for number in (own, given_up, never)]
    assert times == [NOW, NOW - 2 * HOUR, None]


# ---- what a look settles ---------------------------------------------------------------------------------------


def test_a_look_settles_what_it_shows():
    """The open post is posted, and every other tweet of the look is on record."""
    made = tweet_at(NOW + SECOND, WORDS)
    run = looking(shows(CANARY, made, tweet_at(NOW + MINUTE, "A stranger.")))
    post = left_open(run)
    reconcile(run)
    now = run.db.post(post.id)
    assert (now.status, now.tweet_id, now.resolved_by) == (Status.POSTED, made.id, "timeline")
    assert contents(run)[2:] == ["A stranger."]


def test_a_post_without_a_time_of_its_send():
    """It counts as sent now: no read proves its absence yet."""
    run = looking(shows(CANARY))
    number = put(run.db, Status.UNKNOWN, WORDS)
    reconcile(run)
    assert (run.db.post(number).status, run.db.post(number).absent) == (Status.UNKNOWN, 0)


@pytest.mark.parametrize(
    ("outcome", "status", "slot"),
    [
        (Outcome.UNKNOWN, Status.FAILED, SLOT),
        (Outcome.REFUSED, Status.FAILED, None),
        (Outcome.DUPLICATE, Status.FAILED, None),
        (Outcome.BLOCKED, Status.APPROVED, None),
        (Outcome.LATER, Status.APPROVED, None),
    ],
)
def test_what_becomes_of_a_post_that_is_absent(outcome, status, slot):
    """A text whose account X refused goes again; a refused text frees its slot; an unknown one keeps it."""
    run = looking(shows(CANARY), shows(CANARY))
    post = left_open(run, outcome)
    for _ in range(2):
        run.clock.time += HOUR
        reconcile(run)
    assert (run.db.post(post.id).status, run.db.post(post.id).slot) == (status, slot)


def test_the_first_audit():
    """A database that was never audited is read fourteen days back; what is shown is settled and recorded."""
    made = tweet_at(NOW + SECOND, WORDS)
    run = looking(shows(CANARY, made, tweet_at(NOW + MINUTE, "A stranger.")))
    run.db.notes.put(audited_at=None)
    post = left_open(run)
    run.clock.time += HOUR
    audit(run)
    assert run.db.post(post.id).status is Status.POSTED
    assert contents(run)[2:] == ["A stranger."]
    assert run.db.notes.get_time("audited_at") == NOW + HOUR


# ---- lost posts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since_send", "text", "is_it"),
    [
        (SECOND, WORDS, True),
        (-6 * MINUTE, WORDS, False),  # older than the send
        (SECOND, WORDS.upper(), False),  # the same to a fingerprint, and another text
    ],
)
def test_a_post_that_was_given_up(since_send, text, is_it):
    """A tweet that appears later is the post's, if X can have made it then, and with these words."""
    run = looking()
    number = put(run.db, Status.FAILED, WORDS, attempts=1)
    put_attempt(run.db, number, "unknown", NOW)
    tweet = tweet_at(NOW + since_send, text)
    with caught() as records:
        absorb(run, Look(shows(CANARY, tweet), canary=True))
    post = run.db.post(number)
    assert (post.status, post.resolved_by) == ((Status.POSTED, "audit") if is_it else (Status.FAILED, None))
    assert [r.post_id for r in records if r.msg == "post.found_late"] == [number] * is_it
    assert contents(run)[2:] == ([] if is_it else [text])


def test_how_many_known_tweets_are_looked_for():
    """Of the newest 200 on record those between two that are shown are missing."""
    run = looking(canary=False)
    tweets = [Tweet(CANARY.id + n, f"Tweet {n}.") for n in range(203)]
    run.db.tweets.import_tweets(tweets, NOW)
    absorb(run, Look(shows(tweets[0], tweets[-1]), canary=True))
    assert vanished(run) == {tweet.id for tweet in tweets[3:-1]}


# ---- looks after a send ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "looks"), [(9.5, 1), (12.0, 2), (11.5, 1), (1.5, 0), (2.0, 1)])
def test_a_look_needs_its_pause(left, looks):
    """A pause that is longer than the time of the run that is left ends the looks."""
    env = {"DEADLINE_SECONDS": "480", "RECONCILE_DELAYS_SECONDS": "2,10,30"}
    run = looking(*[shows(CANARY)] * 3, env=env)
    post = left_open(run)
    run.clock.sleep(480 - left)
    run.clock.slept.clear()
    assert settle_now(run, post).status is Status.UNKNOWN
    assert run.clock.slept == [2.0, 10.0][:looks]


def test_each_look_counts_for_the_absence():
    """The time of the first healthy look is kept; nothing else is recorded of a look that found nothing."""
    run = looking(*[shows(CANARY, tweet_at(NOW, "A stranger."))] * 3)
    post = settle_now(run, left_open(run))
    assert (post.absent, post.absent_at) == (0, NOW + 2 * SECOND)
    assert contents(run) == [CANARY.text, WORDS]


def test_the_looks_end_with_the_tweet():
    """The look that finds it is the last one."""
    run = looking(shows(CANARY, tweet_at(NOW, WORDS)), *[AWAY] * 2)
    assert settle_now(run, left_open(run)).status is Status.POSTED
    assert len(run.account.ranges) == 1
    assert run.db.claim(draft(2), NEXT, NOW) is not None
