"""`history`: the last posts, newest first; with --all every text."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from src import db_manager
from src.commands.arguments import Parser, count
from src.commands.command import Command, Context
from src.commands.result import Result
from src.config import Settings
from src.domain.answers import tweet_id_text, tweet_url
from src.domain.posts import Post
from src.domain.results import PostResult
from src.watch.report.results_text import figures_data, figures_text


def configure(parser: Parser) -> None:
    """Add how many posts to list."""
    parser.add_argument("-n", type=count, default=10, metavar="N", help="how many (default 10)")
    parser.add_argument(
        "--all", action="store_true", help="also drafts, rejected texts and those that were never sent"
    )


def run(context: Context) -> Result:
    """Read the last posts; without a database there are none."""
    posts: list[Post] = []
    results: Mapping[int, PostResult] = {}
    db = db_manager.open_for_reading(context.settings.database)
    if db is not None:
        with contextlib.closing(db):
            options = context.options
            posts = db.archive.history(options.n) if options.all else db.archive.sent_posts(options.n)
            results = db.results.of([post.id for post in posts])
    lines = [line for post in posts for line in _lines(post, results.get(post.id), context.settings)]
    return Result(
        {"posts": [_data(post, results.get(post.id)) for post in posts]}, "\n".join(lines) or "no posts yet"
    )


def _data(post: Post, result: PostResult | None) -> dict[str, object]:
    return {
        "id": post.id,
        "status": post.status,
        "slot": post.slot,
        "posted_at": post.posted_at,
        "tweet_id": tweet_id_text(post.tweet_id),
        "verified_at": post.verified_at,
        "vanished_at": post.vanished_at,
        "deleted_at": post.deleted_at,
        "origin": post.origin,
        "source_id": post.source_id,
        "content": post.content,
        "error": post.error_message,
        "results": figures_data(result),
    }


def _lines(post: Post, result: PostResult | None, settings: Settings) -> Iterator[str]:
    at = post.posted_at or post.sent_at
    when = settings.shown(at) if at else "-"
    outcome = tweet_url(post.tweet_id) if post.tweet_id else post.error_message or ""
    yield f"{post.id:>5}  {when:<21} {_state(post, settings):<11} {outcome}"
    yield from (f"       {line}" for line in post.content.splitlines() if line)
    if result:
        yield f"       {figures_text(result)}"


def _state(post: Post, settings: Settings) -> str:
    """Return where a post stands, also if its tweet is not on X any more."""
    if post.deleted_at:
        return f"deleted by you on {settings.shown(post.deleted_at)}"
    return "no longer on X" if post.vanished_at else post.status


COMMAND = Command("history", "list the last posts", run, configure)
