"""`reconcile`: settle unknown posts from the timeline, or one by the owner's word."""

from __future__ import annotations

import argparse
from datetime import timedelta

from src.commands.arguments import Parser, count
from src.commands.command import Command, Context
from src.commands.result import Result
from src.config import Settings
from src.domain.answers import tweet_id_text
from src.domain.fixes import Fix, command
from src.domain.posts import Post, Status
from src.domain.runs import Exit
from src.posting.by_hand import settle_by_hand, take_back
from src.posting.reconcile import GIVE_UP_AFTER, reconcile
from src.posting.run import LazyAccount, Run, no_text
from src.x import credentials
from src.x.claim import fix_text

MOST = 20  # open posts that are listed


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
        left = [db.post(number) for number in db.archive.open_posts()]
    rows = [_open_data(post, settings) for post in left]
    data: dict[str, object] = {"settled": [_settled_data(post) for post in settled], "open": rows}
    lines = [f"post {post.id}: {post.status}" for post in settled]
    if not left:
        return Result(data, "\n".join([*lines, "nothing is open"]))
    fix = fix_text(_fix(left[0]), settings.profile)
    data |= {"message": f"still open: {_few([post.id for post in left])}", "fix": fix}
    lines += [f"post {row['id']} is open: {row['says']}" for row in rows[:MOST]]
    if len(rows) > MOST:
        lines.append(f"and {len(rows) - MOST} more")
    return Result(data, "\n".join([*lines, f"fix: {fix}"]), Exit.UNKNOWN)


def _settled_data(post: Post) -> dict[str, object]:
    return {"id": post.id, "status": post.status, "tweet_id": tweet_id_text(post.tweet_id)}


def _open_data(post: Post, settings: Settings) -> dict[str, object]:
    """Return an open post with why it is open and until when the program looks for it."""
    sent = f"sent at {settings.shown(post.sent_at)}" if post.sent_at else "sent at a time that is not known"
    if post.status is Status.UNCONFIRMED:
        says = f"{sent}, not found within {GIVE_UP_AFTER // timedelta(hours=1)} hours; only you can settle it"
    elif post.sent_at:
        until = settings.shown(post.sent_at + GIVE_UP_AFTER)
        says = f"{sent}, not seen on the timeline yet; each run looks again until {until}"
    else:
        says = f"{sent}; each run looks for it on the timeline"
    return {"id": post.id, "status": post.status, "sent_at": post.sent_at, "says": says}


def _fix(post: Post) -> Fix:
    by_hand = Fix(
        command(f"reconcile {post.id} --posted TWEET_ID"),
        " or ",
        command(f"reconcile {post.id} --not-posted"),
        " settles it, once you have looked at your account",
    )
    return by_hand if post.status is Status.UNCONFIRMED else Fix("wait for the next runs; or ", by_hand)


def _few(ids: list[int]) -> str:
    more = f" and {len(ids) - MOST} more" if len(ids) > MOST else ""
    return ", ".join(map(str, ids[:MOST])) + more


def _settle(work: Run, options: argparse.Namespace) -> list[Post]:
    """Settle by hand or from the timeline; return each post that was settled."""
    if options.take_back:
        return [take_back(work, options.id)]
    if options.id:
        return [settle_by_hand(work, options.id, options.posted)]
    return _settle_all(work)


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
