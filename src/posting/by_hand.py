"""Settle one post by the owner's word, and take that word back."""

from __future__ import annotations

from datetime import datetime

from src.domain.answers import CLOCK_TOLERANCE, Tweet, snowflake_time
from src.domain.errors import UsageError
from src.domain.fixes import Fix, line
from src.domain.posts import Post, Status
from src.domain.texts import same_text
from src.posting.due import price_of
from src.posting.reconcile import made_since, read_timeline, sent_time
from src.posting.run import Run

EDITED_WITHIN = 7_200_000 << 22  # two hours, as ids count: later X takes no edit
FIX_ID = Fix("copy the id from the tweet's address at x.com, all of its digits")


def settle_by_hand(run: Run, post_id: int, tweet_id: int | None) -> Post:
    """Settle an open post by the owner's word: on X as `tweet_id`, or absent (None). Raise `UsageError`."""
    post = run.db.find_post(post_id)
    if post is None or post.status not in {Status.UNKNOWN, Status.UNCONFIRMED, Status.FAILED}:
        state = post.status if post else "not there"
        message = f"post {post_id} is {state}; only an unknown one can be settled"
        raise UsageError(message, Fix("type: ", line("history")))
    if tweet_id is None:
        run.db.prove_absent(post, "operator", free_slot=False)
        return run.db.post(post.id)
    now, tweet = run.clock.now(), Tweet(tweet_id, post.content)
    _require_plausible(run, post, tweet, now)
    tweet = _require_seen(run, tweet)
    if not run.db.confirm_posted(post, tweet, "operator", now, price_of(post.content, run.settings)):
        message = f"tweet {tweet_id} belongs to another post already"
        raise UsageError(message, FIX_ID)
    return run.db.post(post.id)


def _require_plausible(run: Run, post: Post, tweet: Tweet, now: datetime) -> None:
    """Raise `UsageError` for an id that X cannot have given to this post's tweet: the id holds its time."""
    if made_since(run.db, post, tweet, now) and tweet.at <= now + CLOCK_TOLERANCE:
        return
    sent = sent_time(run.db, post)
    message = f"tweet {tweet.id} was made at {run.settings.shown(tweet.at)}"
    if sent:
        message += f", but post {post.id} was sent at {run.settings.shown(sent)}"
    raise UsageError(message, FIX_ID)


def _require_seen(run: Run, tweet: Tweet) -> Tweet:
    """Return the tweet as the timeline shows it, if that can be read.

    Raise `UsageError` if it does not show it, or with another text than the post's. An edited tweet has a new
    id and other words: the owner knows.
    """
    if run.settings.missing_credentials:
        return tweet
    read = read_timeline(run, tweet.id - 1, until_id=tweet.id + EDITED_WITHIN)
    if not read.healthy:
        return tweet
    shown = next((item for item in read.tweets if tweet.id in item.ids), None)
    if shown is None:
        message = f"tweet {tweet.id} is not on the timeline of this account"
        raise UsageError(message, FIX_ID)
    if not shown.earlier and not same_text(shown.text, tweet.text):
        message = f"tweet {tweet.id} has another text than this post"
        raise UsageError(message, FIX_ID)
    return shown


def take_back(run: Run, post_id: int) -> Post:
    """Take back the tweet id that a person gave to a post, or that lies in the future. Raise `UsageError`."""
    post = run.db.find_post(post_id)
    if post is None or not _may_be_taken_back(run, post):
        message = f"post {post_id} has no tweet id that a person gave it"
        raise UsageError(message, Fix("type: ", line("history")))
    run.db.take_back(post)
    return run.db.post(post_id)


def _may_be_taken_back(run: Run, post: Post) -> bool:
    if post.tweet_id is None:
        return False
    in_future = snowflake_time(post.tweet_id) > run.clock.now() + CLOCK_TOLERANCE
    return post.resolved_by == "operator" or in_future
