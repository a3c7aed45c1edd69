"""The life of a post: each step, from where it leads, what it writes, and that it touches no other post."""

import sqlite3
from datetime import timedelta

import pytest

from src.content.freshness import EVER
from src.domain.answers import NOT_BILLED, Outcome, SendResult, Tweet
from src.domain.errors import StorageError
from src.domain.posts import Status
from src.domain.texts import Draft
from tests.support.stored import (
    NEXT,
    NOW,
    SLOT,
    TWEET,
    draft,
    everything,
    next_waiting,
    posted,
    put,
    put_attempt,
    sent,
)

HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
THIRD = "2026-11-22T16:00Z"
MADE = Tweet(TWEET, "").at


def claim_approved(db, slot, since=EVER):
    """Claim as a tick does, which judges the text in between."""
    post = next_waiting(db, since)
    return post and db.claim_approved(post, slot)


def raw(db, sql, *values):
    return db.connection.sqlite.execute(sql, values)


def spent(db):
    """Return the ledger: kind, units, US dollars."""
    return [tuple(row) for row in db.connection.rows("SELECT kind, units, usd FROM spending")]


# ---- each step, from each state --------------------------------------------------------------------------------

STEPS = {
    "claim_approved": (lambda db, post: db.claim_approved(post, post.slot or NEXT), {Status.APPROVED}),
    "ask_again": (lambda db, post: db.ask_again(post, "why"), {Status.APPROVED}),
    "approve": (lambda db, post: db.approve(post, NOW), {Status.DRAFT}),
    "reject": (lambda db, post: db.reject(post), {Status.DRAFT, Status.APPROVED}),
    "edit": (lambda db, post: db.edit(post, f"Other {post.id}."), {Status.DRAFT, Status.APPROVED}),
    "begin_send": (lambda db, post: db.begin_send(post, "run", NOW), {Status.PENDING}),
    "confirm_posted": (
        lambda db, post: db.confirm_posted(post, Tweet(TWEET + post.id, ""), "timeline", NOW),
        {Status.UNKNOWN, Status.UNCONFIRMED, Status.FAILED, Status.PENDING, Status.EXPIRED, Status.APPROVED},
    ),
    "take_back": (lambda db, post: db.take_back(post), {Status.POSTED}),
    "record_look": (lambda db, post: db.record_look(post, NOW, absent=True), {Status.UNKNOWN}),
    "prove_absent": (
        lambda db, post: db.prove_absent(post, "absent", free_slot=False),
        {Status.UNKNOWN, Status.UNCONFIRMED},
    ),
    "queue_again": (lambda db, post: db.queue_again(post), {Status.UNKNOWN}),
    "give_up": (lambda db, post: db.give_up(post), {Status.UNKNOWN}),
}
TELLING = {
    "claim_approved",
    "ask_again",
    "approve",
    "reject",
    "edit",
    "begin_send",
    "confirm_posted",
    "take_back",
}


def put_each(db, *left_out):
    """Insert a post in every state; return their ids."""
    waiting = {Status.DRAFT, Status.APPROVED, Status.REJECTED}
    return {
        status: put(
            db,
            status,
            f"A {status} text.",
            slot=None if status in waiting else f"2026-11-22T{n:02}:00Z",
            tweet_id=1 if status is Status.POSTED else None,
            absent=2,
        )
        for n, status in enumerate(Status)
        if status not in left_out
    }


@pytest.mark.parametrize("name", STEPS)
def test_each_step_leads_from_its_states_only(db, name):
    """From every other state it changes nothing; from its own it changes that post and no other."""
    step, states = STEPS[name]
    posts = put_each(db, *([Status.SENDING] if name == "begin_send" else []))
    changed, told = set(), set()
    for status, post in posts.items():
        before = everything(db)
        if step(db, db.post(post)):
            told.add(status)
        after = everything(db)
        assert {i for i in before if before[i] != after[i]} <= {post}
        if before != after:
            changed.add(status)
    assert changed == states
    assert told == states or name not in TELLING


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.SENDING])
def test_only_a_post_being_sent_is_settled(db, status):
    """An answer for a post that another program moved on is told, and written over nothing."""
    posts = put_each(db)
    attempt = put_attempt(db, posts[status], None)
    before = everything(db), everything(db, "attempts")
    with pytest.raises(StorageError, match="was not 'sending'"):
        db.settle(db.post(posts[status]), attempt, SendResult(Outcome.UNKNOWN), NOW)
    assert (everything(db), everything(db, "attempts")) == before


# ---- claim, intent, settle -------------------------------------------------------------------------------------


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
    assert db.record_look(second, NOW, absent=True).absent == 1
    assert db.record_look(second, NOW + timedelta(minutes=9), absent=True).absent_at == NOW
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


# ---- what each step writes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ["claim", "add_draft"])
@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (Draft("A b!", "model", "s", "Git", "Why?"), ("A b!", "model", "s", "Git", "Why?")),
        (Draft("A b!", "person"), ("A b!", "person", None, None, None)),
    ],
)
def test_what_a_new_post_holds(db, make, text, stored):
    """Its text and where it comes from; what a text does not have is empty."""
    post = db.claim(text, SLOT, NOW) if make == "claim" else db.add_draft(text, NOW)
    assert (post.content, post.origin, post.source_id, post.topic, post.opening) == stored
    assert (post.status, post.slot) == (("pending", SLOT) if make == "claim" else ("draft", None))
    assert db.connection.value("SELECT created_at FROM posts") == NOW.timestamp()
    assert db.archive.is_known_text("a B", NOW)


def test_what_an_intent_writes(db):
    """The time of the send, the newest tweet before it, one attempt more, and the attempt itself."""
    put(db, "posted", "Before.", tweet_id=7)
    post = db.claim(draft(), SLOT, NOW)
    attempt = db.begin_send(post, "run", NOW + SECOND)
    now = db.post(post.id)
    assert (now.status, now.attempts, now.sent_at, now.since_id) == ("sending", 1, NOW + SECOND, 7)
    (row,) = db.connection.rows("SELECT * FROM attempts")
    assert (row["id"], row["post_id"], row["slot"], row["run_id"]) == (attempt, post.id, SLOT, "run")
    assert (row["started"], row["outcome"], row["kind"]) == ((NOW + SECOND).timestamp(), None, "post")


def test_an_intent_on_an_old_reading(db):
    """A post that was sent since it was read is not sent again by its reader."""
    post, attempt = sent(db)
    old = db.post(post.id)
    db.settle(post, attempt, SendResult(Outcome.NOT_SENT), NOW)
    assert db.begin_send(db.post(post.id), "run", NOW)
    db.settle(post, attempt + 1, SendResult(Outcome.NOT_SENT), NOW)
    assert db.begin_send(old, "run", NOW) is None
    assert db.post(post.id).status is Status.PENDING


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.DONE])
def test_what_an_answer_writes(db, outcome):
    """Only a tweet that was made has an id and a time of its own; only what was not sent keeps its proof."""
    post, attempt = sent(db)
    raw(db, "UPDATE posts SET absent = 2, absent_at = 9")
    made = outcome is Outcome.POSTED
    answer = SendResult(outcome, TWEET, 403, "why", "because", transaction_id="t", latency_ms=9)
    now = db.settle(post, attempt, answer, NOW + HOUR, 0.5)
    assert now.tweet_id == (TWEET if made else None)
    assert (now.posted_at, now.verified_at) == ((MADE, NOW + HOUR) if made else (None, None))
    assert now.sent_at == (None if outcome is Outcome.NOT_SENT else MADE if made else NOW)
    assert now.error_message == (None if made else "why: because")
    assert now.duplicate is (outcome is Outcome.DUPLICATE)
    assert (now.absent, now.absent_at is None) == ((2, False) if outcome is Outcome.NOT_SENT else (0, True))
    assert spent(db) == ([] if outcome in NOT_BILLED else [("post", 1, 0.5)])
    (row,) = db.connection.rows("SELECT * FROM attempts")
    assert tuple(row)[6:] == ((NOW + HOUR).timestamp(), outcome, 403, "why", "because", "t", 9)


def test_an_answer_belongs_to_its_attempt(db):
    """What an earlier attempt was answered stays."""
    post, attempt = sent(db)
    db.settle(post, attempt, SendResult(Outcome.NOT_SENT), NOW)
    attempt = db.begin_send(db.post(post.id), "run", NOW)
    db.settle(post, attempt, SendResult(Outcome.UNKNOWN), NOW)
    assert [row[0] for row in db.connection.rows("SELECT outcome FROM attempts")] == ["not_sent", "unknown"]


def test_an_answer_without_an_id_is_no_tweet(db):
    """The database refuses to call a post posted without its tweet id."""
    post, attempt = sent(db)
    with pytest.raises(sqlite3.IntegrityError, match="go together"):
        db.settle(post, attempt, SendResult(Outcome.POSTED), NOW)


def test_an_answer_without_a_price(db):
    """Where no price is named none is entered, when X answers or when the tweet is found."""
    for n, outcome in enumerate((Outcome.UNKNOWN, Outcome.REFUSED)):
        post, attempt = sent(db, n, f"2026-11-22T{n:02}:00Z")
        done = db.settle(post, attempt, SendResult(outcome), NOW)
        db.confirm_posted(done, Tweet(TWEET + n, ""), "timeline", NOW)
    assert spent(db) == [("post", 1, 0.0)] * 2


# ---- recovery --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "outcomes", "status", "slot"),
    [
        ({"slot": SLOT}, [], "pending", SLOT),
        ({"slot": SLOT, "approved_at": NOW}, ["later"], "pending", SLOT),
        ({"slot": NEXT}, [], "expired", NEXT),
        ({"slot": NEXT}, ["not_sent"], "expired", NEXT),
        ({"slot": NEXT}, ["later"], "approved", None),
        ({"slot": NEXT}, ["blocked"], "approved", None),
        ({"slot": NEXT, "approved_at": NOW}, [], "approved", None),
        ({"slot": NEXT, "approved_at": NOW}, ["not_sent"], "approved", None),
    ],
)
@pytest.mark.parametrize("also_sending", [False, True])
def test_what_was_left_pending(db, row, outcomes, status, slot, also_sending):
    """This slot's text stays; another slot's goes back to the queue if it came from there, else it expires."""
    other = put(db, "failed", "Other.", slot=THIRD)
    put_attempt(db, other, "later")
    if also_sending:
        put(db, "sending", "Third.")
    mine = put(db, "pending", **row)
    for outcome in outcomes:
        put_attempt(db, mine, outcome)
    db.recover(SLOT)
    assert (db.post(mine).status, db.post(mine).slot) == (status, slot)
    assert db.post(other).status is Status.FAILED


def test_what_was_left_sending(db):
    """It is unknown, whatever was counted before, with its attempt; answered attempts stay as they are."""
    posts = put_each(db, Status.PENDING)
    mine = posts.pop(Status.SENDING)
    raw(db, "UPDATE posts SET absent_at = 9 WHERE id = ?", mine)
    put_attempt(db, mine, "not_sent")
    put_attempt(db, mine, None)
    before = everything(db)
    assert [post.id for post in db.recover(SLOT)] == [mine]
    now, after = db.post(mine), everything(db)
    assert (now.status, now.absent, now.absent_at) == (Status.UNKNOWN, 0, None)
    assert now.error_message == "the run that sent it died"
    assert {i: after[i] for i in posts.values()} == {i: before[i] for i in posts.values()}
    rows = db.connection.rows("SELECT outcome, detail FROM attempts ORDER BY id")
    assert [tuple(row) for row in rows] == [("not_sent", None), ("unknown", "the run died")]


def test_nothing_to_recover_is_written(db):
    """Where nothing was left, a run does not wait for the right to write."""
    put_each(db, Status.SENDING, Status.PENDING)
    raw(db, "PRAGMA busy_timeout = 0")
    other = sqlite3.connect(db.connection.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert db.recover(SLOT) == []
    other.close()


# ---- the queue -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "taken"),
    [
        *(({"status": status}, True) for status in ("pending", "sending", "unknown", "unconfirmed")),
        ({"status": "unknown", "sent_at": NOW - 9 * DAY}, True),
        ({"status": "pending", "sent_at": NOW - 9 * DAY}, True),
        ({"status": "posted", "tweet_id": 5, "sent_at": NOW + SECOND}, True),
        ({"status": "posted", "tweet_id": 5, "sent_at": NOW}, False),
        *(({"status": status}, False) for status in ("draft", "approved", "rejected", "failed", "expired")),
        *(({"status": status, "content": "Other."}, False) for status in ("pending", "unknown")),
    ],
)
def test_which_approved_text_is_next(db, row, taken):
    """One whose words are on their way, may be on X, or were posted after a time waits on."""
    mine = put(db, "approved", approved_at=NOW)
    put(db, **{"approved_at": NOW + SECOND, **row})
    found = next_waiting(db, NOW)
    assert (found.id if found else None) == (None if taken else mine)


def test_the_order_of_approved_texts(db):
    """The one approved longest ago comes first, and of those at once the older row."""
    for n, seconds in enumerate((2, 1, 1)):
        put(db, "approved", f"Text {n}.", approved_at=NOW + seconds * SECOND)
    order = []
    while post := next_waiting(db, EVER):
        order.append(post.id)
        db.reject(post)
    assert order == [2, 3, 1]


def test_the_text_of_a_slot(db):
    """Only a text that is frozen for this slot is pending there."""
    put(db, "failed", "Other.", slot=NEXT)
    put(db, "pending", "Third.", slot=THIRD)
    mine = put(db, "pending", slot=SLOT)
    assert db.pending(SLOT).id == mine
    assert db.pending(NEXT) is None


def test_an_edit_makes_it_a_persons_text(db):
    """An edited text is a new draft of a person; nothing of the old one remains."""
    text = Draft("A b!", "model", "s", "Git", "Why?")
    post = db.add_draft(text, NOW)
    db.approve(post, NOW)
    raw(db, "UPDATE posts SET error_message = 'why'")
    assert db.post(post.id).approved_at == NOW
    assert db.edit(post, "Other words.")
    now = db.post(post.id)
    assert (now.content, now.origin, now.status) == ("Other words.", "person", "draft")
    assert (now.source_id, now.topic, now.opening, now.approved_at, now.error_message) == (None,) * 5
    assert db.archive.is_known_text("other words", EVER)
    assert not db.archive.is_known_text("a b", EVER)


def test_posts_in_a_state(db):
    """All of a state, the oldest first."""
    for n, status in enumerate(("draft", "unknown", "draft")):
        put(db, status, f"{n}")
    assert [post.id for post in db.with_status(Status.DRAFT)] == [1, 3]
    assert (db.post(2).id, db.find_post(2).id, db.find_post(9)) == (2, 2, None)


def test_the_days_before_a_text_may_come_back(db):
    """They are kept as a note, which is written only when they change."""
    db.keep_repeat_window(9)
    assert db.notes.get("repeat_after_days") == "9"
    written = db.connection.sqlite.total_changes
    db.keep_repeat_window(9)
    assert db.connection.sqlite.total_changes == written
    db.keep_repeat_window(0)
    assert db.notes.get("repeat_after_days") == "0"
    db.keep_repeat_window(0, timedelta(hours=1))
    assert db.notes.get("slot_minutes") == "60"


# ---- what a look at X says -------------------------------------------------------------------------------------


def test_what_a_found_tweet_writes(db):
    """The id and time of the tweet, who found it, and nothing of the error."""
    post = put(db, "unknown", slot=SLOT, error_message="why", sent_at=NOW)
    assert db.confirm_posted(db.post(post), Tweet(TWEET, ""), "timeline", NOW + HOUR)
    now = db.post(post)
    assert (now.status, now.tweet_id, now.posted_at, now.sent_at) == ("posted", TWEET, MADE, MADE)
    assert (now.error_message, now.resolved_by, now.verified_at) == (None, "timeline", NOW + HOUR)


@pytest.mark.parametrize(
    ("held", "slots", "taken", "slot"),
    [
        (SLOT, [NEXT], [], SLOT),
        (None, [], [], None),
        (None, [SLOT, NEXT], [], NEXT),
        (None, [SLOT, NEXT], [NEXT], SLOT),
        (None, [SLOT, NEXT], [NEXT, SLOT], None),
    ],
)
def test_the_slot_of_a_found_tweet(db, held, slots, taken, slot):
    """A post that had lost its slot gets that of its last attempt whose slot is free."""
    mine = put(db, "failed", slot=held)
    for n, other in enumerate([*taken, THIRD]):
        put_attempt(db, put(db, "failed", f"Other {n}.", slot=other), "refused", slot=other)
    for name in slots:
        put_attempt(db, mine, "refused", slot=name)
    put_attempt(db, put(db, "failed", "Last."), "refused", slot="2026-11-22T17:00Z")
    assert db.confirm_posted(db.post(mine), Tweet(TWEET, ""), "timeline", NOW)
    assert db.post(mine).slot == slot


@pytest.mark.parametrize(
    ("outcome", "ledger"),
    [
        ("refused", [("post", 1, 0.5)]),
        ("later", [("post", 1, 0.5)]),
        ("not_sent", [("post", 1, 0.5)]),
        ("unknown", []),
        ("duplicate", []),
    ],
)
def test_a_found_tweet_is_billed_once(db, outcome, ledger):
    """What was not entered when X answered is entered when the tweet is found, and only then."""
    post = put(db, "unknown")
    put_attempt(db, post, outcome)
    assert db.confirm_posted(db.post(post), Tweet(TWEET, ""), "timeline", NOW, 0.5)
    assert not db.confirm_posted(db.post(post), Tweet(TWEET, ""), "timeline", NOW, 0.5)
    assert spent(db) == ledger


def test_reads_that_do_not_show_it_are_counted(db):
    """Each that is evidence counts one; the earliest time of any is kept, by whatever clock."""
    post = db.post(put(db, "unknown"))
    for hours, absent, count, first in ((2, False, 0, 2), (1, True, 1, 1), (3, True, 2, 1)):
        now = db.record_look(post, NOW + hours * HOUR, absent=absent)
        assert (now.absent, now.absent_at) == (count, NOW + first * HOUR)


@pytest.mark.parametrize(
    ("free_slot", "slot", "message"), [(True, None, "why"), (False, SLOT, "not on the timeline")]
)
def test_what_a_proof_of_absence_writes(db, free_slot, slot, message):
    """It is failed and was never sent; its slot is free if X had refused it, whose word then stays."""
    post = put(db, "unknown", slot=SLOT, absent=2, sent_at=NOW, error_message="why")
    db.prove_absent(db.post(post), "absent", free_slot=free_slot)
    now = db.post(post)
    assert (now.status, now.resolved_by, now.sent_at) == (Status.FAILED, "absent", None)
    assert (now.slot, now.error_message) == (slot, message)


def test_a_queued_text_was_never_sent(db):
    """It waits without a slot and without a time."""
    post = put(db, "unknown", slot=SLOT, absent=2, sent_at=NOW)
    db.queue_again(db.post(post))
    assert (db.post(post).status, db.post(post).slot, db.post(post).sent_at) == (Status.APPROVED, None, None)


@pytest.mark.parametrize(("attempts", "sent_at"), [((1, 2), NOW + 2 * HOUR), ((), NOW + 9 * HOUR)])
def test_what_taking_a_tweet_id_back_writes(db, attempts, sent_at):
    """The post is open under the time of its own last attempt, and nothing of the tweet remains."""
    columns = {"posted_at": "2026-11-22", "verified_at": NOW, "vanished_at": NOW, "resolved_by": "operator"}
    post = put(db, "posted", tweet_id=5, sent_at=NOW + 9 * HOUR, **columns)
    for hours in attempts:
        put_attempt(db, post, "refused", NOW + hours * HOUR)
    put_attempt(db, put(db, "failed", "Other."), "refused", NOW + 5 * HOUR)
    assert db.take_back(db.post(post))
    now = db.post(post)
    assert (now.status, now.tweet_id, now.sent_at) == (Status.UNCONFIRMED, None, sent_at)
    assert (now.posted_at, now.verified_at, now.vanished_at, now.resolved_by) == (None,) * 4
    assert now.error_message == "a person took the tweet id back"
