"""`history`: the last posts, newest first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from src import db_manager
from src.commands.arguments import Parser, count
from src.commands.command import Command, Context
from src.commands.result import Result
from src.domain.answers import tweet_url
from src.domain.posts import Post


def configure(parser: Parser) -> None:
    """Add how many posts to list."""
    parser.add_argument("-n", type=count, default=10, metavar="N", help="how many (default 10)")


def run(context: Context) -> Result:
    """Read the last posts; without a database there are none."""
    posts: list[Post] = []
    db = db_manager.open_for_reading(context.settings.database)
    if db is not None:
        with contextlib.closing(db):
            posts = db.archive.history(context.options.n)
    lines = [line for post in posts for line in _lines(post)]
    return Result(list(map(_data, posts)), "\n".join(lines) or "no posts yet")


def _data(post: Post) -> dict[str, object]:
    return {
        "id": post.id,
        "status": post.status,
        "slot": post.slot,
        "posted_at": post.posted_at,
        "tweet_id": str(post.tweet_id or ""),
        "verified_at": post.verified_at,
        "origin": post.origin,
        "source_id": post.source_id,
        "content": post.content,
        "error": post.error_message,
    }


def _lines(post: Post) -> Iterator[str]:
    when = f"{post.posted_at:%F %R}" if post.posted_at else post.slot or "-"
    outcome = tweet_url(post.tweet_id) if post.tweet_id else post.error_message or ""
    yield f"{post.id:>5}  {when:<17} {post.status:<11} {outcome}"
    yield from (f"       {line}" for line in post.content.splitlines() if line)


COMMAND = Command("history", "list the last posts", run, configure)
