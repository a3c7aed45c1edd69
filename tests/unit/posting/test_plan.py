"""What goes out when, as the list of the queue shows it."""

from datetime import UTC, datetime, timedelta

from src import config
from src.db_manager import empty_database
from src.domain.posts import Status
from src.posting.plan import plan
from tests.support.stored import NEXT, NOW, SLOT, draft, put

HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
THREE, FOUR, FIVE = (datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in (15, 16, 17))


def planned(db, now=NOW, **env):
    """Return the numbers of the texts with their times."""
    return [(step.post.id, step.at) for step in plan(db, config.load(env), now)]


def own(db, number, **times):
    return db.queue.add_own(f"Own text number {number} of a person.", NOW, **times).id


def test_one_text_takes_each_slot():
    """The open slot at once, then each slot as it opens, in the order of the queue."""
    db = empty_database(NOW)
    numbers = [own(db, n) for n in range(3)]
    assert planned(db) == list(zip(numbers, (NOW, THREE, FOUR), strict=True))
    assert planned(empty_database(NOW)) == []


def test_a_slot_that_a_post_holds():
    """It is passed over; a text that is frozen for its slot goes first, there."""
    db = empty_database(NOW)
    put(db, Status.UNKNOWN, "Sent.", slot=NEXT)
    pending = db.claim(draft(), SLOT, NOW).id
    waiting = own(db, 1)
    assert planned(db) == [(pending, NOW), (waiting, FOUR)]


def test_a_text_with_a_time():
    """It is planned for the first slot after its time; the others go before it."""
    db = empty_database(NOW)
    late, soon = own(db, 1, not_before=THREE + MINUTE), own(db, 2)
    assert planned(db) == [(soon, NOW), (late, FOUR)]


def test_the_gap_after_the_last_post():
    """A slot that is over before the gap since the last post has passed stays empty."""
    db = empty_database(NOW)
    put(db, Status.POSTED, "Sent.", slot="2026-11-22T13:00Z", tweet_id=7, sent_at=NOW - MINUTE)
    number = own(db, 1)
    (alone,) = planned(db)
    assert alone[0] == number
    gap = config.load({}).schedule.gap
    assert alone[1] == NOW - MINUTE + gap


def test_a_slot_that_opens_now():
    """It takes one text, and the next slot the next one."""
    db = empty_database(NOW)
    first, second = own(db, 1), own(db, 2)
    assert planned(db, THREE) == [(first, THREE), (second, FOUR)]


def test_the_gap_ends_with_the_slot():
    """A slot that ends when the gap does takes no text: the next one takes the first, and only that."""
    db = empty_database(NOW)
    now = THREE - 29 * MINUTE
    put(db, Status.POSTED, "Sent.", slot="2026-11-22T13:00Z", tweet_id=7, sent_at=THREE - 30 * MINUTE)
    first, second = own(db, 1), own(db, 2)
    assert planned(db, now) == [(first, THREE), (second, FOUR)]


def test_what_has_no_time_in_sight():
    """In a pause without an end no text has a time: the earliest first, by its own time or by now."""
    db = empty_database(NOW)
    db.notes.pause(NOW, None)
    late, soon, early = own(db, 1, not_before=NOW + DAY), own(db, 2), own(db, 3, not_before=NOW - DAY)
    assert planned(db) == [(early, None), (soon, None), (late, None)]


def test_how_far_the_plan_goes():
    """A text whose time lies more than 400 days ahead has none in the plan."""
    db = empty_database(NOW)
    near = own(db, 1, not_before=NOW + 399 * DAY)
    far = own(db, 2, not_before=NOW + 400 * DAY)
    env = {"POST_INTERVAL_MINUTES": "1440"}
    (first, at), (second, never) = planned(db, **env)
    assert (first, at.date(), second, never) == (near, (NOW + 400 * DAY).date(), far, None)
