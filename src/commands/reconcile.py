"""`reconcile`: settle unknown posts from the timeline, or one by the owner's word."""

from __future__ import annotations

import argparse

from src.commands.arguments import Parser, count
from src.commands.command import Command, Context
from src.commands.result import Result
from src.domain.posts import Post, Status
from src.domain.runs import Exit
from src.posting.by_hand import settle_by_hand, take_back
from src.posting.reconcile import reconcile
from src.posting.run import LazyAccount, Run, no_text
from src.x import credentials


def configure(parser: Parser) -> None:
    """Add the post to settle by hand and its outcome."""
    parser.add_argument("id", nargs="?", type=count, metavar="ID", help="the post to settle by hand")
    outcome = parser.add_mutually_exclusive_group()
    outcome.add_argument("--posted", type=count, metavar="TWEET_ID", help="it is on X under this id")
    outcome.add_argument("--not-posted", action="store_true", help="it is not on X")
    outcome.add_argument("--take-back", action="store_true", help="the tweet id given before was wrong")


def problem(options: argparse.Namespace) -> str:
    """Return what is missing: an id goes with an outcome, and an outcome with an id."""
    outcome = options.posted or options.not_posted or options.take_back
    if outcome and options.id is None:
        return "--posted, --not-posted and --take-back need the ID of a post, which the command history shows"
    if options.id is not None and not outcome:
        return "say --posted TWEET_ID, --not-posted or --take-back"
    return ""


def run(context: Context) -> Result:
    """Settle what can be settled and list what stays open."""
    settings, clock = context.settings, context.clock
    with context.locked_database() as db:
        work = Run(settings, db, LazyAccount(settings, clock), no_text, context.run_id, clock)
        db.recover(work.slot)
        settled = _settle(work, context.options)
        left = db.archive.open_posts()
    ending = f"still open: {_few(left)}" if left else "nothing is open"
    data = {"settled": settled, "open": left}
    return Result(data, "\n".join([*settled, ending]), Exit.UNKNOWN if left else Exit.OK)


def _few(ids: list[int], most: int = 20) -> str:
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(map(str, ids[:most])) + more


def _settle(work: Run, options: argparse.Namespace) -> list[str]:
    """Settle by hand or from the timeline; return a line for each post that was settled."""
    if options.take_back:
        posts = [take_back(work, options.id)]
    elif options.id:
        posts = [settle_by_hand(work, options.id, options.posted)]
    else:
        posts = _settle_all(work)
    return [f"post {post.id}: {post.status}" for post in posts]


def _settle_all(work: Run) -> list[Post]:
    before = work.db.with_status(Status.UNKNOWN)
    if before:
        credentials.require(work.settings)
    reconcile(work)
    after = [work.db.post(post.id) for post in before]
    return [post for post in after if post.status is not Status.UNKNOWN]


COMMAND = Command(
    "reconcile",
    "look on X for posts whose outcome is unknown, or settle one by hand",
    run,
    configure,
    problem,
)
