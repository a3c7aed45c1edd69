"""`undo`: delete one of our tweets on X, after asking, and record that."""

from __future__ import annotations

import contextlib

from src import db_manager
from src.commands.arguments import Parser, count
from src.commands.command import Command, Context
from src.commands.result import Result, confirmed
from src.db_manager import Database
from src.domain import reasons
from src.domain.answers import Outcome, tweet_id_text, tweet_url
from src.domain.errors import AccountError, UsageError
from src.domain.fixes import Fix, command
from src.domain.posts import Post
from src.posting.run import LazyAccount
from src.x import credentials


def configure(parser: Parser) -> None:
    """Add the post and the option not to ask."""
    parser.add_argument("id", type=count, metavar="ID", help="the post, as `history` shows it")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(context: Context) -> Result:
    """Find the tweet of the post, ask, and delete it."""
    credentials.require(context.settings)
    post = _seen(context)
    if post.deleted_at:
        when = context.settings.shown(post.deleted_at)
        words = f"post {post.id} is gone already: it was deleted at {when}"
        return Result(_data(post, deleted=False), words)
    if not (context.options.yes or _agreed(context, post)):
        return Result(_data(post, deleted=False), "nothing was deleted: only the whole word yes deletes")
    with context.locked_database() as db:
        post = _find(context, db)
        tweet_id = _delete(context, db, post)
        post = db.post(post.id)
    return Result(_data(post, deleted=True), f"deleted {tweet_url(tweet_id)}")


def _data(post: Post, *, deleted: bool) -> dict[str, object]:
    return {
        "deleted": deleted,
        "id": post.id,
        "tweet_id": tweet_id_text(post.tweet_id),
        "deleted_at": post.deleted_at,
    }


def _seen(context: Context) -> Post:
    """Return the post before anybody is asked. Runs go on: the lock is taken after the answer."""
    db = db_manager.open_for_reading(context.settings.database)
    if db is None:
        raise _not_on_x(context)
    with contextlib.closing(db):
        return _find(context, db)


def _agreed(context: Context, post: Post) -> bool:
    """Show the tweet and ask."""
    plan, question = post.content.replace("\n", " "), f"Delete {tweet_url(post.tweet_id)}?"
    return confirmed(plan, question, as_json=context.options.json)


def _find(context: Context, db: Database) -> Post:
    post = db.find_post(context.options.id)
    if post is None or post.tweet_id is None:
        raise _not_on_x(context)
    return post


def _not_on_x(context: Context) -> UsageError:
    message = f"post {context.options.id} is not on X"
    return UsageError(message, Fix(command("history"), " shows the posts and their ids"))


def _delete(context: Context, db: Database, post: Post) -> int:
    tweet_id = post.tweet_id
    assert tweet_id is not None
    result = LazyAccount(context.settings, context.clock).delete(tweet_id)
    if result.outcome is not Outcome.DONE:
        message = f"X did not delete {tweet_id}: {reasons.of_answer(result.reason, result.detail)}"
        raise AccountError(message, result.fix or Fix("try again later"))
    db.tweets.stamp_deleted(post, context.now)
    return tweet_id


COMMAND = Command("undo", "delete a tweet on X, after asking, and record it", run, configure)
