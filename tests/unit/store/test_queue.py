"""The texts that wait: what each new one holds, and that each step changes its own text in its own states only."""

from datetime import timedelta

import pytest

from src.domain.posts import Status
from src.domain.texts import Draft
from tests.support.stored import NOW, everything, put

HOUR = timedelta(hours=1)
WAITING = {Status.DRAFT, Status.APPROVED}


def columns(db, names):
    """Return columns of the newest row."""
    return tuple(db.connection.rows(f"SELECT {names} FROM posts ORDER BY id DESC LIMIT 1")[0])


def put_each(db):
    """Insert a post in every state; return their ids."""
    return {
        status: put(db, status, f"A {status} text.", tweet_id=1 if status is Status.POSTED else None)
        for status in Status
    }


@pytest.mark.parametrize("not_before", [NOW + HOUR, None])
def test_an_own_text(db, not_before):
    """It needs nobody's approval, and waits for its time if it has one."""
    post = db.queue.add_own("Own words.", NOW, not_before)
    assert (post.content, post.status, post.approved_at) == ("Own words.", Status.APPROVED, NOW)
    now, later = NOW.timestamp(), not_before and not_before.timestamp()
    assert columns(db, "origin, created_at, queued_at, not_before, place") == (
        "person",
        now,
        now,
        later,
        None,
    )
    assert db.archive.is_known_text("own words", NOW)


@pytest.mark.parametrize("approved", [True, False])
@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (Draft("A b!", "model", "s", "Git", "Why?"), ("A b!", "model", "s", "Git", "Why?")),
        (Draft("A b!", "wording"), ("A b!", "wording", None, None, None)),
    ],
)
def test_a_text_written_ahead(db, approved, text, stored):
    """It waits for its turn or for a person, and nobody has approved it yet."""
    post = db.queue.add_written(text, NOW, approved=approved)
    assert (post.content, post.origin, post.source_id, post.topic, post.opening) == stored
    assert post.status is (Status.APPROVED if approved else Status.DRAFT)
    assert columns(db, "created_at, queued_at, approved_at") == (NOW.timestamp(), NOW.timestamp(), None)
    assert db.archive.is_known_text("a B", NOW)


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        ({}, 1),
        ({"approved_at": NOW}, 0),
        ({"queued_at": None}, 0),
        ({"attempts": 1}, 0),
        *(({"status": status}, 0) for status in ("draft", "rejected", "pending", "unknown", "failed")),
    ],
)
def test_which_texts_are_asked_about(db, row, asked):
    """Those that were written ahead and wait without an approval; none that was sent or that a person knows."""
    mine = put(db, **{"status": "approved", "queued_at": NOW, **row})
    before = db.post(mine).status
    assert db.queue.ask_for_all() == asked
    assert db.post(mine).status == (Status.DRAFT if asked else before)


@pytest.mark.parametrize(("not_before", "place"), [(NOW + HOUR, None), (None, -1.0), (None, None)])
def test_a_waiting_text_is_moved(db, not_before, place):
    """Only what waits gets a time or a place, and no other text changes."""
    posts, moved = put_each(db), set()
    db.connection.sqlite.execute("UPDATE posts SET not_before = 7, place = 7")
    for status, post in posts.items():
        before = everything(db)
        if db.queue.move(db.post(post), not_before, place):
            moved.add(status)
            kept = db.connection.rows("SELECT not_before, place FROM posts WHERE id = ?", post)[0]
            assert tuple(kept) == (not_before and not_before.timestamp(), place)
        assert {i for i, row in everything(db).items() if row != before[i]} == (
            {post} & set(posts[s] for s in moved)
        )
    assert moved == WAITING


@pytest.mark.parametrize(
    ("rows", "front"),
    [
        ([], -1),
        ([("approved", None)], -1),
        ([("approved", -3), ("approved", -2)], -4),
        ([("approved", -3), ("draft", -9)], -4),
        ([("draft", -9)], -1),
    ],
)
def test_the_place_before_all_others(db, rows, front):
    """It is before the first of the approved texts."""
    for status, place in rows:
        put(db, status, place=place)
    assert db.queue.front() == front


def test_a_rejection_is_taken_back(db):
    """A rejected text is a draft again; every other one stays as it is."""
    put(db, "rejected", "Another one.")
    posts, back = put_each(db), set()
    for status, post in posts.items():
        before = everything(db)
        if db.queue.take_back_rejection(db.post(post)):
            back.add(status)
        assert {i for i, row in everything(db).items() if row != before[i]} <= {post}
    assert back == {Status.REJECTED}
    assert db.post(posts[Status.REJECTED]).status is Status.DRAFT
