"""What the file itself refuses, whatever program writes to it: each rule, and how far it goes."""

import sqlite3
from datetime import timedelta

import pytest

from src.content.freshness import EVER
from src.domain.answers import Outcome, SendResult
from src.domain.posts import LEGAL_MOVES, Status
from tests.support.stored import NEXT, NOW, SLOT, TWEET, draft, next_waiting, posted, put, put_attempt, sent

STARTS = "a post starts as"
TOGETHER = "go together"
FINAL = "never changes"
FROZEN = "the text of a claimed post never changes"
AGAIN = "never sent again"
KEPT = "a slot is free only when"
QUEUED = "waits again only when"
REPEATED = "may not be sent again yet"
KILLED = "posts are never deleted"


def attempt(db, sql, *values):
    """Run SQL and return the words of the rule that refuses it, an empty text where none does."""
    try:
        db.connection.sqlite.execute(sql, values)
    except sqlite3.IntegrityError as error:
        return str(error)
    return ""


def check(db, words, sql, *values):
    """Assert that the rule with these words refuses the SQL; without words, that none does."""
    refusal = attempt(db, sql, *values)
    assert (words in refusal) if words else not refusal, refusal


# ---- new rows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "tweet_id", "words"),
    [
        ("draft", None, ""),
        ("approved", None, ""),
        ("pending", None, ""),
        ("posted", 5, ""),
        ("posted", None, STARTS),
        (None, None, STARTS),
        *((status, None, STARTS) for status in ("sending", "unknown", "unconfirmed", "failed", "expired")),
        ("rejected", None, STARTS),
        ("success", None, STARTS),
    ],
)
def test_how_a_post_starts(db, status, tweet_id, words):
    """A new row waits, or is on X under its id; nothing starts in the middle of a life."""
    check(db, words, "INSERT INTO posts(content, status, tweet_id) VALUES ('x', ?, ?)", status, tweet_id)


@pytest.mark.parametrize(
    ("column", "value", "refused"),
    [("slot", SLOT, True), ("slot", None, False), ("tweet_id", TWEET, True), ("tweet_id", None, False)],
)
def test_what_only_one_row_holds(db, column, value, refused):
    """A slot and a tweet belong to one row; rows without one are not in each other's way."""
    status = "posted" if value == TWEET else "draft"
    for _ in range(2):
        refusal = attempt(
            db, f"INSERT INTO posts(content, status, {column}) VALUES ('x', ?, ?)", status, value
        )
    assert refusal == (f"UNIQUE constraint failed: posts.{column}" if refused else "")


@pytest.mark.parametrize(("status", "refused"), [("sending", True), ("unknown", False), ("draft", False)])
def test_one_post_is_being_sent(db, status, refused):
    """Two posts cannot be `sending` at the same time, and in other states there are many."""
    put(db, status)
    if refused:
        with pytest.raises(sqlite3.IntegrityError, match="posts.status"):
            put(db, status, "Other.")
    else:
        put(db, status, "Other.")


# ---- moves -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old", Status)
def test_only_legal_moves(db, old):
    """From every state, SQL may move a post exactly where LEGAL_MOVES allows; the two lists are one."""
    put(db, old, tweet_id=5 if old is Status.POSTED else None, absent=2)
    allowed = set()
    for new in Status:
        db.connection.sqlite.execute("BEGIN")
        tweet_id = 5 if new is Status.POSTED else None
        refusal = attempt(db, "UPDATE posts SET status = ?, tweet_id = ?", new, tweet_id)
        db.connection.sqlite.execute("ROLLBACK")
        assert "not a legal move" in refusal or old is Status.POSTED or not refusal
        if not refusal:
            allowed.add(new)
    assert allowed == {old, *LEGAL_MOVES[old]}


@pytest.mark.parametrize("status", [None, "success"])
def test_no_move_leads_out_of_the_states(db, status):
    """A state that this program does not know, or none, is no state."""
    put(db, "unknown")
    check(db, "not a legal move", "UPDATE posts SET status = ?", status)


@pytest.mark.parametrize(
    ("row", "change", "words"),
    [
        ({"status": "unknown"}, "status = 'posted'", TOGETHER),
        ({"status": "unknown", "origin": None}, "status = 'posted'", TOGETHER),
        ({"status": "unknown", "origin": "seed"}, "status = 'posted'", ""),
        ({"status": "unknown"}, "status = 'posted', tweet_id = 5", ""),
        ({"status": "unknown"}, "tweet_id = 5", TOGETHER),
        ({"status": "unknown"}, "topic = 'x'", ""),
        ({"status": "posted", "tweet_id": 5}, "topic = 'x'", ""),
        ({"status": "posted", "tweet_id": 5}, "status = 'unconfirmed'", TOGETHER),
        ({"status": "posted", "tweet_id": 5}, "status = 'unconfirmed', tweet_id = NULL", ""),
        ({"status": "posted", "tweet_id": 5}, "tweet_id = 5", ""),
        ({"status": "posted", "tweet_id": 5}, "tweet_id = 6", FINAL),
        ({"status": "posted", "tweet_id": 5, "origin": "seed"}, "tweet_id = NULL", FINAL),
    ],
)
def test_a_posted_row_and_its_tweet_id(db, row, change, words):
    """Posted and a tweet id go together; the id changes only where a person takes it back."""
    put(db, **row)
    check(db, words, f"UPDATE posts SET {change}")


@pytest.mark.parametrize(
    ("row", "content", "words"),
    [
        ({"status": "draft"}, "Other.", ""),
        ({"status": "approved"}, "Other.", ""),
        ({"status": "draft", "slot": SLOT}, "Other.", FROZEN),
        ({"status": "approved", "attempts": 1}, "Other.", FROZEN),
        ({"status": "rejected"}, "Other.", FROZEN),
        ({"status": "pending"}, "Other.", FROZEN),
        ({"status": "pending", "slot": SLOT, "attempts": 1}, "Text.", ""),
    ],
)
def test_the_text_of_a_claimed_post(db, row, content, words):
    """A text changes only while it is a draft that never had a slot and was never sent."""
    put(db, **row)
    check(db, words, "UPDATE posts SET content = ?", content)


def test_posts_are_kept(db):
    """No post is deleted, in whatever state."""
    put(db, "rejected")
    check(db, KILLED, "DELETE FROM posts")


def test_an_attempt_belongs_to_a_post(db):
    """There is no attempt to send a post that does not exist."""
    check(db, "FOREIGN KEY", "INSERT INTO attempts(post_id, started) VALUES (99, 0)")


# ---- slots -----------------------------------------------------------------------------------------------------

UNKNOWN = {"status": "unknown", "slot": SLOT}
PENDING = {"status": "pending", "slot": SLOT}


@pytest.mark.parametrize(
    ("row", "change", "words"),
    [
        ({"status": "approved"}, f"status = 'pending', slot = '{SLOT}'", ""),
        (PENDING, f"status = 'sending', slot = '{SLOT}'", ""),
        (PENDING, "status = 'approved', slot = NULL", ""),
        (PENDING, f"status = 'approved', slot = '{NEXT}'", KEPT),
        (PENDING, "slot = NULL", KEPT),
        (PENDING, f"slot = '{NEXT}'", KEPT),
        (PENDING | {"absent": 2}, "status = 'expired', slot = NULL", KEPT),
        (UNKNOWN | {"absent": 2}, "status = 'approved', slot = NULL", ""),
        (UNKNOWN | {"absent": 2}, "status = 'failed', slot = NULL", ""),
        (UNKNOWN | {"absent": 3}, "status = 'failed', slot = NULL", ""),
        (UNKNOWN | {"absent": 1}, "status = 'failed', slot = NULL", KEPT),
        (UNKNOWN | {"absent": 2}, f"status = 'failed', slot = '{NEXT}'", KEPT),
        (UNKNOWN | {"absent": 2}, "status = 'unconfirmed', slot = NULL", KEPT),
        (UNKNOWN | {"absent": 2, "status": "unconfirmed"}, "status = 'failed', slot = NULL", KEPT),
    ],
)
def test_a_slot_is_kept(db, row, change, words):
    """A slot is free again only if the text never left, or if two reads prove that no tweet was made."""
    put(db, **row)
    check(db, words, f"UPDATE posts SET {change}")


@pytest.mark.parametrize(
    ("status", "absent", "new", "words"),
    [
        ("unknown", 0, "approved", QUEUED),
        ("unknown", 1, "approved", QUEUED),
        ("unknown", 2, "approved", ""),
        ("unknown", 3, "approved", ""),
        ("unknown", 0, "failed", ""),
        ("draft", 0, "approved", ""),
    ],
)
def test_a_text_waits_again(db, status, absent, new, words):
    """A text that may be on X goes back to the queue only after two reads that did not show it."""
    put(db, status, absent=absent)
    check(db, words, "UPDATE posts SET status = ?", new)


# ---- sends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "absent", "words"),
    [
        ([], 0, ""),
        (["not_sent"], 0, ""),
        (["not_sent", "not_sent"], 0, ""),
        (["later"], 2, ""),
        (["blocked"], 2, ""),
        (["blocked"], 3, ""),
        (["later"], 1, AGAIN),
        (["blocked"], 1, AGAIN),
        (["not_sent", "unknown"], 0, AGAIN),
        (["later", "unknown"], 2, AGAIN),
        (["refused"], 2, AGAIN),
        (["duplicate"], 2, AGAIN),
        (["posted"], 2, AGAIN),
        ([None], 2, AGAIN),
    ],
)
def test_one_send_per_text(db, outcomes, absent, words):
    """A post is sent again only if nothing left, or if X refused the account and the tweet is proven absent."""
    post = put(db, "pending", absent=absent, attempts=len(outcomes))
    for outcome in outcomes:
        put_attempt(db, post, outcome)
    check(db, words, "UPDATE posts SET status = 'sending', attempts = attempts + 1")


@pytest.mark.parametrize("change", ["attempts = attempts", "attempts = attempts - 1"])
def test_what_is_no_send(db, change):
    """Only one attempt more is a send."""
    put_attempt(db, put(db, "pending", attempts=1), "unknown")
    check(db, "", f"UPDATE posts SET {change}")


@pytest.mark.parametrize("kind", ["post", "delete"])
def test_a_send_of_another_post(db, kind):
    """What became of another post, or of another request, forbids nothing."""
    post, other = put(db, "pending"), put(db, "unknown", "Other.")
    put_attempt(db, other if kind == "post" else post, "unknown", kind=kind)
    check(db, "", f"UPDATE posts SET attempts = attempts + 1 WHERE id = {post}")


# ---- texts -----------------------------------------------------------------------------------------------------

TAKING = ("pending", "sending", "unknown", "unconfirmed", "posted")
PENDING_SQL = "INSERT INTO posts(content, status, slot, fingerprint) VALUES ('x', 'pending', ?, ?)"


def claims(db, slot, mark="f"):
    """Return what refuses a new row of this text, and an approved one; both must agree."""
    db.connection.sqlite.execute("BEGIN")
    new = attempt(db, PENDING_SQL, slot, mark)
    db.connection.sqlite.execute("ROLLBACK")
    waiting = put(db, "approved", fingerprint=mark)
    again = attempt(db, "UPDATE posts SET status = 'pending', slot = ? WHERE id = ?", slot, waiting)
    assert again == new
    return new


@pytest.mark.parametrize("status", Status)
def test_which_rows_take_their_text(db, status):
    """A text is taken while it is on its way, and when it may be on X, for ever without a note of days."""
    put(db, status, fingerprint="f", sent_at=0, tweet_id=5 if status is Status.POSTED else None)
    assert (REPEATED in claims(db, SLOT)) is (status in TAKING)


@pytest.mark.parametrize(
    ("mark", "origin", "taken"), [("f", "wording", True), ("f", "seed", False), ("g", "wording", False)]
)
def test_whose_text_is_taken(db, mark, origin, taken):
    """Another text is free, and a row of the original program does not bind by its text."""
    put(db, "unknown", fingerprint="f", origin=origin)
    assert (REPEATED in claims(db, SLOT, mark)) is taken


@pytest.mark.parametrize(
    ("days", "slot", "taken"),
    [
        (None, "2036-11-22T14:00Z", True),
        (0, "2036-11-22T14:00Z", True),
        (1, "2026-11-22T13:59Z", True),
        (1, "2026-11-22T14:00Z", False),
        (2, "2026-11-23T13:59Z", True),
        (2, "2026-11-23T14:00Z", False),
        (101, "2027-03-02T13:59Z", True),
        (101, "2027-03-02T14:00Z", False),
        (2, None, True),
    ],
)
@pytest.mark.parametrize("approved", [False, True])
def test_a_text_comes_back_after_its_days(db, days, slot, taken, approved):
    """It is free for slots that begin a slot's length (a day here) before the days are over, never without one."""
    if days is not None:
        db.keep_repeat_window(days)
    sent_at = NOW.replace(minute=0)
    put(db, "posted", fingerprint="f", sent_at=sent_at, tweet_id=5)
    if approved:
        put(db, "approved", fingerprint="f")
        sql, values = "UPDATE posts SET status = 'pending', slot = ? WHERE status = 'approved'", (slot,)
    else:
        sql, values = PENDING_SQL, (slot, "f")
    check(db, REPEATED if taken else "", sql, *values)


@pytest.mark.parametrize(
    ("minutes", "slot", "taken"),
    [
        (None, "2026-11-23T13:59Z", True),
        (None, "2026-11-23T14:00Z", False),
        ("60", "2026-11-24T12:59Z", True),
        ("60", "2026-11-24T13:00Z", False),
    ],
)
def test_how_much_earlier_a_text_is_free(db, minutes, slot, taken):
    """By the length of a slot, and by a day where no note says how long slots are."""
    db.notes.put(repeat_after_days="2", slot_minutes=minutes)
    put(db, "posted", fingerprint="f", sent_at=NOW.replace(minute=0), tweet_id=5)
    assert (REPEATED in claims(db, slot)) is taken


@pytest.mark.parametrize("status", ["sending", "unknown", "unconfirmed", "pending"])
def test_no_days_free_an_open_text(db, status):
    """However long ago it was sent: while nobody knows of it, no other row takes its text."""
    db.keep_repeat_window(1)
    put(db, status, fingerprint="f", sent_at=NOW)
    assert REPEATED in claims(db, "2036-11-22T14:00Z")


@pytest.mark.parametrize(
    ("row", "change"),
    [
        ({"status": "sending"}, "status = 'pending'"),
        ({"status": "approved"}, "status = 'rejected'"),
        ({"status": "draft"}, "status = 'approved'"),
    ],
)
def test_moves_that_a_taken_text_allows(db, row, change):
    """Only a new claim asks whether a text is taken: what was claimed goes on, and a draft is decided on."""
    put(db, "unknown", fingerprint="f")
    mine = put(db, fingerprint="f", **row)
    check(db, "", f"UPDATE posts SET {change} WHERE id = {mine}")


@pytest.mark.parametrize("status", ["draft", "approved"])
def test_a_taken_text_may_wait(db, status):
    """A draft of a text that is on X already is no claim."""
    put(db, "unknown", fingerprint="f")
    check(db, "", "INSERT INTO posts(content, status, fingerprint) VALUES ('x', ?, 'f')", status)


# ---- the same, through the program -----------------------------------------------------------------------------


@pytest.mark.parametrize("approved", [True, False])
@pytest.mark.parametrize(
    ("window", "minutes", "days", "claimed"),
    [
        (None, 60, 4000, False),
        (0, 60, 4000, False),
        (1, 60, 22 / 24, False),
        (1, 60, 1, True),
        (1, 1440, 23 / 24, True),  # the slot may be a day long, and the claim may come at its end
        (10, 60, 9, False),
        (10, 60, 10, True),
        (365, 60, 364.9, False),
        (365, 60, 366, True),
    ],
)
def test_a_text_comes_back_after_its_window(db, window, minutes, days, claimed, approved):
    """The database refuses a text that was posted within the days that it stores, less the length of a slot."""
    if window is not None:
        db.keep_repeat_window(window, timedelta(minutes=minutes))
    post, number = sent(db)
    db.settle(post, number, posted(), NOW)
    later = db.post(post.id).sent_at + timedelta(days=days)
    slot = f"{later:%Y-%m-%dT%H}:00Z"
    if not approved:
        assert bool(db.claim(draft(1), slot, later)) is claimed
        return
    again = db.add_draft(draft(1), later)
    db.approve(again, later)
    assert bool(db.claim_approved(db.post(again.id), slot)) is claimed
    if window:
        found = next_waiting(db, later - timedelta(days=window))
        assert (found is None) == (claimed or days < window)


@pytest.mark.parametrize("outcome", [Outcome.LATER, Outcome.BLOCKED])
def test_refused_for_the_account(db, outcome):
    """The database lets such a text wait again, and be sent again, only when it is proven absent each time."""
    post, number = sent(db)
    for count in range(1, 4):
        db.settle(post, number, SendResult(outcome), NOW)
        with pytest.raises(sqlite3.IntegrityError, match="proven that no tweet was made"):
            db.queue_again(post)
        with pytest.raises(sqlite3.IntegrityError, match="proven that no tweet was made"):
            db.prove_absent(post, "absent", free_slot=True)
        db.record_look(post, NOW, absent=True)
        db.record_look(post, NOW, absent=True)
        db.queue_again(post)
        assert (db.post(post.id).status, db.post(post.id).slot) == (Status.APPROVED, None)
        assert db.claim_approved(next_waiting(db, EVER), SLOT).id == post.id
        number = db.begin_send(db.post(post.id), "run", NOW)
        assert db.post(post.id).attempts == count + 1
        db.settle(post, number, SendResult(Outcome.NOT_SENT), NOW)
        number = db.begin_send(db.post(post.id), "run", NOW)
        assert number  # what was not sent needs no new proof
        db.connection.sqlite.execute("UPDATE posts SET attempts = ?", (count + 1,))
    db.settle(post, number, SendResult(Outcome.UNKNOWN), NOW)
    db.record_look(post, NOW, absent=True)
    db.record_look(post, NOW, absent=True)
    db.queue_again(post)
    assert db.claim_approved(next_waiting(db, EVER), SLOT).id == post.id
    with pytest.raises(sqlite3.IntegrityError, match="never sent again"):
        db.begin_send(db.post(post.id), "run", NOW)
