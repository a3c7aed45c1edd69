"""What X shows on bad days: pages of any size, items left out or edited, replies between, tweets made late."""

import contextlib
import math
import random
import sqlite3
from collections import Counter
from dataclasses import replace

import pytest

from tests import fake_x
from tests.support.scenarios import judge, killer, quiet_tick
from tests.support.upkeep import open_now
from tests.support.world import new_world


@pytest.fixture
def world(tmp_path):
    """An account with a past."""
    with new_world(tmp_path) as made:
        made.warm()
        yield made


def lose(world, *, made=True):
    """A run whose answer is lost while the timeline is away; the row's id."""
    world.x.on_post(fake_x.close(accept=made))
    world.x.always_get = fake_x.not_found()
    assert world.tick().exit_code == 76
    world.x.always_get = None
    return world.ours()[-1]["id"]


def row(world, post_id):
    return world.rows("SELECT * FROM posts WHERE id = ?", post_id)[0]


def imports(world):
    return [r["content"] for r in world.rows("SELECT content FROM posts WHERE origin = 'import' ORDER BY id")]


def later(world, *minutes):
    for step in minutes:
        world.move(minutes=step)
        quiet_tick(world)


# ---- pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("made", "status"), [(True, "posted"), (False, "failed")])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_pages_of_any_size(world, made, status, size):
    """A look follows X's pages to their end: the tweet behind them is found, or known to be absent."""
    post_id = lose(world, made=made)
    for number in range(12 if size < 100 else 120):
        world.x.tweet_by_hand(f"A busy person's tweet {number}.")
    world.x.look = fake_x.Liar(random.Random(1), sizes=(size,))
    later(world, 16, 1)
    assert row(world, post_id)["status"] == status
    world.check_promise()


def test_an_empty_page_is_no_end(world):
    """X says that there are more tweets and shows none: nothing is absent, until it shows them."""
    post_id = lose(world, made=False)
    world.x.tweet_by_hand("By a person.")
    world.x.look = fake_x.Liar(random.Random(1), sizes=(0,))
    later(world, 16, 16, 16)
    assert row(world, post_id)["absent"] == 0
    world.x.look = fake_x.Honest()
    later(world, 1, 1)
    assert row(world, post_id)["status"] == "failed"


def test_a_look_has_an_end(world):
    """A look reads so many pages at most, and no further one when the time of the run is over: X bills each item."""
    lose(world, made=False)
    for number in range(50):
        world.x.tweet_by_hand(f"A busy person's tweet {number}.")
    world.x.look = fake_x.Liar(random.Random(1), sizes=(1,))
    reads = world.x.reads_seen()
    later(world, 1)
    assert world.x.reads_seen() - reads == 2 * 20  # from the newest canary, and from an older one
    world.extra["DEADLINE_SECONDS"] = "30"
    later(world, 1)
    assert world.x.reads_seen() - reads == 2 * 20 + 1


def test_an_item_left_out_once(world):
    """The tweet is behind in the first looks and left out of a later one: one absence that counts is no proof."""
    world.extra["POST_INTERVAL_MINUTES"] = "1440"
    world.move(hours=24)
    world.x.read_lag = 1200
    world.x.on_post(fake_x.duplicate(accept=True))
    later(world, 10)
    made = world.x.accepted[-1]
    world.x.view = lambda items: [i for i in items if i["id"] != str(made.id)]
    later(world, 50)
    world.x.view = lambda items: items
    assert row(world, world.ours()[-1]["id"])["absent"] == 1
    later(world, 60)
    assert [r["tweet_id"] for r in world.ours()[-1:]] == [made.id]
    world.check_promise()


def test_an_item_left_out_of_an_audit(world):
    """A person's tweet that one audit is not shown is found by the next one."""
    theirs = world.x.tweet_by_hand("By a person.")
    world.x.view = lambda items: [i for i in items if i["id"] != str(theirs)]
    later(world, 24 * 60)
    assert not world.rows("SELECT 1 FROM posts WHERE tweet_id = ?", theirs)
    world.x.view = lambda items: items
    for _ in range(24):
        later(world, 60)
    assert world.rows("SELECT 1 FROM posts WHERE tweet_id = ?", theirs)


def test_a_look_settles_every_post_that_it_shows(world):
    """The looks of a later send show the tweet of an older post, which a read before had left out: it is found."""
    first = lose(world)
    made = world.x.accepted[-1]
    world.next_slot()
    world.x.on_post(fake_x.close(accept=False))
    world.x.view = leave_out_first(made.id)
    assert world.tick().exit_code == 76
    assert row(world, first)["status"] == "posted"


def leave_out_first(tweet_id):
    """A view that leaves this tweet out of the first page only."""
    pages = []

    def view(items):
        pages.append(1)
        return [i for i in items if len(pages) > 1 or i["id"] != str(tweet_id)]

    return view


def test_repeated_and_out_of_order(world):
    """An item shown twice is recorded once, and the order of a page says nothing."""
    post_id = lose(world)
    world.x.tweet_by_hand("By a person.")
    world.x.view = lambda items: [*reversed(items), items[0]]
    later(world, 1)
    assert (row(world, post_id)["status"], imports(world)[1:]) == ("posted", ["By a person."])
    world.check_promise()


# ---- edits -----------------------------------------------------------------------------------------------------


def test_an_edited_tweet_is_no_new_one(world):
    """The owner corrects a tweet: it is shown under a new id, and stays the tweet of its post."""
    assert world.tick().outcome == "posted"
    post = world.ours()[-1]
    world.move(minutes=10)
    world.x.edit_by_hand(post["tweet_id"], post["content"] + " Corrected.")
    world.next_slot()
    assert world.tick().outcome == "posted"
    later(world, 25 * 60, 60)
    assert row(world, post["id"])["vanished_at"] is None
    assert imports(world) == ["An old tweet from before."]
    world.check_promise()


def test_a_lost_tweet_that_was_edited(world):
    """Its answer is lost and the owner corrects it: most of its words are those that were sent, so it is found."""
    post_id = lose(world)
    made = world.x.accepted[-1]
    world.x.edit_by_hand(made.id, made.text.replace("new", "quite new"))
    later(world, 1)
    assert (row(world, post_id)["status"], row(world, post_id)["tweet_id"]) == ("posted", made.id)
    world.check_promise()


def test_an_edited_tweet_is_found_late(world):
    """A tweet was made after its absence was proven, and edited before the audit: it is its post's all the same."""
    world.x.on_post(fake_x.server_error(503, accept=False, late=40 * 60))
    later(world, 0, 16, 1)
    post = world.ours()[-1]
    assert post["status"] == "failed"
    world.move(minutes=30)
    made = world.x.accepted[-1]
    world.x.edit_by_hand(made.id, made.text.replace("new", "quite new"))
    later(world, 25 * 60)
    assert (row(world, post["id"])["status"], row(world, post["id"])["tweet_id"]) == ("posted", made.id)


def test_a_lost_tweet_that_was_rewritten(world):
    """An edited tweet of that time may be the post whatever its words: nothing is absent, a person decides."""
    post_id = lose(world)
    made = world.x.accepted[-1]
    world.x.edit_by_hand(made.id, "Wholly other words, and not a single one of them is left.")
    later(world, 16, 1, 60, 60)
    assert (row(world, post_id)["status"], row(world, post_id)["absent"]) == ("unknown", 0)
    later(world, 48 * 60)
    assert row(world, post_id)["status"] == "unconfirmed"


def test_a_person_edits_later_tweets(world):
    """A tweet made more than an hour after the send is not the lost one, edited or not."""
    post_id = lose(world, made=False)
    later(world, 61)
    theirs = world.x.tweet_by_hand("Words of a person.")
    world.x.edit_by_hand(theirs, "Other words of a person.")
    later(world, 1)
    assert row(world, post_id)["status"] == "failed"
    assert imports(world)[-1] == "Other words of a person."


def test_an_edited_tweet_in_a_new_database(world):
    """It is recorded under its first id, of which its slot follows."""
    assert world.tick().outcome == "posted"
    first = world.ours()[-1]["tweet_id"]
    world.move(minutes=58)
    world.x.edit_by_hand(first, "An edited one.")
    world.database.unlink()
    world.move(hours=1)
    quiet_tick(world)
    imported = world.rows("SELECT * FROM posts WHERE content = 'An edited one.'")[0]
    assert (imported["tweet_id"], imported["slot"]) == (first, "2026-11-22T17:00Z")


def test_an_odd_history_of_edits(world):
    """Ids that are no ids, or not older than the tweet's own, are no history."""
    assert world.tick().outcome == "posted"
    for told in (None, "x", ["x", None, 7], ["9" * 25], [str(2**62)]):
        world.x.view = lambda items, told=told: [{**i, "edit_history_tweet_ids": told} for i in items]
        by_hand = world.x.tweet_by_hand(f"By a person, {told}.")
        later(world, 25 * 60)
        assert world.rows("SELECT 1 FROM posts WHERE tweet_id = ?", by_hand)
    world.check_promise()


# ---- replies and quotes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", ["@friend {}", "{} https://t.co/a1B2c3D4e5", "RT @friend: {}", "So true: {}"]
)
def test_replies_and_quotes_are_no_posts(world, words):
    """A person repeats the words of a post that X never made, in a reply or a quote: the post stays unmade."""
    post_id = lose(world, made=False)
    world.x.tweet_by_hand(words.format(row(world, post_id)["content"]))
    later(world, 16, 1)
    assert row(world, post_id)["status"] == "failed"
    world.check_promise()


# ---- clocks ----------------------------------------------------------------------------------------------------


def test_killed_under_a_clock_that_is_days_ahead(world):
    """The send lies in the future: it is neither given up at the first look nor does it hold the next posts back."""
    world.jump(days=3)
    assert world.forked(first=killer("send.before")) == -9
    world.jump(days=-3)
    later(world, 1)
    post = world.ours()[-2]
    assert (post["status"], world.ours()[-1]["status"]) == ("unknown", "posted")
    later(world, 16, 1)
    assert row(world, post["id"])["status"] == "failed"
    outcomes = Counter()
    for _ in range(80):
        world.next_slot()
        outcomes[str(world.tick().outcome)] += 1
    assert outcomes == {"posted": 79, "nothing-due:slot-used": 1}  # the slot for which it was sent


def test_an_open_post_of_the_future_holds_nothing_back(world):
    """It stays open, for a tweet of that time was rewritten: looks under a right clock know that its time is wrong."""
    world.jump(minutes=3)
    assert world.forked(first=killer("send.after")) == -9
    made = world.x.accepted[-1]
    world.x.edit_by_hand(made.id, "Wholly other words, and not a single one of them is left.")
    with contextlib.closing(sqlite3.connect(world.database)) as db:
        db.execute("UPDATE posts SET sent_at = sent_at + 80000 WHERE status = 'sending'")
        db.commit()
    world.jump(minutes=-3)
    later(world, 1)
    for _ in range(3):
        world.next_slot()
        assert world.tick().outcome == "posted"


# ---- late ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [1, 5, 10])
@pytest.mark.parametrize("lag", [1, 20])
def test_refused_made_late_and_shown_late(world, late, lag):
    """X refuses, makes the tweet minutes later and shows it 20 minutes after that: the slot is not used again."""
    world.extra["POST_INTERVAL_MINUTES"] = "1440"
    world.move(hours=24)
    before = len(world.x.texts())
    world.x.read_lag = lag * 60
    world.x.on_post(fake_x.replace(fake_x.bad_text(), accept_late=late * 60.0))
    later(world, *[5] * 20)
    assert len(world.x.texts()) == before + 1
    world.check_promise()


def test_a_text_that_waits_again_is_found_late(world):
    """X refused the account and made the tweet an hour later: the text that waits for its turn has had it."""
    world.x.on_post(fake_x.replace(fake_x.no_credits(), accept_late=48 * 60.0))
    later(world, 0, 46, 1)
    post = world.ours()[-1]
    assert (post["status"], post["absent"]) == ("approved", 2)
    later(world, 25 * 60)
    assert (row(world, post["id"])["status"], row(world, post["id"])["resolved_by"]) == ("posted", "audit")
    assert world.rows("SELECT count(*) FROM posts WHERE status = 'approved'")[0][0] == 0
    world.check_promise()


# ---- a database that was lost or restored ----------------------------------------------------------------------


def test_the_last_tweet_is_shown_late_to_a_new_database(world):
    """The database is lost just after a post that X does not show yet: it rests, and then finds that tweet."""
    assert world.tick().outcome == "posted"
    world.move(minutes=51)  # two minutes before the next slot
    world.x.tweet_by_hand("By another program, of which this database knows nothing.")
    world.x.read_lag = 1200
    world.database.unlink()
    later(world, 1)
    world.move(minutes=9)
    assert world.tick().outcome == "nothing-due:hold"
    later(world, 40)
    assert imports(world)[-1].startswith("By another program")


@pytest.fixture
def restored(world):
    """A database that lacks 350 tweets since its backup."""
    for _ in range(6):
        assert world.tick().outcome == "posted"
        world.next_slot()
    for number in range(350):
        world.x.tweet_by_hand(f"Tweet {number}, made since the backup.")
    with open_now(world) as db:
        db.notes.put(cold_start="restored")
    return world


def test_a_restored_database_goes_on_where_it_was_broken_off(restored):
    """A page that cannot be read ends the run with what was read so far; the next run goes on below it."""
    restored.x.on_get(fake_x.ok(), fake_x.ok(), fake_x.not_found())
    result = restored.tick()
    assert (result.outcome, "200 so far" in result.message) == ("cold-start", True)
    assert len(imports(restored)) == 201
    reads = restored.x.reads_seen()
    later(restored, 1)
    assert (len(imports(restored)), restored.x.reads_seen() - reads) == (351, 2)
    spent = restored.rows("SELECT sum(units) FROM spending WHERE kind = 'import' AND units > 1")[0][0]
    assert spent == 350 + 5  # each once, and the five that it knew


def test_a_restored_database_watches_the_deadline(restored):
    """A run with little time reads one page and says so; no post goes out before all are read."""
    restored.extra["DEADLINE_SECONDS"] = "30"
    posts = restored.x.posts_seen()
    for count in (100, 200, 300):
        result = restored.tick()
        assert (result.outcome, f"{count} so far; the time of this run" in result.message) == (
            "cold-start",
            True,
        )
    later(restored, 1)
    assert (len(imports(restored)), restored.x.posts_seen()) == (351, posts)
    later(restored, 120)
    assert restored.x.posts_seen() == posts + 1


def test_all_that_the_backup_knew_was_deleted(restored):
    """Where X shows none of the five newest tweets of the backup, everything that matters is read."""
    for tweet in restored.x.accepted:
        if tweet.via == "api" or "from before" in tweet.text:
            tweet.deleted = True
    for tweet in restored.x.accepted[-350:]:
        tweet.deleted = True
    by_hand = restored.x.accepted[0]
    by_hand.deleted = False
    later(restored, 1)
    assert restored.rows("SELECT verified_at FROM posts WHERE tweet_id = ?", by_hand.id)
    later(restored, 120)
    assert restored.x.accepted[-1].via == "api"


def test_a_person_deletes_what_no_read_has_shown(world):
    """X refuses a post and makes it, and a person deletes it before it is shown: its text goes out again, once."""
    world.warm()
    world.x.on_post(replace(fake_x.rate_limited(None), accept=True))
    refused = world.tick()
    made = world.x.accepted[-1]
    world.x.delete_by_hand(made.id)
    for minutes in (1, 17, 42, 60, 60, 60):
        world.move(minutes=minutes)
        world.tick()
    assert (refused.outcome, world.x.texts().count(made.text)) == ("later", 2)
    assert judge(world).good
    made.deleted_at = math.inf  # as if it had been there when the second one was made
    assert judge(world).doubled == 1
