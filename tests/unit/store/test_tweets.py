"""Tweets on record: which are known, which post a tweet is, and how tweets of elsewhere are recorded."""

from datetime import timedelta

import pytest

from src.domain.answers import Tweet
from src.domain.posts import Status
from src.domain.schedule import Schedule
from src.domain.texts import Origin
from src.store import tweets as module
from tests.support.stored import NEXT, NOW, SLOT, TWEET, everything, put

HOUR = timedelta(hours=1)
MADE = Tweet(TWEET, "").at
LATER = TWEET + (3600 * 1000 << 22)  # an hour later


def put_tweet(db, tweet_id, **columns):
    """Insert a post that is on X."""
    return put(db, "posted", f"Tweet {tweet_id}.", tweet_id=tweet_id, **columns)


# ---- what is on record -----------------------------------------------------------------------------------------


def test_known_tweets(db):
    """Of some tweet ids, those on record."""
    for tweet_id in (1, 2):
        put_tweet(db, tweet_id)
    assert db.tweets.known_among([2, 3]) == {2}


def test_tweets_that_are_not_on_record(db):
    """A tweet is on record under any of its ids, which an edit changes."""
    put_tweet(db, 5)
    found = db.tweets.unrecorded([Tweet(5, "a"), Tweet(7, "b", earlier=(5,)), Tweet(8, "c", earlier=(6,))])
    assert [tweet.id for tweet in found] == [8]


@pytest.mark.parametrize(
    ("count", "newest", "ids"), [(9, None, [7, 5, 2]), (2, None, [7, 5]), (9, 5, [5, 2]), (9, 4, [2])]
)
def test_the_newest_tweets(db, count, newest, ids):
    """The newest ids that are not known to be missing, up to a limit; posts without an id are none."""
    for tweet_id in (2, 7, 5):
        put_tweet(db, tweet_id)
    put_tweet(db, 6, vanished_at=NOW)
    put(db, "unknown")
    assert db.tweets.known_tweet_ids(count, newest) == ids


def test_the_largest_tweet_id(db):
    """Every tweet on record counts, also one that is missing now; 0 where there is none."""
    assert db.tweets.newest_tweet_id() == 0
    put(db, "unknown")
    assert db.tweets.newest_tweet_id() == 0
    for tweet_id in (2, 7, 5):
        put_tweet(db, tweet_id, vanished_at=NOW)
    assert db.tweets.newest_tweet_id() == 7


@pytest.mark.parametrize(("at", "newest"), [(0, 0), (1, 3), (2, 2), (3, 2), (4, 2), (5, 9)])
def test_the_newest_tweet_up_to_a_time(db, at, newest):
    """Of the tweets sent until then the last sent one, if X shows it."""
    put_tweet(db, 2, sent_at=NOW + 2 * HOUR)
    put_tweet(db, 3, sent_at=NOW + HOUR)
    put(db, "unknown", sent_at=NOW + 3 * HOUR)
    put_tweet(db, 8, sent_at=NOW + 4 * HOUR, vanished_at=NOW)
    put_tweet(db, 9, sent_at=NOW + 5 * HOUR)
    assert db.tweets.newest_tweet_before(NOW + at * HOUR) == newest


# ---- a tweet that may be a lost post ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "found"),
    [
        *(({"status": status}, True) for status in ("failed", "expired", "unconfirmed", "approved")),
        *(({"status": status}, False) for status in ("pending", "unknown", "rejected", "draft")),
        ({"status": "failed", "attempts": 2}, True),
        ({"status": "failed", "attempts": 0}, False),
        ({"status": "failed", "content": "Other."}, False),
    ],
)
@pytest.mark.parametrize(("sent", "shown"), [("a & b", "A &amp; b"), ("see x.org b", "see https://t.co/1 b")])
def test_which_post_is_lost(db, row, found, sent, shown):
    """A post that was sent and given up is found by its text, also where X shows a link as its own."""
    mine = put(db, **{"content": sent, "attempts": 1, **row})
    post = db.tweets.lost_post(shown)
    assert (post.id if post else None) == (mine if found else None)


@pytest.mark.parametrize(("sent", "shown"), [("a b", "a b"), ("see x.org", "see https://t.co/1")])
def test_the_newest_lost_post(db, sent, shown):
    """Of two with the same text it is the newer one."""
    put(db, "failed", sent, attempts=1)
    mine = put(db, "failed", sent, attempts=1)
    put(db, "failed", "Other.", attempts=1)
    assert db.tweets.lost_post(shown).id == mine


def test_the_exact_text_comes_first(db):
    """A post that has the text itself is found, not a newer one whose link the tweet may show."""
    mine = put(db, "failed", "see https://t.co/1", attempts=1)
    put(db, "failed", "see x.org", attempts=1)
    assert db.tweets.lost_post("see https://t.co/1").id == mine


def test_only_a_link_is_looked_for_at_length(db):
    """A text without a link of X's is looked up, not compared with each lost post."""
    put(db, "failed", "a b", fingerprint="of another version", attempts=1)
    assert db.tweets.lost_post("a b") is None


@pytest.mark.parametrize(("newer", "found"), [(199, True), (200, False)])
def test_how_many_lost_posts_are_compared(db, newer, found):
    """The newest lost posts are compared, as many as the limit says."""
    assert module.LOST_LOOKED_AT == 200
    put(db, "failed", "see x.org", attempts=1)
    db.connection.sqlite.execute("DROP TRIGGER known_status_insert")
    db.connection.sqlite.execute(
        "INSERT INTO posts(content, status, attempts) WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i, 'failed', 1 FROM n",
        (newer,),
    )
    assert (db.tweets.lost_post("see https://t.co/1") is not None) is found


# ---- tweets of elsewhere ---------------------------------------------------------------------------------------


def test_a_tweet_is_recorded(db):
    """A tweet that no row holds becomes a row, with its time, its text as typed, and the time it was seen."""
    assert db.tweets.import_tweets([Tweet(TWEET, "a &amp; b")], NOW) == 1
    (post,) = db.archive.history(9)
    assert (post.content, post.status, post.tweet_id, post.origin) == (
        "a & b",
        Status.POSTED,
        TWEET,
        "import",
    )
    assert (post.posted_at, post.sent_at, post.verified_at) == (MADE, MADE, NOW)
    assert (post.slot, post.source_id, post.topic, post.opening) == (None, None, None, None)
    assert db.connection.value("SELECT created_at FROM posts") == MADE.timestamp()
    assert db.archive.is_known_text("A & B", NOW - 9 * HOUR)
    assert db.connection.value("SELECT count(*) FROM spending") == 0


def test_tweets_are_recorded_once(db):
    """A tweet that is on record is left out, whatever other tweets are."""
    tweets = [Tweet(LATER, "b"), Tweet(TWEET, "a")]
    assert db.tweets.import_tweets(tweets[1:], NOW) == 1
    assert db.tweets.import_tweets(tweets, NOW) == 1
    assert db.tweets.import_tweets(tweets, NOW) == 0
    assert [post.content for post in db.archive.history(9)] == ["b", "a"]


@pytest.mark.parametrize(
    ("slot_of", "slots"), [(None, [None, None, None]), (Schedule().slot_of, [SLOT, None, NEXT])]
)
def test_the_slots_of_tweets(db, slot_of, slots):
    """At a cold start each tweet takes its slot, the oldest first, where that is free."""
    tweets = [Tweet(TWEET + 1, "b"), Tweet(LATER, "c"), Tweet(TWEET, "a")]
    db.tweets.import_tweets(tweets, NOW, slot_of=slot_of)
    assert [post.slot for post in db.archive.history(9)[::-1]] == slots


def test_a_slot_that_a_post_has(db):
    """A tweet takes no slot from a post."""
    put(db, "failed", slot=SLOT)
    db.tweets.import_tweets([Tweet(TWEET, "a")], NOW, slot_of=Schedule().slot_of)
    assert db.archive.history(1)[0].slot is None


@pytest.mark.parametrize(
    ("origin", "stored"),
    [
        (Origin("s-1", "Git", "Why?"), ("s-1", "Git", "Why?")),
        (Origin("s-1", "Git", ""), ("s-1", "Git", None)),
        (None, (None, None, None)),
    ],
)
def test_a_text_of_the_library_is_recognised(db, origin, stored):
    """A tweet that is a text of the library is recorded with its statement."""
    db.tweets.import_tweets([Tweet(TWEET, "a")], NOW, lambda tweet: origin if tweet.text == "a" else None)
    (post,) = db.archive.history(9)
    assert (post.source_id, post.topic, post.opening) == stored


def test_what_a_tweet_costs(db):
    """After a restore each new tweet is entered in the ledger, at its own time."""
    db.tweets.import_tweets([Tweet(TWEET, "a"), Tweet(LATER, "b")], NOW, price_of={"a": 0.5, "b": 0.25}.get)
    rows = db.connection.rows("SELECT at, kind, units, usd FROM spending ORDER BY at")
    assert [tuple(row) for row in rows] == [
        (MADE.timestamp(), "post", 1, 0.5),
        (Tweet(LATER, "").at.timestamp(), "post", 1, 0.25),
    ]


@pytest.mark.parametrize(
    ("row", "joined"),
    [
        ({"status": "posted", "origin": "seed"}, True),
        ({"status": "unconfirmed", "origin": "seed"}, True),
        ({"status": "failed", "origin": "seed"}, False),
        ({"status": "unconfirmed", "origin": "wording"}, False),
        ({"status": "posted", "origin": "seed", "tweet_id": 5}, False),
        ({"status": "posted", "origin": "seed", "content": "Other."}, False),
    ],
)
def test_an_old_row_gets_its_tweet_id(db, row, joined):
    """A row of the original program with the same text becomes the tweet; no other row does."""
    other = put(db, "unconfirmed", "Another.", origin="seed")
    mine = put(db, **{"content": "A text", **row})
    before = everything(db)
    assert db.tweets.import_tweets([Tweet(TWEET, "a text!")], NOW) == 1
    post = db.post(mine)
    assert everything(db)[other] == before[other]
    assert db.archive.count_posts() == 2 + (not joined)
    if joined:
        assert (post.status, post.tweet_id, post.slot) == (Status.POSTED, TWEET, None)
        assert (post.posted_at, post.sent_at, post.verified_at) == (MADE, MADE, NOW)
    else:
        assert everything(db)[mine] == before[mine]


def test_an_old_row_gets_one_tweet_id(db):
    """A second tweet with its text is a row of its own."""
    mine = put(db, "unconfirmed", "A text", origin="seed")
    assert (
        db.tweets.import_tweets(
            [Tweet(TWEET, "A text"), Tweet(LATER, "A text")], NOW, slot_of=Schedule().slot_of
        )
        == 2
    )
    assert [(post.id == mine, post.tweet_id) for post in db.archive.history(9)] == [
        (False, LATER),
        (True, TWEET),
    ]


LINK = "see https://t.co/1 now"


@pytest.mark.parametrize(
    ("old", "joined"),
    [
        ({"content": "see x.org now"}, True),
        ({"content": "see x.org now", "status": "posted"}, True),
        ({"content": "see x.org then"}, False),
        ({"content": "look x.org now"}, False),
        ({"content": "see x.org now", "status": "failed"}, False),
        ({"content": "see x.org now", "origin": "wording"}, False),
        ({"content": "see x.org now", "status": "posted", "tweet_id": 5}, False),
    ],
)
def test_an_old_row_whose_link_x_shows_as_its_own(db, old, joined):
    """An old row is found by all but its link."""
    put(db, "unconfirmed", "Another.", origin="seed")
    mine = put(db, **{"status": "unconfirmed", "origin": "seed", **old})
    db.tweets.import_tweets([Tweet(TWEET, LINK)], NOW)
    assert (db.post(mine).tweet_id == TWEET) is joined
    assert db.archive.count_posts() == 2 + (not joined)


def test_an_old_row_with_the_text_itself_comes_first(db):
    """A row that has the text as X shows it is the tweet, not one that only may be."""
    put(db, "unconfirmed", "see x.org now", origin="seed")
    mine = put(db, "unconfirmed", LINK, origin="seed")
    db.tweets.import_tweets([Tweet(TWEET, LINK)], NOW)
    assert db.post(mine).tweet_id == TWEET


def test_a_text_without_a_link_is_only_looked_up(db):
    """A row whose text is the same but for the mark of another version is left alone."""
    mine = put(db, "unconfirmed", "A text", origin="seed", fingerprint="of another version")
    db.tweets.import_tweets([Tweet(TWEET, "A text")], NOW)
    assert db.post(mine).tweet_id is None


@pytest.mark.parametrize(
    ("row", "known"),
    [
        ({"origin": "import", "source_id": "s"}, True),
        ({"origin": "import"}, False),
        ({"origin": "wording", "source_id": "s"}, False),
    ],
)
def test_whether_the_library_was_recognised(db, row, known):
    """A tweet that was read from the timeline is a text of the library, or none is."""
    put_tweet(db, 5, **row)
    assert db.tweets.has_texts_of_the_library() is known


@pytest.mark.parametrize(("text", "kept"), [("see x.org now", "see x.org now"), ("", LINK)])
def test_the_text_that_was_sent_is_kept(db, text, kept):
    """Where it is known what stood in the place of X's link, that is recorded."""
    db.tweets.import_tweets([Tweet(TWEET, LINK)], NOW, lambda _tweet: Origin("s-1", "Git", "", text))
    assert db.archive.history(1)[0].content == kept
    assert db.archive.is_known_text(kept, NOW - 9 * HOUR)


# ---- stamps ----------------------------------------------------------------------------------------------------


def stamps(db):
    """Return for each tweet when X showed it last, since when it is missing, and who decided that."""
    rows = db.connection.rows("SELECT tweet_id, verified_at, vanished_at, resolved_by FROM posts")
    return {row[0]: tuple(row)[1:] for row in rows}


def test_what_a_read_showed(db):
    """Tweets shown are stamped as seen; those missing as missing, since the first time; others stay."""
    first, second = NOW.timestamp(), (NOW + HOUR).timestamp()
    for tweet_id in (1, 2, 3):
        put_tweet(db, tweet_id)
    db.tweets.stamp_seen([1], [2], NOW)
    assert stamps(db) == {1: (first, None, None), 2: (None, first, None), 3: (None, None, None)}
    db.tweets.stamp_seen([], [2], NOW + HOUR)
    assert stamps(db)[2] == (None, first, None)
    db.tweets.stamp_seen([2], [], NOW + HOUR)
    assert stamps(db) == {1: (first, None, None), 2: (second, None, None), 3: (None, None, None)}


def test_what_the_owner_deleted(db):
    """One tweet is stamped as deleted, and who did it."""
    put_tweet(db, 1)
    mine = put_tweet(db, 2)
    db.tweets.stamp_deleted(db.post(mine), NOW)
    assert stamps(db) == {1: (None, None, None), 2: (None, NOW.timestamp(), "undo")}
    assert db.tweets.known_tweet_ids(9) == [1]
