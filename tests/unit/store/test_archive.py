"""Reads over all posts: each counts the rows that it should, up to the second, and no others."""

from datetime import UTC, datetime, timedelta

import pytest

from src.content.freshness import EVER
from src.domain.answers import Outcome, SendResult, Tweet
from src.domain.errors import StorageError
from src.domain.posts import MAY_BE_ON_X, Status
from tests.support.stored import NEXT, NOW, SLOT, TWEET, draft, posted, put, put_attempt, sent

HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
MONTH = datetime(2026, 11, 1, tzinfo=UTC)
YESTERDAY = "2026-11-21T14:00Z"
NOT_POSTED = tuple(Status(status) for status in Status if status is not Status.POSTED)


def put_all(db, rows):
    """Insert rows, each with a text and, where it is posted, a tweet id of its own; return their ids."""
    made = []
    for n, row in enumerate(rows):
        own = {"tweet_id": n + 1} if row.get("status") == "posted" and row.get("origin") != "seed" else {}
        made.append(put(db, **{"content": f"Text {n}.", **own, **row}))
    return made


# ---- what slot, day and month have used ------------------------------------------------------------------------


def test_the_state_of_the_slot(db):
    """It is that of the post of this slot, and none where no post has it."""
    put_all(db, [{"status": "failed", "slot": NEXT}, {"status": "unknown", "slot": SLOT}])
    assert db.archive.usage(SLOT, NOW).slot_status is Status.UNKNOWN
    assert db.archive.usage(YESTERDAY, NOW).slot_status is None


@pytest.mark.parametrize(
    ("rows", "ago"),
    [
        ([], None),
        ([{"status": status, "sent_at": NOW - HOUR} for status in MAY_BE_ON_X], HOUR),
        ([{"status": "posted", "sent_at": NOW - n * HOUR} for n in (3, 1, 2)], HOUR),
        ([{"status": "unknown", "sent_at": NOW - HOUR}, {"status": "failed", "sent_at": NOW}], HOUR),
        ([{"status": "unknown", "sent_at": NOW - HOUR}, {"status": "expired", "sent_at": NOW}], HOUR),
        ([{"status": "posted", "origin": "seed"}], None),
        ([{"status": "unknown", "sent_at": NOW + DAY}], -DAY),
        ([{"status": "unknown", "sent_at": NOW + DAY + SECOND}], None),
        ([{"status": "posted", "sent_at": NOW + DAY + SECOND}], -DAY - SECOND),
    ],
)
def test_the_last_post(db, rows, ago):
    """The last post is or may be on X; where X gave no id, our own clock is believed for a day ahead."""
    put_all(db, rows)
    assert db.archive.usage(SLOT, NOW).last_sent == (None if ago is None else NOW - ago)


@pytest.mark.parametrize(
    ("row", "counted"),
    [
        ({}, 1),
        ({"sent_at": NOW - DAY + SECOND}, 1),
        ({"sent_at": NOW - DAY}, 0),
        ({"sent_at": NOW - 3 * DAY}, 0),
        ({"status": "failed"}, 0),
        ({"status": "unknown"}, 1),
        ({"slot": "2026-11-22T13:05Z"}, 1),
        ({"slot": "2026-11-21T14:05Z"}, 0),
        ({"slot": "2026-11-21T14:06Z"}, 1),
        ({"origin": None}, 1),
        ({"origin": "import"}, 0),
        ({"origin": "import", "source_id": "s"}, 1),
        ({"origin": "import", "source_id": "s", "sent_at": NOW - DAY}, 0),
        ({"origin": "wording", "source_id": "s"}, 1),
    ],
)
def test_the_posts_of_a_day(db, row, counted):
    """Posts of 24 hours count, but not that of this slot a day ago, and not what a person posted."""
    put_all(db, [{"status": "posted", "sent_at": NOW - HOUR, **row}])
    assert db.archive.usage("2026-11-22T14:05Z", NOW).sent_24h == counted


@pytest.mark.parametrize(
    ("at", "kind", "day", "month"),
    [
        (NOW - HOUR, "post", 0.5, 0.5),
        (NOW - HOUR, "import", 0, 0),
        (NOW - DAY + SECOND, "read", 0.5, 0.5),
        (NOW - DAY, "read", 0, 0.5),
        (MONTH, "read", 0, 0.5),
        (MONTH - SECOND, "read", 0, 0),
    ],
)
def test_what_was_spent(db, at, kind, day, month):
    """The ledger of 24 hours, and of the month from its first moment on; the account's history is not in it."""
    db.journal.spend(at, kind, 1, 0.5)
    usage = db.archive.usage(SLOT, NOW)
    assert (usage.spent_24h, usage.spent_month) == (day, month)


# ---- what a new text must be fresh against ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "days", "recent"),
    [
        ({"created_at": NOW - HOUR}, 0, True),
        ({"created_at": NOW - DAY}, 0, False),
        ({"created_at": NOW - 1.5 * DAY}, 0, False),
        ({"created_at": NOW - 1.5 * DAY}, 2, True),
        ({"created_at": NOW - 30 * DAY}, 30, False),
        ({"created_at": NOW - 90 * DAY, "sent_at": NOW - 29 * DAY}, 30, True),
        ({"created_at": NOW - 90 * DAY, "sent_at": NOW - 30 * DAY}, 30, False),
        ({"created_at": NOW - 90 * DAY}, 30, False),
        ({"created_at": NOW - HOUR, "status": "expired"}, 30, False),
        ({"created_at": NOW - HOUR, "status": "rejected"}, 30, False),
        ({"created_at": NOW - HOUR, "status": "failed"}, 30, True),
    ],
)
def test_recent_texts(db, row, days, recent):
    """Texts made or sent within the cool-down, at least a day, with their openings; no dropped ones."""
    put(db, **{"status": "unknown", "opening": "Why?", **row})
    history = db.archive.content_history(NOW, days)
    assert (history.texts, history.openings) == ((("Text.",), ("Why?",)) if recent else ((), ()))


def test_the_order_of_recent_texts(db):
    """Texts, openings and topics are newest first; a row without an opening or a topic has none."""
    for n, opening, topic in ((1, "A?", "Git"), (2, None, None), (3, "B?", "SQL")):
        put(db, "draft", f"{n}", opening=opening, topic=topic, created_at=NOW)
    history = db.archive.content_history(NOW, 1)
    assert history.texts == ("3", "2", "1")
    assert history.openings == ("B?", "A?")
    assert history.topics == ("SQL", "Git")


@pytest.mark.parametrize(("status", "looked_at"), [("draft", 1), ("expired", 0), ("rejected", 0)])
def test_topics_of_any_age(db, status, looked_at):
    """A topic counts however long ago it was used, but not that of a dropped text."""
    put(db, status, topic="Git", created_at=EVER)
    assert db.archive.content_history(NOW, 30).topics == ("Git",) * looked_at


def test_how_many_topics_are_looked_at(db):
    """Of a long history only the newest topics are read."""
    db.connection.sqlite.execute(
        "INSERT INTO posts(content, status, topic) WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= 2000) SELECT 'x', 'draft', i FROM n"
    )
    topics = db.archive.content_history(NOW, 30).topics
    assert (len(topics), topics[0], topics[-1]) == (2000, "2001", "2")


@pytest.mark.parametrize(
    ("row", "days", "used"),
    [
        ({"created_at": NOW - 10 * DAY}, 30, NOW - 10 * DAY),
        ({"created_at": NOW - 10 * DAY, "sent_at": NOW - DAY}, 30, NOW - DAY),
        ({"created_at": NOW - 365 * DAY}, 30, NOW - 365 * DAY),
        ({"created_at": NOW - 366 * DAY}, 30, None),
        ({"created_at": NOW - 366.5 * DAY}, 30, None),
        ({"created_at": NOW - 399 * DAY}, 400, NOW - 399 * DAY),
        ({"created_at": NOW - 900 * DAY, "sent_at": NOW - 366 * DAY}, 30, None),
        ({"created_at": NOW - 900 * DAY, "sent_at": NOW - 365 * DAY}, 30, NOW - 365 * DAY),
        ({"created_at": NOW - DAY, "status": "expired"}, 30, None),
        ({"created_at": NOW - DAY, "status": "rejected"}, 30, None),
        ({"created_at": NOW - DAY, "source_id": None}, 30, None),
    ],
)
def test_when_a_statement_was_used(db, row, days, used):
    """Within a year, or the cool-down if it is longer, the last send counts, or the making where none was."""
    put(db, **{"status": "unknown", "source_id": "s", **row})
    assert db.archive.content_history(NOW, days).last_used == ({"s": used} if used else {})


def test_the_last_use_counts(db):
    """Of two uses of a statement the later one counts, whichever row is older."""
    for sent_at in (NOW - HOUR, NOW - DAY):
        put(db, "failed", source_id="s", created_at=NOW - 9 * DAY, sent_at=sent_at)
    assert db.archive.content_history(NOW, 30).last_used == {"s": NOW - HOUR}


def test_a_long_cooldown_is_remembered(db):
    """A statement used over a year ago is known while its cool-down lasts; so is one whose draft waited long."""
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


@pytest.mark.parametrize(
    ("rows", "texts"),
    [
        ([{"status": "posted", "sent_at": NOW}], {"s": {"Text.": NOW}}),
        ([{"status": "approved", "created_at": NOW}], {"s": {"Text.": NOW}}),
        ([{"status": "unknown", "created_at": NOW - DAY, "sent_at": NOW}], {"s": {"Text.": NOW}}),
        ([{"status": "unknown"}], {"s": {"Text.": datetime.fromtimestamp(0, UTC)}}),
        (
            [{"status": "unknown", "sent_at": NOW}, {"status": "unknown", "sent_at": NOW - DAY}],
            {"s": {"Text.": NOW}},
        ),
        (
            [{"status": "unknown", "sent_at": NOW}, {"status": "draft", "created_at": NOW, "content": "B"}],
            {"s": {"Text.": NOW, "B": NOW}},
        ),
        ([{"status": "unknown", "source_id": None}], {}),
        ([{"status": "failed"}, {"status": "expired"}, {"status": "rejected"}], {}),
    ],
)
def test_the_texts_of_a_statement(db, rows, texts):
    """Texts that are or may be on X or wait for it, each with its last send or the time it was made."""
    put_all(db, [{"content": "Text.", "source_id": "s", **row} for row in rows])
    assert db.archive.sent_texts() == texts
    assert db.archive.content_history(NOW, 30).sent == texts


@pytest.mark.parametrize(
    ("status", "known"),
    [
        *((status, True) for status in ("draft", "approved", "pending", "sending", "unknown", "unconfirmed")),
        *((status, False) for status in ("failed", "expired", "rejected")),
    ],
)
def test_which_texts_are_known(db, status, known):
    """A text that waits or may be on X is known whenever it was sent; a dropped one is not."""
    put(db, status, "Known.", sent_at=EVER)
    assert db.archive.is_known_text("known", NOW) is known
    assert not db.archive.is_known_text("other", EVER)


@pytest.mark.parametrize(("since", "known"), [(NOW - SECOND, True), (NOW, False)])
def test_a_posted_text_is_known_for_a_time(db, since, known):
    """A text that was posted is known to those who ask for a time before it."""
    put(db, "posted", "Known.", sent_at=NOW, tweet_id=5)
    assert db.archive.is_known_text("Known!", since) is known


# ---- posts in order --------------------------------------------------------------------------------------------


def test_the_last_posts(db):
    """The history has the newest rows, whatever their state, as many as asked for."""
    made = put_all(db, [{"status": "draft"}, {"status": "failed"}, {"status": "unknown"}])
    assert [post.id for post in db.archive.history(2)] == made[:0:-1]


def test_the_last_sent_posts(db):
    """They are or may be on X, and were sent at a known time; the last sent comes first."""
    made = put_all(
        db,
        [
            {"status": "unknown", "sent_at": NOW},
            {"status": "posted", "sent_at": NOW - HOUR},
            {"status": "unconfirmed", "sent_at": NOW + HOUR},
            {"status": "failed", "sent_at": NOW},
            {"status": "expired", "sent_at": NOW},
            {"status": "posted", "origin": "seed"},
        ],
    )
    assert [post.id for post in db.archive.sent_posts(9)] == [made[2], made[0], made[1]]
    assert [post.id for post in db.archive.sent_posts(1)] == [made[2]]


def test_slots_from_a_time_on(db):
    """The slots that begin at the time or later, each with the state of its post."""
    put_all(
        db,
        [
            {"status": "failed", "slot": "2026-11-22T14:00Z"},
            {"status": "posted", "slot": "2026-11-22T14:01Z"},
            {"status": "unknown", "slot": "2026-11-22T15:00Z"},
            {"status": "draft"},
        ],
    )
    assert db.archive.slots_since(NOW.replace(minute=1)) == {
        "2026-11-22T14:01Z": Status.POSTED,
        "2026-11-22T15:00Z": Status.UNKNOWN,
    }


@pytest.mark.parametrize(
    ("rows", "newest"),
    [
        ([], None),
        ([{"status": "posted", "sent_at": NOW - n * HOUR} for n in (2, 1, 3)], 1),
        ([{"status": "posted", "sent_at": NOW}, {"status": "unknown", "sent_at": NOW + HOUR}], 0),
        ([{"status": "posted", "origin": "seed"}], None),
        ([{"status": status, "sent_at": NOW} for status in NOT_POSTED], None),
    ],
)
def test_the_last_tweet(db, rows, newest):
    """Of the posts that are on X at a known time, the one sent last."""
    made = put_all(db, rows)
    found, time = db.archive.last_tweet(), db.archive.last_posted()
    assert (found.id if found else None) == (None if newest is None else made[newest])
    assert time == (found.sent_at if found else None)


@pytest.mark.parametrize(("until", "last"), [(NOW, NOW), (NOW - SECOND, None), (None, NOW + 900 * DAY)])
def test_the_last_tweet_until_a_time(db, until, last):
    """A time after the one that is asked for counts for nothing; without one every time counts."""
    put_all(db, [{"status": "posted", "sent_at": at} for at in (NOW, NOW + 900 * DAY)])
    put_all(db, [{"status": "unknown", "sent_at": NOW - HOUR}])
    assert db.archive.last_posted(until) == last


def test_open_posts(db):
    """Those that nobody knows of, unknown before given up, each the oldest first; no old rows."""
    made = put_all(
        db,
        [
            {"status": "unconfirmed"},
            {"status": "unknown"},
            {"status": "unknown", "origin": None},
            {"status": "unconfirmed", "origin": "seed"},
            {"status": "posted"},
            {"status": "draft"},
        ],
    )
    assert db.archive.open_posts() == [made[1], made[2], made[0]]


@pytest.mark.parametrize(
    ("status", "outcomes", "listed"),
    [
        ("unknown", [], True),
        ("unknown", ["unknown"], True),
        ("unknown", [None], True),
        ("unknown", ["not_sent"], True),
        *(("unknown", [outcome], False) for outcome in ("refused", "duplicate", "later", "blocked")),
        ("unknown", ["refused", "unknown"], True),
        ("unknown", ["unknown", "refused"], False),
        ("unconfirmed", ["refused"], True),
        ("posted", ["unknown"], False),
        ("failed", ["unknown"], False),
    ],
)
def test_which_posts_are_unsettled(db, status, outcomes, listed):
    """Nobody knows of them; one that X refused last is left to the reads of the timeline."""
    other, mine = put_all(db, [{"status": "failed"}, {"status": status, "sent_at": NOW}])
    put_attempt(db, other, "refused")
    for outcome in outcomes:
        put_attempt(db, mine, outcome)
    put_attempt(db, other, "refused")
    assert [post.id for post in db.archive.unsettled()] == [mine] * listed


def test_the_order_of_unsettled_posts(db):
    """The oldest send comes first, and rows of the original program do not come."""
    rows = [{"status": "unknown", "sent_at": NOW - n * HOUR} for n in (1, 2)]
    made = put_all(db, [*rows, {"status": "unconfirmed", "origin": "seed"}])
    assert [post.id for post in db.archive.unsettled()] == [made[1], made[0]]


def test_returned_drafts(db):
    """Drafts with the reason of a refusal, the oldest first; not those that nobody refused."""
    made = put_all(
        db,
        [
            {"status": "draft", "error_message": "a"},
            {"status": "draft"},
            {"status": "approved", "error_message": "b"},
            {"status": "draft", "error_message": "c"},
        ],
    )
    assert [post.id for post in db.archive.returned_drafts()] == [made[0], made[3]]


def test_counts(db):
    """All posts count, and those of each state."""
    put_all(db, [{"status": "draft"}, {"status": "draft"}, {"status": "unknown"}])
    assert db.archive.count_posts() == 3
    assert db.archive.count_by_status() == {"draft": 2, "unknown": 1}


@pytest.mark.parametrize(
    ("states", "taken"),
    [
        ([], ""),
        ([None, None], 0),
        (["posted", None], 1),
        (["failed", None, None], 1),
        ([None, "pending"], 1),
        (["pending", None], 0),
        (["posted", "unknown"], 1),
    ],
)
def test_the_slot_that_a_run_takes(db, states, taken):
    """Of the open slots that of a text which waits, else the oldest free one, else the newest."""
    slots = [SLOT, NEXT, "2026-11-22T16:00Z"][: len(states)]
    put_all(
        db, [{"status": status, "slot": slot} for status, slot in zip(states, slots, strict=True) if status]
    )
    assert db.archive.slot_to_fill(slots) == (slots[taken] if states else "")
    assert [db.archive.holds_slot(slot) for slot in slots] == [status is not None for status in states]


@pytest.mark.parametrize(("slot", "sent"), [("2026-11-22T13:00Z", NOW - HOUR), (None, None)])
def test_the_last_post_of_a_slot(db, slot, sent):
    """The distance between posts counts from those of slots; an extra post and a person's tweet have none."""
    put_all(db, [{"status": "posted", "sent_at": NOW - HOUR, "slot": slot}])
    usage = db.archive.usage(SLOT, NOW)
    assert (usage.last_in_slot, usage.last_sent) == (sent, NOW - HOUR)


@pytest.mark.parametrize(("day_before", "counted"), [(None, 1), (NOW - timedelta(hours=23), 0)])
def test_the_slot_of_a_day_before_is_the_schedule_s(db, day_before, counted):
    """Where the clock springs forward the slot of a day before is 23 hours away, and no longer counts."""
    put_all(db, [{"status": "posted", "sent_at": NOW - timedelta(hours=23), "slot": "2026-11-21T15:00Z"}])
    assert db.archive.usage(SLOT, NOW, day_before).sent_24h == counted


# ---- the same, through the program -----------------------------------------------------------------------------


def test_questions(db):
    """What the rest of the program asks after one post: usage, history, canaries, known texts."""
    post, attempt = sent(db)
    assert db.archive.usage(SLOT, NOW).slot_status is Status.SENDING
    db.settle(post, attempt, posted(), NOW, 0.015)
    assert db.find_post(post.id).id == post.id
    assert db.find_post(99) is None
    with pytest.raises(StorageError, match="no post with id 99"):
        db.post(99)
    assert db.archive.slot_to_fill([SLOT, NEXT]) == NEXT
    assert db.tweets.known_tweet_ids(5) == [TWEET]
    made = Tweet(TWEET, "").at
    assert db.archive.is_known_text("text NUMBER 1!", EVER)
    assert db.archive.sent_texts() == {"s-1": {"Text number 1.": made}}
    assert db.archive.last_posted() == made
    assert db.archive.content_history(NOW, 30).last_used == {"s-1": made}


def test_an_uncertain_time_far_ahead_is_not_believed(db):
    """A send dated by a wrong clock a month ahead does not count as the last post."""
    post = db.claim(draft(), SLOT, NOW)
    db.begin_send(post, "run", NOW + timedelta(days=30))
    assert db.archive.usage(SLOT, NOW).last_sent is None
    assert db.archive.usage(SLOT, NOW + timedelta(days=29, hours=1)).last_sent == NOW + timedelta(days=30)


def test_an_uncertain_post_is_unsettled(db):
    """A post without an answer is unsettled from the moment that it is settled so."""
    post, attempt = sent(db)
    db.settle(post, attempt, SendResult(Outcome.UNKNOWN), NOW)
    assert [p.id for p in db.archive.unsettled()] == [post.id]
