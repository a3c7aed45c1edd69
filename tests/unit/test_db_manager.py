"""The database: invariants that hold whatever program writes, migration, pragmas, and every way a file can be wrong."""

import contextlib
import os
import re
import sqlite3
import stat
from datetime import UTC, datetime, timedelta

import pytest

from src import db_manager
from src.content.freshness import EVER
from src.db_manager import Database, empty_database, locked_database, open_database, open_for_reading
from src.domain.answers import Outcome, RateLimit, SendResult, Tweet
from src.domain.errors import BusyError, InjectedFault, StorageError
from src.domain.fixes import Fix
from src.domain.posts import LEGAL_MOVES, MAY_BE_ON_X, Status
from src.domain.runs import Hold, RunOutcome
from src.domain.texts import Candidate, Draft, Verdict
from src.store.backup import newest_post_id
from src.store.connection import PRAGMAS, prepare, readable_errors
from src.store.migrate import migrate
from src.store.rows import ON_X
from src.store.schema import MIGRATIONS
from src.system import failpoints
from src.system.lock import writer_lock

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
SLOT, NEXT = "2026-11-22T14:00Z", "2026-11-22T15:00Z"
OLD_TABLE = "CREATE TABLE posts (id INTEGER PRIMARY KEY, content TEXT NOT NULL, posted_at TIMESTAMP, status TEXT, error_message TEXT)"


@pytest.fixture
def db(tmp_path):
    """A fresh database."""
    with contextlib.closing(open_database(tmp_path / "twitter.db", NOW)) as made:
        yield made


def draft(n=1):
    return Draft(f"Text number {n}.", "wording", f"s-{n}", "Git")


def sent(db, n=1, slot=SLOT):
    post = db.claim(draft(n), slot, NOW)
    return db.post(post.id), db.begin_send(post, "run", NOW)


def posted(tweet_id=2124504924287926272):
    return SendResult(Outcome.POSTED, tweet_id=tweet_id, http_status=201)


def claim_approved(db, slot, since=EVER):
    """Claim as a tick does, which judges the text in between."""
    post = db.next_approved(since)
    return post and db.claim_approved(post, slot)


def raw(db, sql, *values):
    return db.connection.sqlite.execute(sql, values)


# ---- the life of a post ----------------------------------------------------------------------------------------


def test_the_way_of_a_post(db):
    """Claimed, intended, settled: each step is one row's move, with its attempt and its cost."""
    post, attempt = sent(db)
    assert (db.post(post.id).status, db.post(post.id).since_id) == (Status.SENDING, 0)
    done = db.settle(post, attempt, posted(), NOW, 0.015)
    assert (done.status, done.tweet_id, done.posted_at) == (
        Status.POSTED,
        2124504924287926272,
        Tweet(2124504924287926272, "").at,
    )
    assert db.archive.usage(SLOT, NOW + timedelta(hours=1)).spent_24h == pytest.approx(0.015)
    assert raw(db, "SELECT outcome FROM attempts").fetchone()[0] == "posted"


def test_a_slot_and_a_text_are_taken_once(db):
    """A second claim of a slot, or of a text that may be on X, is None; so is a second intent."""
    post = db.claim(draft(), SLOT, NOW)
    assert db.claim(draft(2), SLOT, NOW) is None
    assert db.claim(draft(1), NEXT, NOW) is None
    assert db.begin_send(post, "run", NOW)
    assert db.begin_send(post, "run", NOW) is None


@pytest.mark.parametrize(
    ("outcome", "status", "booked"),
    [
        (Outcome.REFUSED, Status.UNKNOWN, 0.0),
        (Outcome.DUPLICATE, Status.UNKNOWN, 0.015),
        (Outcome.UNKNOWN, Status.UNKNOWN, 0.015),
        (Outcome.NOT_SENT, Status.PENDING, 0.0),
        (Outcome.LATER, Status.UNKNOWN, 0.0),
        (Outcome.BLOCKED, Status.UNKNOWN, 0.0),
    ],
)
def test_settling(db, outcome, status, booked):
    """Each answer leads to its state and keeps the slot; a refusal costs nothing until the tweet is found."""
    post, attempt = sent(db)
    done = db.settle(post, attempt, SendResult(outcome, reason="why", detail="because"), NOW, 0.015)
    assert (done.status, done.slot, done.error_message) == (status, SLOT, "why: because")
    assert db.journal.last_answer(done) is outcome
    assert db.archive.usage(SLOT, NOW + timedelta(hours=1)).spent_24h == booked
    assert db.confirm_posted(done, Tweet(2124504924287926272, done.content), "timeline", NOW, 0.015)
    assert db.archive.usage(SLOT, NOW + timedelta(hours=1)).spent_24h == 0.015


@pytest.mark.parametrize("outcome", [Outcome.LATER, Outcome.BLOCKED])
def test_refused_for_the_account(db, outcome):
    """The database lets such a text wait again, and be sent again, only when it is proven absent each time."""
    post, attempt = sent(db)
    for number in range(1, 4):
        db.settle(post, attempt, SendResult(outcome), NOW)
        with pytest.raises(sqlite3.IntegrityError, match="proven that no tweet was made"):
            db.queue_again(post)
        with pytest.raises(sqlite3.IntegrityError, match="proven that no tweet was made"):
            db.prove_absent(post, "absent", free_slot=True)
        db.record_absence(post, NOW)
        db.record_absence(post, NOW)
        db.queue_again(post)
        assert (db.post(post.id).status, db.post(post.id).slot) == (Status.APPROVED, None)
        assert claim_approved(db, SLOT).id == post.id
        attempt = db.begin_send(db.post(post.id), "run", NOW)
        assert db.post(post.id).attempts == number + 1
        db.settle(post, attempt, SendResult(Outcome.NOT_SENT), NOW)
        attempt = db.begin_send(db.post(post.id), "run", NOW)
        assert attempt  # what was not sent needs no new proof
        raw(db, "UPDATE posts SET attempts = ?", number + 1)
    db.settle(post, attempt, SendResult(Outcome.UNKNOWN), NOW)
    db.record_absence(post, NOW)
    db.record_absence(post, NOW)
    db.queue_again(post)
    assert claim_approved(db, SLOT).id == post.id
    with pytest.raises(sqlite3.IntegrityError, match="never sent again"):
        db.begin_send(db.post(post.id), "run", NOW)


def test_an_approved_text_that_is_taken(db):
    """An approved draft whose words are on X already is passed over and does not hold up the others."""
    first, second = db.add_draft(draft(1), NOW), db.add_draft(draft(2), NOW)
    db.approve(first, NOW)
    db.approve(second, NOW + timedelta(minutes=1))
    db.claim(draft(1), SLOT, NOW)
    assert db.pending(SLOT).content == first.content
    assert db.pending(NEXT) is None
    assert claim_approved(db, NEXT).id == second.id
    assert claim_approved(db, "2026-11-22T16:00Z") is None
    assert db.post(first.id).status is Status.APPROVED


def test_settling_what_is_not_being_sent(db):
    """An answer for a post that another program moved on is told, not written over."""
    post, attempt = sent(db)
    db.recover(SLOT)
    with pytest.raises(StorageError, match="not 'sending'"):
        db.settle(post, attempt, posted(), NOW)
    assert db.post(post.id).status is Status.UNKNOWN


def test_recover(db):
    """With the lock held, `sending` becomes unknown; waiting texts of other slots expire or go back to the queue."""
    post, _ = sent(db)
    kept = db.add_draft(draft(2), NOW)
    db.approve(kept, NOW)
    assert claim_approved(db, NEXT).id == kept.id
    other = db.claim(draft(3), "2026-11-22T16:00Z", NOW)
    assert [p.id for p in db.recover("2026-11-22T17:00Z")] == [post.id]
    assert [db.post(i).status for i in (post.id, kept.id, other.id)] == [
        Status.UNKNOWN,
        Status.APPROVED,
        Status.EXPIRED,
    ]
    assert raw(db, "SELECT outcome FROM attempts").fetchone()[0] == "unknown"
    assert db.recover(NEXT) == []


def test_settling_by_looking(db):
    """An unknown post is found, counted absent, proven absent or given up; a tweet belongs to one post."""
    for n, slot in ((1, SLOT), (2, NEXT)):
        post, attempt = sent(db, n, slot)
        db.settle(post, attempt, SendResult(Outcome.UNKNOWN), NOW)
    first, second = db.with_status(Status.UNKNOWN)
    assert db.confirm_posted(first, Tweet(99 << 22, first.content), "timeline", NOW)
    assert not db.confirm_posted(second, Tweet(99 << 22, second.content), "timeline", NOW)
    assert not db.confirm_posted(first, Tweet(100 << 22, first.content), "timeline", NOW)
    assert db.record_absence(second, NOW).absent == 1
    assert db.record_absence(second, NOW + timedelta(minutes=9)).absent_at == NOW
    db.give_up(second)
    assert db.post(second.id).status is Status.UNCONFIRMED
    assert [p.sent_at for p in db.archive.unsettled()] == [NOW]
    db.prove_absent(second, "operator", free_slot=False)
    assert (db.post(second.id).status, db.post(second.id).slot) == (Status.FAILED, NEXT)


def test_a_tweet_id_is_taken_back(db):
    """The row is open again, under the time of its send; nothing else loses its tweet id."""
    post, attempt = sent(db)
    db.settle(post, attempt, SendResult(Outcome.UNKNOWN), NOW)
    db.confirm_posted(post, Tweet(99 << 22, post.content), "operator", NOW)
    assert db.take_back(db.post(post.id))
    back = db.post(post.id)
    assert (back.status, back.tweet_id, back.slot, back.sent_at) == (Status.UNCONFIRMED, None, SLOT, NOW)
    assert not db.take_back(back)


def test_drafts(db):
    """Drafts are approved, edited, rejected; each move only from where it makes sense."""
    one, two = db.add_draft(draft(1), NOW), db.add_draft(draft(2), NOW)
    assert claim_approved(db, SLOT) is None
    assert db.approve(one, NOW)
    assert not db.approve(one, NOW)
    assert db.edit(one, "A person's words.")
    assert db.post(one.id).status is Status.DRAFT
    assert db.approve(one, NOW)
    assert db.reject(two)
    assert not db.reject(two)
    assert not db.edit(two, "x")
    db.claim(draft(3), SLOT, NOW)
    assert claim_approved(db, SLOT) is None
    assert claim_approved(db, NEXT).content == "A person's words."


# ---- invariants, by whoever writes -----------------------------------------------------------------------------


def test_only_legal_moves(db):
    """From every state, SQL may move a post exactly where LEGAL_MOVES allows; the two lists are one."""
    raw(db, "PRAGMA ignore_check_constraints=1")
    for old in Status:
        for new in Status:
            if old is new:
                continue
            raw(db, "BEGIN")
            raw(db, "DROP TRIGGER known_status_insert")
            raw(
                db,
                "INSERT INTO posts(id, content, status, tweet_id, absent) VALUES (1, 'x', ?, ?, 2)",
                old,
                5 if old is Status.POSTED else None,
            )
            try:
                raw(
                    db,
                    "UPDATE posts SET status = ?, tweet_id = ? WHERE id = 1",
                    new,
                    5 if new is Status.POSTED else None,
                )
                moved = True
            except sqlite3.IntegrityError as error:
                assert "not a legal move" in str(error) or old is Status.POSTED
                moved = False
            raw(db, "ROLLBACK")
            assert moved == (new in LEGAL_MOVES[old]), (old, new)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM posts",
        "UPDATE posts SET content = 'other'",
        "UPDATE posts SET status = 'success'",
        "UPDATE posts SET status = NULL",
        "UPDATE posts SET status = 'posted'",
        "UPDATE posts SET tweet_id = 7",
        "UPDATE posts SET attempts = attempts + 1, status = 'sending'",
        "INSERT INTO posts(content, status) VALUES ('x', 'posted')",
        "INSERT INTO posts(content, status) VALUES ('x', 'sending')",
        "INSERT INTO posts(content) VALUES ('x')",
        "INSERT INTO posts(content, status, slot) VALUES ('x', 'pending', '2026-11-22T14:00Z')",
        "INSERT INTO attempts(post_id, started) VALUES (99, 0)",
    ],
)
def test_what_the_file_refuses(db, sql):
    """Nobody can delete a post, change a claimed text, invent an id, send twice, or take a taken slot."""
    post, attempt = sent(db)
    db.settle(post, attempt, SendResult(Outcome.UNKNOWN), NOW)
    with pytest.raises(sqlite3.IntegrityError):
        raw(db, sql)


def test_the_tweet_id_is_final(db):
    """Neither the id nor the state of a posted row changes again."""
    post, attempt = sent(db)
    db.settle(post, attempt, posted(), NOW)
    for sql in (
        "UPDATE posts SET tweet_id = 6",
        "UPDATE posts SET status = 'failed'",
        "UPDATE posts SET tweet_id = NULL",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            raw(db, sql)


def test_one_send_per_text(db):
    """A post may be sent again only after attempts that provably never left."""
    post, attempt = sent(db)
    db.settle(post, attempt, SendResult(Outcome.NOT_SENT), NOW)
    post = db.post(post.id)
    attempt = db.begin_send(post, "run", NOW)
    assert attempt
    db.settle(post, attempt, SendResult(Outcome.UNKNOWN), NOW)
    raw(db, "DROP TRIGGER legal_move")
    with pytest.raises(sqlite3.IntegrityError, match="never sent again"):
        raw(db, "UPDATE posts SET status = 'sending', attempts = attempts + 1 WHERE id = ?", post.id)


@pytest.mark.parametrize("approved", [True, False])
@pytest.mark.parametrize(
    ("window", "days", "claimed"),
    [
        (None, 4000, False),
        (0, 4000, False),
        (10, 9, False),
        (10, 11, True),
        (365, 363, False),
        (365, 366, True),
    ],
)
def test_a_text_comes_back_after_its_window(db, window, days, claimed, approved):
    """The database itself refuses a text that was posted within the days that it stores, whoever claims it."""
    if window is not None:
        db.keep_repeat_window(window)
    post, attempt = sent(db)
    db.settle(post, attempt, posted(), NOW)
    later = db.post(post.id).sent_at + timedelta(days=days)
    slot = f"{later:%Y-%m-%dT%H}:00Z"
    if not approved:
        assert bool(db.claim(draft(1), slot, later)) is claimed
        return
    again = db.add_draft(draft(1), later)
    db.approve(again, later)
    assert bool(db.claim_approved(db.post(again.id), slot)) is claimed
    if window:
        found = db.next_approved(later - timedelta(days=window))
        assert (found is None) == (claimed or days < window)


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.REFUSED, Outcome.BLOCKED])
def test_a_text_that_may_be_on_x_does_not_come_back(db, outcome):
    """However long ago it was sent: while nobody knows of it, no other row takes its text."""
    db.keep_repeat_window(1)
    post, attempt = sent(db)
    db.settle(post, attempt, SendResult(outcome), NOW)
    assert db.claim(draft(1), "2036-11-22T14:00Z", NOW + timedelta(days=3653)) is None


def test_an_approved_text_waits_again(db):
    """It goes back to the drafts with the reason, which an approval or an edit clears."""
    post = db.add_draft(draft(1), NOW)
    db.approve(post, NOW)
    assert db.ask_again(db.post(post.id), "it is refused now")
    assert [(p.id, p.error_message) for p in db.archive.returned_drafts()] == [(post.id, "it is refused now")]
    assert not db.ask_again(db.post(post.id), "again")
    db.approve(db.post(post.id), NOW)
    assert db.post(post.id).error_message is None
    db.ask_again(db.post(post.id), "it is refused now")
    db.edit(db.post(post.id), "Other words.")
    assert db.archive.returned_drafts() == []


def test_one_post_is_being_sent(db):
    """Two posts cannot be `sending` at the same time."""
    sent(db)
    other = db.claim(draft(2), NEXT, NOW)
    with pytest.raises(sqlite3.IntegrityError):
        db.begin_send(other, "run", NOW)


# ---- questions and notes ---------------------------------------------------------------------------------------


def test_questions(db):
    """What the rest of the program asks: usage, history, canaries, known texts, runs."""
    post, attempt = sent(db)
    assert db.archive.usage(SLOT, NOW).slot_status is Status.SENDING
    db.settle(post, attempt, posted(), NOW, 0.015)
    assert db.find_post(post.id).id == post.id
    assert db.find_post(99) is None
    with pytest.raises(StorageError, match="no post with id 99"):
        db.post(99)
    assert db.archive.count_posts() == 1
    assert db.archive.first_free_slot(NOW, 60) == NEXT
    assert db.archive.history(5)[0].id == post.id
    assert db.tweets.known_tweet_ids(5) == [2124504924287926272]
    assert db.tweets.known_among([1, 2124504924287926272]) == {2124504924287926272}
    made = Tweet(2124504924287926272, "").at
    assert db.archive.is_known_text("text NUMBER 1!", EVER)
    assert db.archive.is_known_text("text NUMBER 1!", made - timedelta(seconds=1))
    assert not db.archive.is_known_text("text NUMBER 1!", made)
    assert not db.archive.is_known_text("something else", EVER)
    assert db.archive.sent_texts() == {"s-1": {"Text number 1.": made}}
    assert db.archive.last_posted() == Tweet(2124504924287926272, "").at
    assert db.archive.content_history(NOW, 30).last_used == {"s-1": Tweet(2124504924287926272, "").at}
    assert db.tweets.lost_post("nothing") is None


def test_a_long_cooldown_is_remembered(db):
    """A statement used longer ago than a year is still known as used while its cool-down lasts; so is one whose draft waited long."""
    post, attempt = sent(db)
    db.settle(post, attempt, posted(), NOW)
    for later, cooldown, known in (
        (timedelta(days=360), 0, True),
        (timedelta(days=380), 30, False),
        (timedelta(days=700), 730, True),
    ):
        assert bool(db.archive.content_history(NOW + later, cooldown).last_used) is known
    db.connection.sqlite.execute("UPDATE posts SET created_at = created_at - 400 * 86400")
    assert db.archive.content_history(NOW + timedelta(days=10), 30).last_used


def test_an_uncertain_time_far_ahead_is_not_believed(db):
    """A send dated by a wrong clock a month ahead does not count as the last post."""
    post = db.claim(draft(), SLOT, NOW)
    db.begin_send(post, "run", NOW + timedelta(days=30))
    assert db.archive.usage(SLOT, NOW).last_sent is None
    assert db.archive.usage(SLOT, NOW + timedelta(days=29, hours=1)).last_sent == NOW + timedelta(days=30)


def test_imports(db):
    """Tweets that no row holds are recorded once, take their slot at a cold start, and join the owner's old rows."""
    raw(
        db,
        "INSERT INTO posts(content, status, origin, fingerprint, tweet_id) VALUES ('x', 'draft', 'person', 'f', NULL)",
    )
    tweets = [Tweet(2124504924287926272, "a &amp; b"), Tweet(2124504924287926273, "c")]
    assert db.tweets.import_tweets(tweets, NOW, slot_minutes=60) == 2
    assert db.tweets.import_tweets(tweets, NOW, slot_minutes=60) == 0
    rows = raw(db, "SELECT content, slot FROM posts WHERE origin = 'import' ORDER BY tweet_id").fetchall()
    assert [tuple(r) for r in rows] == [("a & b", SLOT), ("c", None)]
    db.tweets.stamp_seen([2124504924287926272], [2124504924287926273], NOW)
    assert db.tweets.known_tweet_ids(9) == [2124504924287926272]
    db.tweets.stamp_deleted(db.post(2), NOW)
    assert db.tweets.known_tweet_ids(9) == []
    assert db.tweets.newest_tweet_before(NOW) == 0


def test_notes(db):
    """Notes, holds, limits and runs survive to the next run."""
    assert db.notes.get("x") is None
    db.notes.put(x="1")
    db.notes.put(x="2", y=None)
    assert db.notes.get("x") == "2"
    db.notes.put(x=None)
    assert db.notes.get("x") is None
    assert db.notes.current_hold() is None
    db.notes.clear_hold()
    for until in (NOW, None):
        hold = Hold("blocked", "no-credits", until, Fix("buy"), 2, NOW)
        db.notes.put_hold(hold)
        assert db.notes.current_hold() == hold
    db.notes.clear_hold()
    assert db.notes.current_hold() is None
    window = RateLimit("x-rate-limit", 100, 0, NOW)
    db.notes.put_limits([window])
    assert db.notes.limits() == (window,)
    assert db.journal.latest_run() is None
    db.journal.begin_run("r", "tick", SLOT, "0", NOW)
    assert db.journal.latest_run().finished is None
    db.journal.finish_run("r", 75, "later", "m", {"seconds": 1.0}, NOW)
    assert (db.journal.latest_run().outcome, db.journal.latest_run().metrics) == ("later", {"seconds": 1.0})
    assert db.journal.failures_in_a_row() == 1
    db.journal.begin_run("s", "tick", SLOT, "0", NOW)
    db.journal.finish_run("s", 0, "posted", "m", {}, NOW)
    assert db.journal.failures_in_a_row() == 0
    db.journal.spend(NOW, "read", 3, 0.003)
    assert db.archive.usage(SLOT, NOW + timedelta(minutes=1)).spent_month == pytest.approx(0.003)
    db.journal.add_candidates("r", [Candidate("s-1", "Why?", -1.0, Verdict(("echo",)))], NOW)
    assert raw(db, "SELECT reasons FROM candidates").fetchone()[0] == "echo"
    assert db.notes.made_at() == NOW


def test_model_failures_in_a_row(db):
    """Runs that did not ask the model neither count nor end the count; a text that it brought does."""
    failed = {"generate_seconds": 2.0, "model_failed": 1.0}
    assert db.journal.model_failures_in_a_row() == 0
    for name, metrics, expected in (
        ("a", failed, 1),
        ("b", {"seconds": 0.1}, 1),
        ("c", failed, 2),
        ("d", {"generate_seconds": 2.0}, 0),
    ):
        db.journal.begin_run(name, "tick", SLOT, "0", NOW)
        db.journal.finish_run(name, 0, "posted", "m", metrics, NOW)
        assert db.journal.model_failures_in_a_row() == expected


@pytest.mark.parametrize(
    ("outcome", "reason", "stored"),
    [
        *((outcome, "", str(outcome)) for outcome in RunOutcome if outcome is not RunOutcome.ON_HOLD),
        (RunOutcome.ON_HOLD, "no-credits", "nothing-due:hold-no-credits"),
    ],
)
def test_outcomes_as_stored(db, outcome, reason, stored):
    """Every outcome comes back as it was written; only the table joins a hold and its reason."""
    db.journal.begin_run("r", "tick", SLOT, "0", NOW)
    db.journal.finish_run("r", 0, outcome, "m", {}, NOW, reason=reason)
    assert raw(db, "SELECT outcome FROM runs").fetchone()[0] == stored
    assert (db.journal.latest_run().outcome, db.journal.latest_run().reason) == (outcome, reason)


def test_an_outcome_of_another_version(db):
    """A word that this version does not know is no outcome, and stops nothing."""
    db.journal.begin_run("r", "tick", SLOT, "0", NOW)
    raw(db, "UPDATE runs SET outcome = 'of tomorrow', finished = started, exit_code = 0")
    assert (db.journal.latest_run().outcome, db.journal.latest_run().reason) == (None, "")


def test_notes_that_cannot_be_read(db):
    """A note that was damaged counts as none: it stops no run."""
    for junk in (
        "{",
        "[]",
        "[[1]]",
        "null",
        '{"kind": 1}',
        "1e999",
        '[["a", "b", 1, 1]]',
        '[["a", 1, 1, 1e30]]',
        '{"kind": "wait", "reason": "", "until": 1e30, "fix": "", "count": 1, "since": 0}',
    ):
        db.notes.put(hold=junk, limits=junk, made_at=junk)
        assert (db.notes.current_hold(), db.notes.limits(), db.notes.made_at()) == (None, (), None)


# ---- opening ---------------------------------------------------------------------------------------------------


def test_pragmas_are_set_and_read_back(db):
    """Journal DELETE, synchronous EXTRA and the rest really took."""
    for name, value in PRAGMAS.items():
        taken = raw(db, f"PRAGMA {name}").fetchone()
        assert taken is None or str(taken[0]) == str(value), name
    assert raw(db, "PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)


def test_a_pragma_that_does_not_take(tmp_path, monkeypatch):
    """A file system that cannot hold the database safely is refused."""
    monkeypatch.setitem(PRAGMAS, "journal_mode", "nonsense")
    with pytest.raises(StorageError, match="refused journal_mode"):
        open_database(tmp_path / "twitter.db", NOW)


def test_modes(tmp_path):
    """The database, its marker and its folder are closed to others, whatever the umask."""
    old = os.umask(0)
    try:
        open_database(tmp_path / "data" / "twitter.db", NOW).close()
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "data").iterdir()} == {0o600}


def test_a_newer_version_is_refused(tmp_path):
    """A database written by a newer program is left alone, with the way on."""
    path = tmp_path / "twitter.db"
    with contextlib.closing(open_database(path, NOW)) as db:
        raw(db, "PRAGMA user_version=99")
    before = path.read_bytes()
    with pytest.raises(StorageError) as caught:
        open_database(path, NOW)
    assert "update" in caught.value.fix.render()
    with pytest.raises(StorageError):
        open_for_reading(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("harm", ["noise", "other", "empty", "half"])
def test_a_damaged_file_is_set_aside(tmp_path, harm):
    """A damaged or emptied file is moved, whole and private, never deleted; the next run starts a new one."""
    path = tmp_path / "twitter.db"
    with contextlib.closing(open_database(path, NOW)) as db:
        sent(db)
    size = path.stat().st_size
    {
        "noise": lambda: path.write_bytes(os.urandom(size)),
        "other": lambda: path.write_bytes(b"x" * size),
        "empty": lambda: os.truncate(path, 0),
        "half": lambda: os.truncate(path, size // 2),
    }[harm]()
    (tmp_path / "twitter.db-journal").touch()
    found = path.read_bytes()
    with pytest.raises(StorageError, match="set aside"):
        open_database(path, NOW)
    (aside,) = tmp_path.glob("twitter.db.damaged-*[0-9]")
    assert (aside.read_bytes(), stat.S_IMODE(aside.stat().st_mode)) == (found, 0o600)
    with contextlib.closing(open_database(path, NOW)) as db:
        assert (db.archive.count_posts(), db.notes.get("cold_start")) == (0, "replaced")


def test_reading_does_not_write(tmp_path):
    """A copy in memory shows what is there; what is written to it stays there."""
    path = tmp_path / "twitter.db"
    open_database(path, NOW).close()
    before = path.read_bytes()
    with contextlib.closing(open_for_reading(path)) as copy:
        assert copy.claim(draft(), SLOT, NOW)
    assert path.read_bytes() == before


def test_a_damaged_file_is_only_told_when_read(tmp_path):
    """A dry run reports a damaged file and moves nothing."""
    path = tmp_path / "twitter.db"
    path.write_bytes(b"x" * 9000)
    with pytest.raises(StorageError):
        open_for_reading(path)
    assert [p.name for p in tmp_path.iterdir()] == ["twitter.db"]
    assert open_for_reading(tmp_path / "none.db") is None


@pytest.mark.parametrize("kind", ["folder in the way", "file in the way", "file further up", "link"])
def test_a_place_that_cannot_hold_it(tmp_path, kind):
    """No folder, a folder in the file's place, a link that leads astray: told with a fix."""
    path = tmp_path / "data" / "twitter.db"
    if kind == "file in the way":
        (tmp_path / "data").touch()
    elif kind == "file further up":
        (tmp_path / "data").touch()
        path = tmp_path / "data" / "deeper" / "twitter.db"
    elif kind == "folder in the way":
        path.mkdir(parents=True)
    else:
        path.parent.mkdir()
        path.symlink_to(tmp_path / "nowhere" / "else.db")
    with pytest.raises(StorageError) as caught:
        open_database(path, NOW)
    assert caught.value.fix


def test_a_big_database_is_not_checked_whole(tmp_path, monkeypatch):
    """Beyond the size limit a start does not read the whole file."""
    path = tmp_path / "twitter.db"
    open_database(path, NOW).close()
    monkeypatch.setattr(db_manager, "SMALL_DATABASE_BYTES", 10)
    open_database(path, NOW).close()


def test_a_hurt_index_is_seen(tmp_path):
    """A page of noise inside a sound file is seen by the check at the start."""
    path = tmp_path / "twitter.db"
    open_database(path, NOW).close()
    data = bytearray(path.read_bytes())
    data[4096 * 2 : 4096 * 3] = os.urandom(4096)
    path.write_bytes(data)
    with pytest.raises(StorageError, match="set aside"):
        open_database(path, NOW)


def test_damage_found_later_is_told(db):
    """Damage that shows only while working is told as such; the file is set aside by the next start."""
    with pytest.raises(StorageError, match="no such table") as caught:
        db.connection.rows("SELECT * FROM somewhere")
    assert caught.value.fix
    with pytest.raises(StorageError) as caught, readable_errors(db.connection.path):
        error = sqlite3.DatabaseError("malformed")
        error.sqlite_errorname = "SQLITE_CORRUPT"
        raise error
    assert "set aside" in caught.value.fix.render()
    with pytest.raises(StorageError, match="schema"), readable_errors(db.connection.path):
        b"\xbb".decode()


# ---- migration -------------------------------------------------------------------------------------------------


def old_database(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(OLD_TABLE)
        db.executemany(
            "INSERT INTO posts(content, posted_at, status, error_message) VALUES (?, ?, ?, ?)",
            [
                ("Old success.", "2026-11-01T10:00:00.123456", "success", None),
                ("Old pending.", None, "pending", None),
                ("Old failure.", "2026-11-02 10:00:00", "failed", "500"),
                ("Odd one.", "garbage", None, None),
            ],
        )
        db.commit()


def test_the_owners_old_database(tmp_path):
    """The original table keeps its rows: success is posted, pending and odd ones are unconfirmed; a copy is kept."""
    path = tmp_path / "twitter.db"
    old_database(path)
    with contextlib.closing(open_database(path, NOW)) as db:
        assert [p.status for p in db.archive.history(9)][::-1] == [
            Status.POSTED,
            Status.UNCONFIRMED,
            Status.FAILED,
            Status.UNCONFIRMED,
        ]
        assert db.post(1).posted_at == datetime(2026, 11, 1, 10, 0, 0, 123456, tzinfo=UTC)
        assert db.post(4).posted_at is None
        assert db.claim(Draft("old SUCCESS", "wording"), SLOT, NOW) is not None, (
            "an old row does not bind by its text"
        )
        assert db.tweets.import_tweets([Tweet(2124504924287926272, "Old pending.")], NOW) == 1
        assert (db.post(2).status, db.post(2).tweet_id) == (Status.POSTED, 2124504924287926272)
    (copy,) = tmp_path.glob("twitter.db.before-version-*")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with contextlib.closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT status FROM posts").fetchall() == [
            ("success",),
            ("pending",),
            ("failed",),
            (None,),
        ]


def test_from_the_version_between(tmp_path):
    """A database at an earlier version is brought up to date without being taken for a new account."""
    path = tmp_path / "twitter.db"
    old_database(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=1")
    with contextlib.closing(open_database(path, NOW)) as db:
        assert (db.archive.count_posts(), db.notes.get("cold_start")) == (4, None)


@pytest.mark.parametrize("place", ["migrate.statement", "migrate.before_commit"])
def test_a_migration_that_fails_leaves_the_old_database(tmp_path, place):
    """Whatever interrupts a migration, nothing of it remains, and the next start does it whole."""
    path = tmp_path / "twitter.db"
    old_database(path)
    failpoints.arm(f"{place}:raise")
    try:
        with pytest.raises(InjectedFault):
            open_database(path, NOW)
    finally:
        failpoints.arm("")
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 0
        assert len(db.execute("PRAGMA table_info(posts)").fetchall()) == 5
    with contextlib.closing(open_database(path, NOW)) as db:
        assert db.archive.count_posts() == 4


def test_two_migrations_at_once(tmp_path):
    """The version is read again under the lock: the second of two starts finds the work done."""
    path = tmp_path / "twitter.db"
    first, second = (sqlite3.connect(path, isolation_level=None) for _ in range(2))
    with contextlib.closing(first), contextlib.closing(second):
        for connection in (first, second):
            prepare(connection)
        real, done = second.execute, []

        class Late:
            """A connection whose first question is answered before the other one migrates."""

            in_transaction = False

            def execute(self, sql, *values):
                if sql == "BEGIN IMMEDIATE" and not done:
                    done.append(1)
                    migrate(first, path, NOW, fresh=True)
                return real(sql, *values)

        migrate(Late(), path, NOW, fresh=True)
    with contextlib.closing(open_database(path, NOW)) as db:
        assert db.archive.count_posts() == 0


def test_an_empty_database_in_memory():
    """A dry run on a fresh clone works on a database that never was a file."""
    with contextlib.closing(empty_database(NOW)) as db:
        assert isinstance(db, Database)
        assert db.connection.path is None
        assert db.claim(draft(), SLOT, NOW)


def test_newest_post_of_another_file(db, tmp_path):
    """The newest post of a file beside ours is read where it can be; a file that is no database has none."""
    post = db.claim(draft(), SLOT, NOW)
    assert newest_post_id(tmp_path / "twitter.db") == post.id
    (tmp_path / "other").write_bytes(b"not a database" * 99)
    assert newest_post_id(tmp_path / "other") is None


@pytest.mark.parametrize("text", ["null", "[1]", '{"a": "x"}', '{"a": null}', '"a"'])
def test_odd_metrics_are_left_out(db, text):
    """Whatever another program wrote into a run's metrics, the run can be read."""
    db.journal.begin_run("r", "tick", SLOT, "1", NOW)
    db.connection.sqlite.execute("UPDATE runs SET metrics = ?", (text,))
    assert db.journal.latest_run().metrics == {}


def test_no_mark_can_be_made(tmp_path):
    """Without room for the file that says that a database was here, the run ends with words, and nothing is half open."""
    mark = tmp_path / "twitter.db.in-use"
    mark.symlink_to(tmp_path / "gone" / "away")
    with pytest.raises(StorageError, match="cannot use") as caught:
        open_database(tmp_path / "twitter.db", NOW)
    assert "df -h" in caught.value.fix.render()
    mark.unlink()
    open_database(tmp_path / "twitter.db", NOW).close()


def test_a_damaged_file_that_cannot_be_moved(tmp_path):
    """If the damaged file cannot be set aside, it stays where it is, and the reason is told."""
    path = tmp_path / "twitter.db"
    path.write_bytes(b"not a database at all" * 99)
    path.with_name(f"{path.name}.damaged-{NOW:%Y%m%dT%H%M%S}").mkdir()
    with pytest.raises(StorageError, match="cannot use"):
        open_database(path, NOW)
    assert path.read_bytes().startswith(b"not a database")


# ---- under the lock --------------------------------------------------------------------------------------------


def test_a_locked_database_is_open_and_then_closed(tmp_path):
    """The lock is held while the database is open; both are given back, and the database is migrated."""
    path = tmp_path / "twitter.db"
    with locked_database(path, NOW) as db:
        assert db.archive.count_posts() == 0
        with writer_lock(path) as ours:
            assert not ours
        with (
            pytest.raises(BusyError, match="another run") as caught,
            locked_database(path, NOW, fix=Fix("wait")),
        ):
            pytest.fail("two writers")
        assert caught.value.fix.render() == "wait"
    with pytest.raises(StorageError, match="closed"):
        db.archive.count_posts()
    with writer_lock(path) as ours:
        assert ours


def test_an_error_under_the_lock_closes_both(tmp_path):
    """An error of the block passes, and neither the lock nor the database stays behind."""
    path = tmp_path / "twitter.db"
    with pytest.raises(InjectedFault), locked_database(path, NOW) as db:
        raise InjectedFault
    with pytest.raises(StorageError, match="closed"):
        db.archive.count_posts()
    with locked_database(path, NOW) as db:
        assert db.archive.count_posts() == 0


def test_a_damaged_database_is_set_aside_under_the_lock(tmp_path):
    """The error passes and the lock is free: the next run can start anew."""
    path = tmp_path / "twitter.db"
    path.write_bytes(b"not a database at all" * 99)
    with pytest.raises(StorageError, match="set aside"), locked_database(path, NOW):
        pytest.fail("it was opened")
    with locked_database(path, NOW) as db:
        assert db.notes.get("cold_start") == "new"


def test_the_states_in_sql_are_those_of_the_vocabulary():
    """The list of states that may be on X is built from the one set in `domain/posts`."""
    assert set(re.findall(r"'(\w+)'", ON_X)) == {str(state) for state in MAY_BE_ON_X}
