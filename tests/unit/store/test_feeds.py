"""Feeds on record: an item becomes one post, stays for ever, and each question counts its own feed."""

import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from src.domain.errors import InjectedFault
from src.domain.feeds import Answer, Decision, FeedRecord, Item, ItemState, Validators
from src.domain.posts import Status
from src.system import failpoints
from tests.support.stored import NOW, everything, put

FEED, OTHER = "https://a.example/feed", "https://b.example/feed"
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def item(name, **fields):
    return Item(name, f"https://a.example/{name}", **{"keys": (f"id:{name}",), **fields})


def read(db, *decisions, feed=FEED, also_known=(), validators=None, at=NOW, detail=""):
    """Record a good read of a feed."""
    db.feeds.record_read(feed, decisions, also_known, validators or Validators(), at, at + HOUR, detail)


def queued(name, **fields):
    return Decision(item(name, **fields), ItemState.QUEUED, f"{name}.", approved=True)


def seen(name, **fields):
    return Decision(item(name, **fields), ItemState.SEEN)


def skipped(name, note="too-long", **fields):
    return Decision(item(name, **fields), ItemState.SKIPPED, note=note)


def titles(found):
    return [kept.item.title for kept in found]


# ---- which is due ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "pause", "due"),
    [
        (timedelta(minutes=-90), HOUR, True),
        (timedelta(minutes=5), HOUR, True),
        (timedelta(minutes=5, seconds=1), HOUR, False),
        (timedelta(days=1, minutes=5), HOUR, False),
        (timedelta(days=1, minutes=5, seconds=1), HOUR, True),
        (timedelta(days=7), timedelta(days=7), False),
    ],
)
def test_when_a_feed_is_due(ahead, pause, due):
    """A feed is due five minutes early, and where its next read lies further ahead than any pause."""
    record = FeedRecord(FEED, Validators(), NOW, NOW + ahead, 0, Answer.NEW, "", ended=False)
    assert record.is_due(NOW, pause) is due
    assert not replace(record, ended=True).is_due(NOW, pause)


def test_which_feeds_are_due(db):
    """Those never asked come first, then those that waited longest; the others and unlisted ones are left out."""
    for number, name in enumerate("dcba"):
        read(db, feed=f"https://{name}.example/", at=NOW - number * HOUR)
    feeds = [f"https://{name}.example/" for name in "cadz"]
    due = [record.address for record in db.feeds.due(feeds, NOW, HOUR)]
    assert due == ["https://z.example/", "https://a.example/", "https://c.example/"]


# ---- a read ----------------------------------------------------------------------------------------------------


def test_what_a_read_leaves(db):
    """The record of the feed says when it was read, what the server gave, and when it is due again."""
    assert db.feeds.records() == {}
    validators = Validators('"tag"', "Sun, 22 Nov 2026 14:00:00 GMT")
    read(db, feed=OTHER)
    read(db, validators=validators, detail="3 items")
    assert db.feeds.records()[FEED] == FeedRecord(
        FEED, validators, NOW, NOW + HOUR, 0, Answer.NEW, "3 items", ended=False
    )
    assert db.feeds.records()[OTHER].validators == Validators()


@pytest.mark.parametrize(
    ("answer", "read_at", "failures", "ended"),
    [
        (Answer.SAME, NOW + HOUR, 0, False),
        (Answer.FAILED, NOW, 3, False),
        (Answer.LATER, NOW, 3, False),
        (Answer.GONE, NOW, 3, True),
    ],
)
def test_an_answer_without_a_document(db, answer, read_at, failures, ended):
    """304 is as good as a document; all else counts as a failure, and 410 ends the feed."""
    validators = Validators('"tag"')
    read(db, validators=validators)
    read(db, feed=OTHER)
    for failed in (Answer.FAILED, Answer.FAILED):
        db.feeds.record_answer(FEED, failed, "why", NOW, NOW)
    db.feeds.record_answer(FEED, answer, "so", NOW + HOUR, NOW + 2 * HOUR)
    assert db.feeds.records()[FEED] == FeedRecord(
        FEED, validators, read_at, NOW + 2 * HOUR, failures, answer, "so", ended=ended
    )
    assert db.feeds.records()[OTHER] == FeedRecord(
        OTHER, Validators(), NOW, NOW + HOUR, 0, Answer.NEW, "", ended=False
    )
    read(db, at=NOW + 3 * HOUR)
    after = db.feeds.records()[FEED]
    assert (after.failures, after.ended, after.read_at) == (0, False, NOW + 3 * HOUR)


def test_the_first_answer_of_a_feed(db):
    """A feed that fails at first is on record, and was never read."""
    db.feeds.record_answer(FEED, Answer.FAILED, "why", NOW, NOW + HOUR)
    record = db.feeds.records()[FEED]
    assert (record.read_at, record.failures, record.ended) == (None, 1, False)
    assert FeedRecord.unread(FEED).answer is None


def test_a_feed_that_was_never_answered(db):
    """A row without an answer has none."""
    db.connection.sqlite.execute("INSERT INTO feeds(address) VALUES (?)", (FEED,))
    assert db.feeds.records() == {FEED: FeedRecord.unread(FEED)}


def test_a_read_is_whole_or_not_there(db):
    """What is broken off in the middle leaves nothing: the server sends the document again."""
    failpoints.arm("feed.before_commit:raise")
    try:
        with pytest.raises(InjectedFault):
            read(db, queued("a"))
        with pytest.raises(InjectedFault):
            db.feeds.record_answer(FEED, Answer.FAILED, "why", NOW, NOW)
    finally:
        failpoints.arm("")
    assert (db.feeds.records(), db.archive.count_posts()) == ({}, 0)


# ---- items -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decision", "status", "approved_at", "message"),
    [
        (Decision(item("a"), ItemState.QUEUED, "A text.", approved=True), Status.APPROVED, NOW, None),
        (Decision(item("a"), ItemState.QUEUED, "A text.", note="look"), Status.DRAFT, None, "look"),
    ],
)
def test_an_item_becomes_a_post(db, decision, status, approved_at, message):
    """Its text waits approved, or as a draft with what a person should know."""
    read(db, decision)
    post = db.post(1)
    assert (post.content, post.status, post.origin) == ("A text.", status, "feed")
    assert (post.approved_at, post.error_message) == (approved_at, message)
    assert db.connection.value("SELECT created_at FROM posts") == NOW.timestamp()
    assert db.archive.is_known_text("a text", NOW)
    assert db.feeds.item_of(1).state is ItemState.QUEUED


@pytest.mark.parametrize("decide", [seen, skipped])
def test_an_item_that_becomes_no_post(db, decide):
    """It is on record with the reason, and there is no post."""
    read(db, decide("a"))
    (kept,) = db.feeds.items(FEED, decide("a").state, 9)
    assert (kept.state, kept.reason, kept.post_id) == (decide("a").state, decide("a").note, None)
    assert db.archive.count_posts() == 0


@pytest.mark.parametrize("prerelease", [True, False])
@pytest.mark.parametrize("dated", [NOW - HOUR, None])
def test_an_item_comes_back_as_it_was(db, prerelease, dated):
    """All that the feed said of it is kept."""
    fields = {"summary": "S", "version": "1.2", "project": "P", "tags": ("x", "y"), "keys": ()}
    entry = item("a", dated=dated, prerelease=prerelease, **fields)
    read(db, Decision(entry, ItemState.SKIPPED, note="why"), at=NOW + HOUR)
    (kept,) = db.feeds.items(FEED, ItemState.SKIPPED, 9)
    assert kept.item == entry
    assert (kept.id, kept.feed, kept.seen_at, kept.reason) == (1, FEED, NOW + HOUR, "why")


def test_items_of_a_feed_in_a_state(db):
    """The newest first, as many as asked for, of this feed and in this state only."""
    read(db, skipped("a"), skipped("b"), seen("c"), skipped("d"))
    read(db, skipped("e"), feed=OTHER)
    assert titles(db.feeds.items(FEED, ItemState.SKIPPED, 9)) == ["d", "b", "a"]
    assert titles(db.feeds.items(FEED, ItemState.SKIPPED, 1)) == ["d"]
    assert db.feeds.counts(FEED) == {ItemState.SKIPPED: 3, ItemState.SEEN: 1}
    assert db.feeds.counts(OTHER) == {ItemState.SKIPPED: 1}


def test_the_latest_titles(db):
    """Those that came last, of this feed, two hundred by themselves."""
    read(db, seen("0"))
    columns = "feed, link, summary, version, project, tags, prerelease, seen_at, state"
    db.connection.sqlite.execute(
        f"INSERT INTO feed_items(title, {columns}) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
        f" FROM n WHERE i < 200) SELECT i, {columns} FROM n, feed_items"
    )
    read(db, seen("other"), feed=OTHER)
    assert db.feeds.latest_titles(FEED) == [f"{n}" for n in range(200, 0, -1)]
    assert db.feeds.latest_titles(FEED, 1) == ["200"]


def test_the_item_of_a_post(db):
    """Each post knows its item; a post of another kind has none."""
    other = put(db, "draft")
    read(db, queued("a"), queued("b"))
    assert [db.feeds.item_of(n) and db.feeds.item_of(n).item.title for n in (other, 2, 3)] == [None, "a", "b"]


@pytest.mark.parametrize(
    ("status", "waits"),
    [
        ("draft", 1),
        ("approved", 1),
        *((s, 0) for s in ("rejected", "pending", "posted", "failed", "unknown")),
    ],
)
def test_how_many_items_wait(db, status, waits):
    """Those of this feed whose post is a draft or approved."""
    put(db, "draft", "A post of another kind.")
    read(db, queued("a"), skipped("b"))
    read(db, queued("c"), queued("d"), feed=OTHER)
    triggers = [row[0] for row in db.connection.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    for name in triggers:
        db.connection.sqlite.execute(f"DROP TRIGGER {name}")
    db.connection.sqlite.execute("UPDATE posts SET status = ? WHERE content = 'a.'", (status,))
    assert (db.feeds.waiting(FEED), db.feeds.waiting(OTHER)) == (waits, 2)


# ---- what an item is known by ----------------------------------------------------------------------------------


def test_known_keys(db):
    """Each key leads to its item; that of another feed is another key."""
    read(db, seen("a", keys=("id:1", "link:1")), seen("b", keys=("id:2",)))
    read(db, seen("c", keys=("id:3",)), feed=OTHER)
    assert db.feeds.known(FEED, ["id:1", "link:1", "id:3", "id:9"]) == {"id:1": 1, "link:1": 1}
    assert db.feeds.known(OTHER, ["id:1", "id:3"]) == {"id:3": 3}
    assert db.feeds.known(FEED, []) == {}


def test_a_known_item_gets_a_new_key(db):
    """A key is added to its item, and one that is known already stays with the item that had it."""
    read(db, seen("a", keys=("id:1",)), seen("b", keys=("id:2", "id:1")))
    read(db, also_known=[("link:1", 1), ("id:1", 2)])
    assert db.feeds.known(FEED, ["id:1", "id:2", "link:1"]) == {"id:1": 1, "id:2": 2, "link:1": 1}


# ---- an item that gets its post later --------------------------------------------------------------------------


def test_an_item_on_record_becomes_a_post(db):
    """It gets a post once, under its own number; no other item changes."""
    read(db, skipped("a"), skipped("b"))
    first, kept = db.feeds.items(FEED, ItemState.SKIPPED, 9)[::-1]
    before = everything(db, "feed_items")
    post = db.feeds.settle_item(kept, queued("b"), NOW + HOUR)
    assert (db.post(post).content, db.post(post).status, db.post(post).approved_at) == (
        "b.",
        "approved",
        NOW + HOUR,
    )
    after = db.feeds.item_of(post)
    assert (after.id, after.state, after.reason) == (kept.id, ItemState.QUEUED, "")
    assert everything(db, "feed_items")[first.id] == before[first.id]


def test_an_item_that_stays_without_a_post(db):
    """The new reason is noted, and nothing is posted."""
    read(db, seen("a"))
    (kept,) = db.feeds.items(FEED, ItemState.SEEN, 9)
    assert db.feeds.settle_item(kept, skipped("a", note="too-old"), NOW) is None
    (now,) = db.feeds.items(FEED, ItemState.SKIPPED, 9)
    assert (now.reason, now.post_id, db.archive.count_posts()) == ("too-old", None, 0)


def test_an_item_that_has_its_post(db):
    """What became a post is decided: nothing is noted over it."""
    read(db, queued("a"))
    kept = db.feeds.item_of(1)
    db.feeds.settle_item(kept, skipped("a"), NOW)
    assert db.feeds.item_of(1) == kept


# ---- texts that wait too long ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "expired"),
    [
        ({"status": "draft"}, 1),
        ({"status": "approved"}, 1),
        ({"status": "approved", "created_at": NOW}, 0),
        ({"status": "approved", "origin": "person"}, 0),
        ({"status": "approved", "attempts": 1}, 0),
        *(({"status": status}, 0) for status in ("pending", "unknown", "failed", "expired")),
    ],
)
def test_which_texts_of_items_expire(db, row, expired):
    """Those of feeds that were made before a time, still wait and were never sent."""
    mine = put(db, **{"origin": "feed", "created_at": NOW - SECOND, **row})
    before = everything(db)
    assert db.feeds.expire(NOW) == expired
    if expired:
        assert db.post(mine).status is Status.REJECTED
        assert "FEED_MAX_AGE_DAYS" in db.post(mine).error_message
    else:
        assert everything(db) == before


# ---- what the file refuses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DELETE FROM feed_items", "items of feeds are never deleted"),
        ("DELETE FROM feed_keys", "is never deleted"),
        ("UPDATE feed_items SET post_id = 2 WHERE post_id = 1", "an item becomes one post"),
        ("UPDATE feed_items SET post_id = NULL WHERE post_id = 1", "an item becomes one post"),
        ("UPDATE feed_items SET post_id = post_id", ""),
        ("UPDATE feed_items SET post_id = 2 WHERE post_id IS NULL", ""),
        ("UPDATE feed_items SET post_id = 1 WHERE post_id IS NULL", "feed_items.post_id"),
        ("UPDATE feed_items SET post_id = 9 WHERE post_id IS NULL", "FOREIGN KEY"),
    ],
)
def test_what_the_file_refuses(db, sql, words):
    """Items and their keys stay for ever, and an item becomes one post, which no other item has."""
    read(db, queued("a"), skipped("b"), seen("c"))
    db.connection.sqlite.execute("UPDATE feed_items SET state = 'seen' WHERE title = 'b'")
    put(db, "draft")
    sql = sql.replace("post_id IS NULL", "title = 'b'")
    if words:
        with pytest.raises(sqlite3.IntegrityError, match=words):
            db.connection.sqlite.execute(sql)
    else:
        db.connection.sqlite.execute(sql)
