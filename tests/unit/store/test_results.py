"""Results on record: which posts are due, each read once, with its cost and how reading goes."""

import sqlite3
from datetime import timedelta

import pytest

from src.domain.fixes import Fix, command
from src.domain.results import Due, Figures, PostResult, Reading
from src.store.notes import put_note
from tests.support.stored import NOW, put

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
FIGURES = Figures(100, 5, 4, 3, 2, 1)


def sent(db, number, age, status="posted", **columns):
    """Put a post with a tweet of this age; return its id."""
    tweet = None if status != "posted" else number
    return put(db, status, f"Text {number}.", tweet_id=tweet, sent_at=NOW - age, **columns)


def booked(db):
    return [tuple(row) for row in db.connection.rows("SELECT kind, units, usd FROM spending")]


def test_which_are_due(db):
    """Posts that reached the age and are not much older, of the program's own, on X, without a result."""
    young, old = 7 * DAY - MINUTE, 15 * DAY
    due = [sent(db, 1, old - MINUTE), sent(db, 2, 7 * DAY)]
    sent(db, 3, young)
    sent(db, 4, old)
    sent(db, 5, 8 * DAY, "unknown")
    sent(db, 6, 8 * DAY, origin="import")
    sent(db, 7, 8 * DAY, resolved_by="undo")
    due.insert(1, sent(db, 8, 8 * DAY, origin="import", source_id="s-1"))
    due.insert(1, sent(db, 9, 9 * DAY, resolved_by="timeline"))
    read = sent(db, 10, 8 * DAY)
    db.results.record({read: FIGURES}, 0, 0.0, NOW - 2 * DAY)
    assert db.results.due(7, NOW) == [Due(post_id, db.post(post_id).tweet_id) for post_id in due]


def test_a_hundred_at_most(db):
    """No more are due at once than X shows in one request."""
    for number in range(1, 103):
        sent(db, number, 8 * DAY)
    assert len(db.results.due(7, NOW)) == 100


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (NOW - DAY, True),
        (NOW - DAY + 5 * MINUTE, True),
        (NOW - DAY + 6 * MINUTE, False),
        (NOW, False),
        (NOW + 5 * MINUTE, False),
        (NOW + 6 * MINUTE, True),
    ],
)
def test_once_a_day(db, last, due):
    """X is asked once a day, after a failure too; a time that lies ahead was set by a wrong clock."""
    sent(db, 1, 8 * DAY)
    db.results.record_failure("x", Fix(), 0, 0.0, last)
    assert bool(db.results.due(7, NOW)) is due


def test_damaged_notes(db):
    """A damaged note is as good as none."""
    sent(db, 1, 8 * DAY)
    with db.connection.transaction() as sqlite:
        put_note(sqlite, "results_asked_at", "x")
        put_note(sqlite, "results_reading", "[1]")
    assert len(db.results.due(7, NOW)) == 1
    assert db.results.reading() == Reading()


def test_what_a_read_leaves(db):
    """Figures, also empty ones, and the cost are kept; one that is there already stays as it was."""
    first, second = sent(db, 1, 8 * DAY), sent(db, 2, 7 * DAY)
    db.results.record({first: FIGURES}, 1, 0.001, NOW)
    db.results.record({first: Figures(), second: Figures()}, 1, 0.001, NOW + DAY)
    assert db.results.with_posts(NOW - 30 * DAY) == [
        (db.post(first), PostResult(first, NOW, 8 * DAY, FIGURES)),
        (db.post(second), PostResult(second, NOW + DAY, 8 * DAY, Figures())),
    ]
    assert [post.id for post, _ in db.results.with_posts(NOW - 7 * DAY)] == [second]
    assert set(db.results.of([first])) == {first}
    assert db.results.of([]) == {}
    assert booked(db) == [("results", 1, 0.001)] * 2


def test_failures_are_counted(db):
    """Failures in a row are counted with the last one's words and fix, and end with a good read."""
    fix = Fix("look at ", command("check"))
    db.results.record_failure("one", Fix(), 0, 0.0, NOW)
    db.results.record_failure("two", fix, 3, 0.003, NOW)
    assert db.results.reading() == Reading(2, "two", fix)
    assert booked(db) == [("results", 3, 0.003)]
    db.results.record({}, 0, 0.0, NOW)
    assert db.results.reading() == Reading()


@pytest.mark.parametrize("sql", ["UPDATE results SET likes = 9", "DELETE FROM results"])
def test_results_are_kept(db, sql):
    """The database refuses to change or delete a result."""
    db.results.record({sent(db, 1, 8 * DAY): FIGURES}, 0, 0.0, NOW)
    with pytest.raises(sqlite3.IntegrityError):
        db.connection.sqlite.execute(sql)
