"""`post`: send an own text now, under the same protocol as a run: in this slot, or with --extra beside it."""

from __future__ import annotations

import sys

from src import __version__
from src.commands import texts
from src.commands.arguments import Parser
from src.commands.command import Command, Context
from src.commands.result import Result
from src.content.intake import composed, read_stream
from src.db_manager import Database
from src.domain.answers import tweet_id_text, tweet_url
from src.domain.errors import TemporaryError
from src.domain.fixes import Fix
from src.domain.runs import Exit, TickResult
from src.posting import own_text
from src.posting.reconcile import reconcile
from src.posting.run import LazyAccount, Run, no_text
from src.x import credentials
from src.x.claim import claim_account, fix_text, require_closed_folders


def configure(parser: Parser) -> None:
    """Add the text and where it goes."""
    parser.add_argument("text", metavar="TEXT", help="the text; - reads standard input")
    parser.add_argument(
        "--extra",
        action="store_true",
        help="beside the slots, whether one is open or not",
    )


def run(context: Context) -> Result:
    """Judge the text, claim it, send it once, settle."""
    settings, given = context.settings, context.options.text
    credentials.require(settings)
    require_closed_folders(settings)
    claim_account(settings)
    text = read_stream(sys.stdin) if given == "-" else composed(given.strip())
    with context.locked_database() as db:
        return _told(context, _post(context, db, text))


def _post(context: Context, db: Database, text: str) -> TickResult:
    settings, extra = context.settings, context.options.extra
    if db.notes.get("cold_start"):
        message = "the database is new: the first run reads the account's tweets before anything is posted"
        raise TemporaryError(message, Fix("let one run end, then type the same again"))
    work = Run(settings, db, LazyAccount(settings, context.clock), no_text, context.run_id, context.clock)
    db.recover(work.slot)
    db.keep_repeat_window(settings.repeat_after_days, settings.schedule.length)
    reconcile(work)
    texts.require_good(context, db, text)
    own_text.require_due(work, text, extra=extra)
    db.journal.begin_run(context.run_id, "post", work.slot, __version__, work.started)
    result = own_text.send_now(work, text, extra=extra)
    code, outcome, message = result.exit_code, result.outcome, result.message
    now, reason = context.clock.now(), result.reason
    db.journal.finish_run(context.run_id, code, outcome, message, work.metrics, now, reason=reason)
    return result


def _told(context: Context, result: TickResult) -> Result:
    fix = fix_text(result.fix, context.settings.profile)
    url = tweet_url(result.tweet_id) if result.tweet_id else ""
    text = f"posted {url}" if url else result.message + (f"\n  fix: {fix}" if fix else "")
    data = {
        "outcome": result.outcome,
        "message": result.message,
        "post_id": result.post_id,
        "tweet_id": tweet_id_text(result.tweet_id),
        "url": url,
        "fix": fix,
        "exit_code": int(result.exit_code),
    }
    return Result(data, text, Exit(result.exit_code))


COMMAND = Command("post", "send your own text now, in this slot or beside it", run, configure)
