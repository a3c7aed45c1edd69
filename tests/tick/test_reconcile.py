"""Settling what is open, the daily audit in both directions, the cold start, and the reconcile command."""

import contextlib
import json
import sqlite3

import pytest

from src.posting import reconcile
from tests import fake_x
from tests.support.scenarios import quiet_tick
from tests.support.world import new_world


@pytest.fixture
def world(tmp_path):
    """An account with a past."""
    with new_world(tmp_path) as made:
        made.warm()
        yield made


def lose(world, *, made=True, gone=True):
    """A run whose answer is lost while the timeline is away; the row's id."""
    world.x.on_post(fake_x.close(accept=made))
    world.x.always_get = fake_x.not_found() if gone else None
    assert world.tick().exit_code == 76
    world.x.always_get = None
    return world.ours()[-1]["id"]


def prove_absent(world):
    """Two reads that count."""
    for minutes in (16, 1):
        world.move(minutes=minutes)
        world.tick()


def row(world, post_id):
    return world.rows("SELECT * FROM posts WHERE id = ?", post_id)[0]


# ---- the rules of looking --------------------------------------------------------------------------------------


def test_no_request_without_an_unknown_post(world):
    """A run with nothing open reads nothing."""
    world.tick()
    reads = world.x.reads_seen()
    world.next_slot()
    assert world.tick().outcome == "posted"
    world.move(minutes=1)
    world.tick()
    assert world.x.reads_seen() == reads


def test_one_read_settles_many(world):
    """Several unknown posts cost one read, and each gets its own tweet."""
    ids = []
    for _ in range(4):
        ids.append(lose(world))
        world.next_slot()
    reads = world.x.reads_seen()
    assert world.tick().outcome == "posted"
    assert world.x.reads_seen() == reads + 1
    assert [row(world, i)["status"] for i in ids] == ["posted"] * 4
    assert [row(world, i)["resolved_by"] for i in ids] == ["timeline"] * 4
    world.check_promise()


def test_a_read_costs_little(world):
    """Settling one post reads the canary and what is new: the ledger has at most a few tenths of a cent."""
    lose(world)
    world.move(minutes=1)
    world.tick()
    spent = world.rows("SELECT total(usd) FROM spending WHERE kind = 'read' AND at > ?", world.x.now() - 120)[
        0
    ][0]
    assert 0 < spent <= 0.003


def test_absence_needs_two_reads_and_fifteen_minutes(world):
    """Neither many reads in a short time nor one read after a long time prove that a post is not there."""
    post_id = lose(world, made=False)
    for _ in range(5):
        world.move(minutes=2)
        world.tick()
        assert row(world, post_id)["status"] == "unknown"
    for minutes, status in ((6, "unknown"), (1, "failed")):
        world.move(minutes=minutes)
        world.tick()
        assert row(world, post_id)["status"] == status
    other = lose_next(world)
    world.move(minutes=40)
    world.tick()
    assert row(world, other)["status"] == "unknown"
    world.move(minutes=1)
    world.tick()
    assert row(world, other)["status"] == "failed"


def lose_next(world):
    world.next_slot()
    return lose(world, made=False)


@pytest.mark.parametrize("made", [True, False])
def test_a_read_cut_off_proves_no_absence(world, made, monkeypatch):
    """A look that is not at its end proves nothing about what comes after: made or not, nobody knows."""
    monkeypatch.setattr(reconcile, "LOOK_TWEETS", 100)
    post_id = lose(world, made=made)
    for i in range(120):
        world.x.tweet_by_hand(f"A busy person's tweet {i}.")
    for _ in range(3):
        world.move(minutes=17)
        world.tick()
        assert row(world, post_id)["status"] == "unknown"
    assert world.rows("SELECT count(*) FROM posts WHERE origin = 'import'")[0][0] >= 100


@pytest.mark.parametrize(
    "odd",
    [
        {"id": "not a number", "text": "x"},
        {"text": "without an id"},
        {"id": "5", "text": None},
        {"id": "9102038480786817025", "text": "of the year 2079"},
        None,
    ],
)
def test_an_odd_item_proves_no_absence(world, odd):
    """What cannot be understood may be the tweet: the rest of the read counts, a tweet is found, nothing is absent."""
    lost = lose(world, made=False)
    world.next_slot()
    made = lose(world, made=True)
    world.x.view = lambda items: [odd, *items]
    by_hand = world.x.tweet_by_hand("By a person.")
    for _ in range(3):
        world.next_slot()
        assert world.tick().outcome == "posted"
    assert (row(world, lost)["status"], row(world, made)["status"]) == ("unknown", "posted")
    assert world.rows("SELECT origin FROM posts WHERE tweet_id = ?", by_hand)[0]["origin"] == "import"
    world.x.view = lambda items: items
    world.next_slot()
    assert world.tick().outcome == "posted"
    world.next_slot()
    assert world.tick().outcome == "posted"
    assert row(world, lost)["status"] == "failed"
    world.check_promise()


def test_a_known_tweet_that_is_shown_oddly(world):
    """It may be the item that cannot be understood, so it is not stamped as missing."""
    for _ in range(3):
        assert world.tick().outcome == "posted"
        world.next_slot()
    known = str(world.ours()[-2]["tweet_id"])
    world.x.view = lambda items: [{**i, "text": None} if i["id"] == known else i for i in items]
    world.move(hours=24)
    world.tick()
    assert [r["vanished_at"] for r in world.ours()] == [None] * len(world.ours())


def test_an_odd_item_does_not_silence_a_new_database(tmp_path):
    """A new database takes over what it can read of the account, and posts."""
    with new_world(tmp_path) as world:
        world.x.tweet_by_hand("An old one.")
        world.x.view = lambda items: [*items, {"id": "x", "text": "odd"}]
        world.move(hours=2)
        assert world.tick().outcome == "posted"
        world.check_promise()


def shortened(items):
    """Show the link that X sees in `asyncio.to_thread` as X shows links."""
    return [{**item, "text": item["text"].replace("asyncio.to", "https://t.co/a1B2c3D4e5")} for item in items]


def test_links_come_back_as_t_co(world):
    """A text with what X takes for a link is found although the timeline shows t.co in its place."""
    world.texts.queue.append("Use await asyncio.to_thread(func) here.")
    world.x.view = shortened
    post_id = lose(world)
    world.move(minutes=1)
    world.tick()
    assert (row(world, post_id)["status"], row(world, post_id)["resolved_by"]) == ("posted", "timeline")
    world.check_promise()


def test_a_link_found_late(world):
    """The audit finds such a text, too, when it appears after it was proven absent."""
    world.texts.queue.append("Use await asyncio.to_thread(func) here.")
    world.x.view = shortened
    world.x.on_post(fake_x.server_error(503, accept=False, late=45 * 60))
    world.tick()
    post_id = world.ours()[-1]["id"]
    prove_absent(world)
    assert row(world, post_id)["status"] == "failed"
    world.move(hours=25)
    world.tick()
    assert (row(world, post_id)["status"], row(world, post_id)["resolved_by"]) == ("posted", "audit")


def test_the_canary_was_deleted(world):
    """If the newest tweet we know is gone from X, older ones serve as canary: the row is still settled."""
    post_id = lose(world, made=False)
    for tweet in [t for t in world.x.accepted if t.via == "api"]:
        world.x.delete_by_hand(tweet.id)
    prove_absent(world)
    assert row(world, post_id)["status"] == "failed"


@pytest.mark.parametrize(
    "text",
    [
        'Use <b> & "quotes" in HTML\'s attributes, ok?',
        "Cafe\u0301 and  two   spaces",
        "a &amp; b stays a &amp; b",
    ],
)
def test_what_x_does_to_a_text(world, text):
    """HTML escapes, normal forms and white space do not hide a lost post."""
    world.texts.queue.append(text)
    post_id = lose(world)
    world.move(minutes=1)
    world.tick()
    assert row(world, post_id)["status"] == "posted"


@pytest.mark.parametrize(("minutes", "status"), [(6, "failed"), (1, "posted")])
def test_a_person_tweets_the_same_words_before(world, minutes, status):
    """A tweet from before the send is not the lost post. Within the tolerance of the clock nobody can tell."""
    world.texts.queue.append("The very same words.")
    world.x.tweet_by_hand("The very same words.")
    world.move(minutes=minutes)
    post_id = lose(world, made=False)
    prove_absent(world)
    assert row(world, post_id)["status"] == status
    assert world.x.posts_seen() == 2


def test_sent_under_a_clock_that_was_ahead(world):
    """A send that lies in the future says nothing about the tweet's time: the tweet is found."""
    post_id = lose(world)
    with contextlib.closing(sqlite3.connect(world.database)) as db:
        db.execute("UPDATE posts SET sent_at = sent_at + 86400 WHERE id = ?", (post_id,))
        db.commit()
    world.move(minutes=1)
    world.tick()
    assert row(world, post_id)["status"] == "posted"


# ---- the audit -------------------------------------------------------------------------------------------------


def test_audit_records_what_a_person_tweeted(world):
    """Once a day, a tweet on X that no row holds is recorded as imported; it is not ours."""
    tweet_id = world.x.tweet_by_hand("Good morning from a person.")
    world.move(hours=25)
    world.tick()
    (imported,) = world.rows("SELECT * FROM posts WHERE tweet_id = ?", tweet_id)
    assert (imported["status"], imported["origin"]) == ("posted", "import")


def test_audit_stamps_what_is_gone(world):
    """A post of ours that a person deleted stays `posted` and is stamped as gone; it is stamped once."""
    for _ in range(3):
        assert world.tick().outcome == "posted"
        world.next_slot()
    victim = world.ours()[-2]
    world.x.delete_by_hand(victim["tweet_id"])
    world.move(hours=24)
    world.tick()
    gone = row(world, victim["id"])
    assert (gone["status"], gone["vanished_at"] is not None) == ("posted", True)
    assert row(world, world.ours()[-2]["id"])["vanished_at"] is None
    world.move(hours=25)
    world.tick()
    assert row(world, victim["id"])["vanished_at"] == gone["vanished_at"]


def test_audit_finds_a_post_given_up(world):
    """A post proven absent that appears after all becomes `posted` by the audit."""
    world.x.on_post(fake_x.server_error(503, accept=False, late=45 * 60))
    world.tick()
    post_id = world.ours()[-1]["id"]
    prove_absent(world)
    assert row(world, post_id)["status"] == "failed"
    world.move(hours=25)
    world.tick()
    assert (row(world, post_id)["status"], row(world, post_id)["resolved_by"]) == ("posted", "audit")
    world.check_promise()


def test_audit_knows_how_far_a_page_reaches(world):
    """Tweets older than the page are not missing: with more on record than a page shows, none is stamped."""
    for i in range(150):
        world.x.tweet_by_hand(f"Tweet {i} of a busy person.")
        world.move(minutes=2)
        if i % 40 == 39:
            world.move(hours=24)
            world.tick()
    for _ in range(3):
        world.move(hours=25)
        world.tick()
    assert world.rows("SELECT count(*) FROM posts WHERE tweet_id IS NOT NULL")[0][0] > 150
    assert world.rows("SELECT count(*) FROM posts WHERE vanished_at IS NOT NULL")[0][0] == 0


def test_audit_is_once_a_day_and_cheap(world):
    """Over three days of hourly runs the audit reads three times, each two days back, for five cents each."""
    world.move(hours=25)
    world.tick()
    reads = world.x.reads_seen()
    spent = world.rows("SELECT total(usd) FROM spending WHERE kind = 'read'")[0][0]
    for _ in range(72):
        world.next_slot()
        assert world.tick().outcome == "posted"
    assert world.x.reads_seen() - reads == 3
    assert world.rows("SELECT total(usd) FROM spending WHERE kind = 'read'")[0][0] - spent <= 0.15


def test_audit_that_cannot_read_is_repeated(world):
    """An audit without a healthy look does not count as done; it stops no post."""
    world.x.always_get = fake_x.not_found()
    world.move(hours=25)
    for _ in range(2):
        assert world.tick().outcome == "posted"
        world.next_slot()
    assert world.x.reads_seen() >= 2
    world.x.always_get = None
    tweet_id = world.x.tweet_by_hand("By a person.")
    world.tick()
    assert world.rows("SELECT origin FROM posts WHERE tweet_id = ?", tweet_id)[0]["origin"] == "import"


def test_audit_after_the_clock_was_wrong(world):
    """An audit made under a clock a month ahead does not narrow the one after the clock is right again."""
    world.x.on_post(fake_x.server_error(503, accept=False, late=45 * 60))
    world.tick()
    post_id = world.ours()[-1]["id"]
    prove_absent(world)
    assert row(world, post_id)["status"] == "failed"
    world.next_slot()
    assert world.tick().outcome == "posted"
    world.jump(days=30)
    world.x.now, real = (lambda: __import__("time").time()), world.x.now
    world.tick()
    world.x.now = real
    world.jump(days=-30)
    world.move(hours=1)
    quiet_tick(world)
    world.check_promise()
    assert row(world, post_id)["status"] == "posted"


def test_everything_was_deleted_by_hand(world):
    """When a person cleared the account and tweeted anew, the audit still takes the new tweets over."""
    assert world.tick().outcome == "posted"
    for tweet in world.x.accepted:
        world.x.delete_by_hand(tweet.id)
    tweet_id = world.x.tweet_by_hand("A fresh start.")
    for _ in range(2):
        world.move(hours=25)
        world.tick()
    assert world.rows("SELECT origin FROM posts WHERE tweet_id = ?", tweet_id)[0]["origin"] == "import"
    world.check_promise()


def test_nothing_to_audit(tmp_path):
    """An account without a single tweet needs no look."""
    with new_world(tmp_path, REQUIRE_APPROVAL="true") as world:
        world.tick()
        reads = world.x.reads_seen()
        world.move(hours=25)
        world.tick()
        assert world.x.reads_seen() == reads


# ---- cold start ------------------------------------------------------------------------------------------------


def test_cold_start_imports_the_account(tmp_path):
    """A new database first takes over what the account tweeted; texts and the slot of the newest count as used."""
    with new_world(tmp_path) as world:
        old = world.x.tweet_by_hand("One from yesterday.")
        world.move(hours=24)
        world.x.tweet_by_hand("One of this hour, by a bot whose database was lost?")
        world.move(minutes=25)
        assert world.tick().outcome == "nothing-due:slot-used"
        assert [r["origin"] for r in world.rows()] == ["import", "import"]
        assert world.rows()[0]["tweet_id"] == old
        world.next_slot()
        assert world.tick().outcome == "posted"


@pytest.mark.parametrize(
    ("view", "code"),
    [
        (fake_x.not_found(), 77),
        (fake_x.malformed(), 75),
        (fake_x.errors_200(), 75),
        (fake_x.server_error(503, accept=False), 75),
        (fake_x.unauthorized(), 77),
    ],
)
def test_cold_start_fails_closed(tmp_path, view, code):
    """A new database and a timeline that cannot be read: nothing is posted; when it can be read, it goes on."""
    with new_world(tmp_path) as world:
        world.x.always_get = view
        for _ in range(3):
            result = world.tick()
            assert (result.outcome, int(result.exit_code)) == ("cold-start", code)
            assert result.fix
            world.next_slot()
        assert world.x.posts_seen() == 0
        world.x.always_get = None
        assert world.tick().outcome == "posted"


def test_cold_start_of_a_new_account(tmp_path):
    """An account without a tweet is no trouble: an empty, healthy timeline is an answer."""
    with new_world(tmp_path) as world:
        assert world.tick().outcome == "posted"
        world.check_promise()


def test_a_deleted_database(world):
    """A database that somebody deleted is no new account: this slot is given up, the timeline may lag."""
    assert world.tick().outcome == "posted"
    world.x.read_lag = 600
    world.database.unlink()
    world.move(minutes=21)
    world.x.read_lag = 3600
    assert world.tick().outcome != "posted"
    world.x.read_lag = 0
    world.next_slot()
    quiet_tick(world)
    world.next_slot()
    assert world.tick().outcome == "posted"
    per_hour = [int(t.at // 3600) for t in world.x.accepted if t.via == "api"]
    assert len(per_hour) == len(set(per_hour))


# ---- the command -----------------------------------------------------------------------------------------------


def test_an_id_that_x_gives_twice(world):
    """X answering with the id of a tweet we have already is no exception: the outcome is unknown."""
    assert world.tick().outcome == "posted"
    world.next_slot()
    known = world.ours()[-1]["tweet_id"]
    world.x.on_post(fake_x.answer(201, json.dumps({"data": {"id": str(known), "text": "x"}}), False))
    assert world.tick().exit_code == 76
    assert world.statuses()[-1] == "unknown"
    assert world.ours()[-2]["tweet_id"] == known
    world.check_promise()
