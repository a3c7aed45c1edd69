"""The owner settles a post: what is taken, what is refused, and what is taken back."""

from datetime import timedelta

import pytest

from src.domain.answers import Outcome, SendResult, TimelineRead, Tweet, snowflake_time
from src.domain.errors import UsageError
from src.domain.posts import Status
from src.posting.by_hand import settle_by_hand, take_back
from tests.support.scripted import KEYS, Scripted, scripted_run, shows, tweet_at
from tests.support.stored import NOW, SLOT, put, sent

MINUTE, MS = timedelta(minutes=1), timedelta(milliseconds=1)
TEXT = "Text number 1."
MADE = tweet_at(NOW, TEXT)


def left_open(run, status=Status.UNKNOWN, outcome=Outcome.UNKNOWN):
    """Send a text at NOW and leave it in this state."""
    post, attempt = sent(run.db)
    post = run.db.settle(post, attempt, SendResult(outcome), NOW)
    if status is Status.FAILED:
        run.db.prove_absent(post, "absent", free_slot=False)
    elif status is Status.UNCONFIRMED:
        run.db.give_up(post)
    return run.db.post(post.id)


def looking(*reads):
    """Return a run whose account can be read, and shows this."""
    return scripted_run(KEYS, account=Scripted(reads=reads))


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.UNCONFIRMED, Status.FAILED])
def test_on_x_by_the_word_of_the_owner(status):
    """A post that is open, or that was given up, becomes posted under the id; without keys nothing is read."""
    run = scripted_run()
    post = settle_by_hand(run, left_open(run, status).id, MADE.id)
    assert (post.status, post.tweet_id, post.resolved_by) == (Status.POSTED, MADE.id, "operator")
    assert (post.posted_at, post.sent_at, post.verified_at) == (NOW, NOW, NOW)
    assert run.account.ranges == []


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.UNCONFIRMED])
def test_absent_by_the_word_of_the_owner(status):
    """The post has failed, and its slot stays used: the word of a person is no proof."""
    run = scripted_run()
    post = settle_by_hand(run, left_open(run, status).id, None)
    assert (post.status, post.resolved_by, post.slot) == (Status.FAILED, "operator", SLOT)


def test_what_the_owner_finds_after_a_refusal_is_billed():
    """X had refused the text, so nothing was entered in the ledger: its price is entered now."""
    run = scripted_run()
    post = left_open(run, outcome=Outcome.REFUSED)
    assert run.db.archive.usage("", NOW).spent_24h == 0
    settle_by_hand(run, post.id, MADE.id)
    assert run.db.archive.usage("", NOW).spent_24h == pytest.approx(run.settings.price_post_usd)


@pytest.mark.parametrize("tweet_id", [None, MADE.id])
@pytest.mark.parametrize("status", sorted({*Status} - {Status.UNKNOWN, Status.UNCONFIRMED, Status.FAILED}))
def test_only_what_is_open_is_settled(status, tweet_id):
    """A post in any other state stays as it is, and the refusal names the state."""
    run = scripted_run()
    number = put(run.db, status, TEXT, sent_at=NOW, tweet_id=1 if status is Status.POSTED else None)
    before = run.db.post(number)
    with pytest.raises(UsageError, match=f"^post {number} is {status}; only an unknown one can be settled$"):
        settle_by_hand(run, number, tweet_id)
    assert run.db.post(number) == before


@pytest.mark.parametrize("tweet_id", [None, MADE.id])
def test_a_post_that_is_not_there(tweet_id):
    """An id that no post has is refused as that."""
    with pytest.raises(UsageError, match="^post 7 is not there; only an unknown one can be settled$"):
        settle_by_hand(scripted_run(), 7, tweet_id)


@pytest.mark.parametrize(
    ("since_now", "possible"),
    [
        (-5 * MINUTE - MS, False),
        (-5 * MINUTE, True),
        (5 * MINUTE, True),
        (5 * MINUTE + MS, False),
        (timedelta(days=400), False),
    ],
)
def test_when_the_tweet_can_have_been_made(since_now, possible):
    """An id holds its time: not before the send and not later than now, with five minutes for wrong clocks."""
    run = scripted_run()
    post, tweet = left_open(run), tweet_at(NOW + since_now)
    if possible:
        assert settle_by_hand(run, post.id, tweet.id).tweet_id == tweet.id
        return
    with pytest.raises(UsageError, match=f"was made at .*, but post {post.id} was sent at .*14:07"):
        settle_by_hand(run, post.id, tweet.id)
    assert run.db.post(post.id) == post


def test_a_post_that_nobody_knows_to_be_sent():
    """A row of the original program has no time of its send: the refusal names the time of the id alone."""
    run = scripted_run()
    number = put(run.db, Status.UNCONFIRMED, TEXT)
    with pytest.raises(UsageError, match="was made at") as raised:
        settle_by_hand(run, number, tweet_at(NOW + 6 * MINUTE).id)
    assert "was sent at" not in str(raised.value)
    assert settle_by_hand(run, number, MADE.id).status is Status.POSTED


def test_a_tweet_of_another_post():
    """A tweet is one post's: the other one keeps it, and this one stays open."""
    run = scripted_run()
    post = left_open(run)
    run.db.tweets.import_tweets([MADE], NOW)
    with pytest.raises(UsageError, match=f"^tweet {MADE.id} belongs to another post already$"):
        settle_by_hand(run, post.id, MADE.id)
    assert run.db.post(post.id) == post


# ---- what the timeline says ------------------------------------------------------------------------------------


def test_the_timeline_is_asked_for_this_tweet():
    """The read begins at the tweet and ends two hours later: until then X takes an edit, which is a new id."""
    run = looking(shows(MADE))
    settle_by_hand(run, left_open(run).id, MADE.id)
    ((since, until),) = run.account.ranges
    assert since == MADE.id - 1
    assert until >> 22 == (MADE.id >> 22) + 7_200_000
    assert snowflake_time(until) == NOW + timedelta(hours=2)


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        ([], "is not on the timeline of this account"),
        ([tweet_at(NOW + MINUTE, TEXT)], "is not on the timeline of this account"),
        ([tweet_at(NOW, "Quite another text.")], "has another text than this post"),
        ([tweet_at(NOW + MINUTE, TEXT), tweet_at(NOW, "Another.")], "has another text than this post"),
    ],
)
def test_a_tweet_that_the_timeline_denies(shown, message):
    """A tweet that is not shown, or with other words, is not this post."""
    run = looking(shows(*shown))
    post = left_open(run)
    with pytest.raises(UsageError, match=f"^tweet {MADE.id} {message}$"):
        settle_by_hand(run, post.id, MADE.id)
    assert run.db.post(post.id) == post


def test_a_tweet_among_others():
    """Of several tweets the one with this id counts."""
    run = looking(shows(tweet_at(NOW + MINUTE, "Another."), MADE, tweet_at(NOW - MINUTE, "Of old.")))
    assert settle_by_hand(run, left_open(run).id, MADE.id).tweet_id == MADE.id


@pytest.mark.parametrize("named", ["first", "last"])
@pytest.mark.parametrize("text", [TEXT, "So it reads since its edit."])
def test_an_edited_tweet(named, text):
    """The owner knows what was edited: whichever of its ids is named, the post gets the first one."""
    edited = tweet_at(NOW + MINUTE, text, earlier=(MADE.id,))
    run = looking(shows(edited))
    post = settle_by_hand(run, left_open(run).id, MADE.id if named == "first" else edited.id)
    assert (post.status, post.tweet_id) == (Status.POSTED, MADE.id)


@pytest.mark.parametrize("read", [TimelineRead(), TimelineRead((Tweet(MADE.id, "Another."),))])
def test_where_the_timeline_cannot_be_read(read):
    """A read that is not healthy denies nothing: the owner's word stands."""
    run = looking(read)
    assert settle_by_hand(run, left_open(run).id, MADE.id).tweet_id == MADE.id


# ---- taken back ------------------------------------------------------------------------------------------------


def test_the_word_of_the_owner_is_taken_back():
    """The post waits for a person again, as sent when it was sent."""
    run = scripted_run()
    post = settle_by_hand(run, left_open(run).id, tweet_at(NOW + MINUTE).id)
    back = take_back(run, post.id)
    assert (back.id, back.status, back.tweet_id, back.sent_at) == (post.id, Status.UNCONFIRMED, None, NOW)


@pytest.mark.parametrize(
    ("since_now", "possible"), [(-MINUTE, False), (5 * MINUTE, False), (5 * MINUTE + MS, True)]
)
def test_an_id_of_the_future_is_taken_back(since_now, possible):
    """An id that X gave is taken back only where it lies in the future: a clock was wrong, or the file is."""
    run = scripted_run()
    number = put(run.db, Status.POSTED, TEXT, tweet_id=tweet_at(NOW + since_now).id, sent_at=NOW)
    if possible:
        assert take_back(run, number).status is Status.UNCONFIRMED
        return
    with pytest.raises(UsageError, match=f"^post {number} has no tweet id that a person gave it$"):
        take_back(run, number)
    assert run.db.post(number).status is Status.POSTED


@pytest.mark.parametrize("resolved_by", ["timeline", "audit", "absent", None])
def test_what_the_program_found_is_not_taken_back(resolved_by):
    """What the timeline showed is no word of the owner's."""
    run = scripted_run()
    number = put(run.db, Status.POSTED, TEXT, tweet_id=MADE.id, sent_at=NOW, resolved_by=resolved_by)
    with pytest.raises(UsageError, match="has no tweet id"):
        take_back(run, number)


def test_what_has_no_tweet_id_cannot_be_taken_back():
    """Neither a post that the owner called absent nor an id that no post has."""
    run = scripted_run()
    post = settle_by_hand(run, left_open(run).id, None)
    for number in (post.id, post.id + 1):
        with pytest.raises(UsageError, match=f"^post {number} has no tweet id"):
            take_back(run, number)
    assert run.db.post(post.id) == post
