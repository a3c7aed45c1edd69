"""Reading the timeline, rule by rule: a database in memory, an account that answers by script, a clock that stands."""

from datetime import UTC, datetime, timedelta

import pytest

from src import config
from src.db_manager import empty_database
from src.domain.answers import TWITTER_EPOCH_MS, Outcome, SendResult, TimelineRead, Tweet
from src.domain.posts import Status
from src.domain.texts import Draft
from src.posting.reconcile import Look, absorb, audit, find_tweet, made_since, reconcile, settle_now
from src.posting.run import Run, no_text
from src.system.clock import Clock
from tests.support.logs import caught

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
SLOT = "2026-11-22T14:00Z"
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
AWAY = TimelineRead()


class Still(Clock):
    """A clock that moves only when someone sleeps."""

    def __init__(self):
        self.time, self.slept = NOW, []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


class Account:
    """An account that answers reads by script, and remembers from where each read started."""

    def __init__(self):
        self.reads, self.starts = [], []

    def timeline(self, since_id, count=100, until_id=0):
        self.starts.append(since_id)
        return self.reads.pop(0)


@pytest.fixture
def run():
    """A run on an empty database."""
    return Run(
        config.load({}), empty_database(NOW), Account(), no_text, "run", Still(), _recognise=lambda text: None
    )


def tweet_at(moment, text="Of old."):
    return Tweet((int(moment.timestamp() * 1000) - TWITTER_EPOCH_MS) << 22, text)


def known(run, *ages):
    """Record tweets of these ages."""
    made = [tweet_at(NOW - age) for age in ages]
    run.db.tweets.import_tweets(made, NOW)
    return made


def shows(*tweets, healthy=True, complete=True, odd=0):
    return TimelineRead(tuple(tweets), healthy=healthy, complete=complete, odd=odd)


def left_open(run, outcome=Outcome.UNKNOWN):
    """Send a post at NOW and record this answer."""
    post = run.db.claim(Draft("The words.", "wording"), SLOT, NOW)
    attempt = run.db.begin_send(post, "run", NOW)
    return run.db.settle(run.db.post(post.id), attempt, SendResult(outcome), NOW, 0.0)


def look_at(run, moment, read):
    """Reconcile once at a time, with this read."""
    run.clock.time = moment
    run.account.reads.append(read)
    reconcile(run)


def column(run, name):
    return [row[0] for row in run.db.connection.sqlite.execute(f"SELECT {name} FROM posts ORDER BY id")]


# ---- absence ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "minutes"), [(Outcome.UNKNOWN, 15), (Outcome.REFUSED, 45), (Outcome.DUPLICATE, 45)]
)
def test_absence_is_proven_to_the_second(run, outcome, minutes):
    """Two healthy reads prove absence, both at least 15 minutes after the send, 45 where X had refused the text."""
    (canary,) = known(run, HOUR)
    post = left_open(run, outcome)
    begin = NOW + minutes * MINUTE
    for moment, counted in ((NOW + SECOND, 0), (begin - SECOND, 0), (begin, 1)):
        look_at(run, moment, shows(canary))
        now = run.db.post(post.id)
        assert (now.status, now.absent, now.absent_at) == (Status.UNKNOWN, counted, NOW + SECOND)
    look_at(run, begin + SECOND, shows(canary))
    assert run.db.post(post.id).status is Status.FAILED


def test_sent_under_a_clock_that_was_ahead(run):
    """Where the send lies in the future, the 15 minutes begin with the first look."""
    (canary,) = known(run, HOUR)
    post = left_open(run)
    for moment, counted in ((-HOUR, 0), (-HOUR + 15 * MINUTE - SECOND, 0), (-HOUR + 15 * MINUTE, 1)):
        look_at(run, NOW + moment, shows(canary))
        assert run.db.post(post.id).absent == counted


@pytest.mark.parametrize(
    ("with_canary", "healthy", "complete"), [(False, True, True), (True, False, True), (True, True, False)]
)
def test_what_counts_for_no_absence(run, with_canary, healthy, complete):
    """A read without a known tweet, one that is not healthy and one that is cut off say nothing of absence."""
    (canary,) = known(run, HOUR)
    post = left_open(run)
    read = shows(*[canary] * with_canary, healthy=healthy, complete=complete)
    look_at(run, NOW + HOUR, read)
    assert run.db.post(post.id).absent == 0


@pytest.mark.parametrize(
    ("outcome", "read", "status"),
    [
        (Outcome.UNKNOWN, "away", Status.UNCONFIRMED),
        (Outcome.UNKNOWN, "cut off", Status.UNCONFIRMED),
        (Outcome.REFUSED, "away", Status.UNKNOWN),
        (Outcome.REFUSED, "cut off", Status.UNCONFIRMED),
        (Outcome.REFUSED, "cut off, no canary", Status.UNKNOWN),
        (Outcome.REFUSED, "whole", Status.UNKNOWN),
    ],
)
def test_who_decides_after_two_days(run, outcome, read, status):
    """After 48 hours a person decides; a refused text waits for its proof unless a full page hides it for good."""
    (canary,) = known(run, HOUR)
    post = left_open(run, outcome)
    answer = {
        "away": AWAY,
        "cut off": shows(canary, complete=False),
        "cut off, no canary": shows(complete=False),
        "whole": shows(canary),
    }[read]
    look_at(run, NOW + 48 * HOUR, AWAY)
    assert run.db.post(post.id).status is Status.UNKNOWN
    look_at(run, NOW + 48 * HOUR + SECOND, answer)
    assert run.db.post(post.id).status is status


def test_a_tweet_on_record_is_no_other_posts(run):
    """The tweet of another post is not found again, whatever its words."""
    post = left_open(run)
    other = tweet_at(NOW + SECOND, "The words.")
    assert find_tweet(run.db, post, shows(other), NOW + HOUR) == other
    run.db.tweets.import_tweets([other], NOW)
    assert find_tweet(run.db, post, shows(other), NOW + HOUR) is None


def test_when_x_can_have_made_it(run):
    """A tweet is not older than the send less five minutes, unless the send lies in the future or never was."""
    post = left_open(run)
    early = tweet_at(NOW - timedelta(minutes=5) - SECOND)
    assert made_since(run.db, post, tweet_at(NOW - timedelta(minutes=5)), NOW + HOUR)
    assert not made_since(run.db, post, early, NOW)
    assert made_since(run.db, post, early, NOW - SECOND)
    waiting = run.db.claim(Draft("Others.", "wording"), "2026-11-22T15:00Z", NOW)
    assert made_since(run.db, waiting, early, NOW)


# ---- where a read starts, and what it costs --------------------------------------------------------------------


def test_a_read_starts_at_a_tweet_that_is_known(run):
    """It starts just below the newest known tweet; where that is missing, below the fifth; never a third time."""
    tweets = known(run, *(n * HOUR for n in range(1, 8)))
    left_open(run)
    look_at(run, NOW + SECOND, shows(tweets[0]))
    assert run.account.starts == [tweets[0].id - 1]
    run.account.reads.append(shows())
    look_at(run, NOW + 2 * SECOND, shows())
    assert run.account.starts[1:] == [tweets[0].id - 1, tweets[4].id - 1]
    look_at(run, NOW + 3 * SECOND, AWAY)  # a second read would find no answer in the script
    assert run.account.starts[3:] == [tweets[0].id - 1]


def test_a_read_is_measured(run):
    """Each read counts, with its time and the price of each tweet that it showed."""
    tweets = known(run, HOUR, 2 * HOUR)
    left_open(run)
    result = SendResult(Outcome.DONE, latency_ms=250)
    look_at(run, NOW + SECOND, TimelineRead(tuple(tweets), healthy=True, complete=True, result=result))
    price = run.settings.price_read_usd
    assert run.metrics == {"reads": 1, "read_ms": 250, "cost_usd": pytest.approx(2 * price)}


# ---- the audit -------------------------------------------------------------------------------------------------


def test_the_audit_is_due_after_a_day(run):
    """A day after the last one the audit reads, not a second earlier, and notes its time."""
    (canary,) = known(run, 40 * HOUR)
    run.db.notes.put(audited_at=str((NOW - 24 * HOUR + SECOND).timestamp()))
    audit(run)
    assert run.account.starts == []
    run.db.notes.put(audited_at=str((NOW - 24 * HOUR).timestamp()))
    run.account.reads.append(shows(canary))
    audit(run)
    assert run.db.notes.get_time("audited_at") == NOW


@pytest.mark.parametrize(("last", "reach"), [(30 * HOUR, 31 * HOUR), (400 * HOUR, 337 * HOUR)])
def test_how_far_the_audit_reaches(run, last, reach):
    """It reads from an hour before the last audit, and at most 14 days and that hour back."""
    first, _later = known(run, reach, reach - HOUR / 2)
    run.db.notes.put(audited_at=str((NOW - last).timestamp()))
    run.account.reads.append(shows(first))
    audit(run)
    assert run.account.starts == [first.id - 1]


def test_each_tweet_is_in_two_audits(run):
    """The audit reads from an hour before the last but one; one before a clock that was ahead counts for nothing."""
    ages = (81 * HOUR, 73 * HOUR, 49 * HOUR, 25 * HOUR)
    first, second, _third, fourth = known(run, *ages)
    run.db.notes.put(audited_before=str((NOW - 80 * HOUR).timestamp()))
    run.db.notes.put(audited_at=str((NOW - 24 * HOUR).timestamp()))
    run.account.reads.append(shows(first, second, fourth))
    audit(run)
    assert run.account.starts == [first.id - 1]
    assert run.db.notes.get_time("audited_before") == NOW - 24 * HOUR
    run.clock.time = NOW + 24 * HOUR
    run.account.reads.append(shows(fourth))
    audit(run)
    assert run.account.starts[1:] == [fourth.id - 1]


# ---- what a read leaves on record ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("healthy", "canary", "odd", "gone"),
    [(True, True, 0, True), (True, True, 1, False), (True, False, 0, False), (False, True, 0, False)],
)
def test_what_is_missing_between_two_tweets(run, healthy, canary, odd, gone):
    """A known tweet between two that are shown is missing; one outside of them is not, nor is any in a bad read."""
    newest, missing, shown, _old = known(run, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR)
    newer, _newer_still = known(run, HOUR / 2, HOUR / 4)
    absorb(run, Look(shows(newer, newest, shown, healthy=healthy, odd=odd), canary))
    vanished = [
        row[0]
        for row in run.db.connection.sqlite.execute(
            "SELECT tweet_id FROM posts WHERE vanished_at IS NOT NULL"
        )
    ]
    assert vanished == [missing.id] * gone


@pytest.mark.parametrize(("ours", "slot", "spent"), [(False, None, 0.0), (True, SLOT, 0.015)])
def test_an_unknown_tweet_is_recorded(run, ours, slot, spent):
    """A tweet that no row holds is imported; after a restore it takes its slot and is in the ledger."""
    absorb(run, Look(shows(tweet_at(NOW, "A stranger.")), canary=True), ours=ours)
    assert (column(run, "content"), column(run, "slot")) == (["A stranger."], [slot])
    assert run.db.archive.usage(SLOT, NOW + SECOND).spent_24h == pytest.approx(spent)


def test_the_text_of_an_open_post_is_not_imported(run):
    """A tweet with the words of a post that is open is left for that post."""
    left_open(run)
    absorb(run, Look(shows(tweet_at(NOW - HOUR, "The words."), tweet_at(NOW, "A stranger.")), canary=True))
    assert column(run, "content") == ["The words.", "A stranger."]


def test_looks_come_after_pauses(run):
    """Each look of a run waits its pause first; the look that finds the tweet also stamps what it shows."""
    (canary,) = known(run, HOUR)
    post = left_open(run)
    pauses = list(run.settings.reconcile_delays_seconds)
    run.account.reads = [
        *[shows(canary)] * (len(pauses) - 1),
        shows(tweet_at(NOW + SECOND, "The words."), canary),
    ]
    run.db.tweets.stamp_seen([], [canary.id], NOW)
    assert settle_now(run, post).status is Status.POSTED
    assert run.clock.slept == pauses
    assert column(run, "vanished_at") == [None, None]


@pytest.mark.parametrize("taken", [True, False])
def test_a_lost_post_is_told_as_found_once_it_is_on_record(run, monkeypatch, taken):
    """A tweet with the text of a post that was given up settles it; what the database refuses is no find."""
    post = left_open(run)
    run.db.give_up(post)
    if taken:
        monkeypatch.setattr(type(run.db), "confirm_posted", lambda *_: False)
    with caught() as records:
        absorb(run, Look(shows(tweet_at(NOW + MINUTE, post.content)), canary=True))
    assert [r.post_id for r in records if r.msg == "post.found_late"] == ([] if taken else [post.id])
