"""`queue`: what goes out next and when; own texts, texts written ahead, drafts that wait for a person."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from src import db_manager
from src.commands import review, texts
from src.commands.arguments import Parser, add_actions, count
from src.commands.command import AHEAD, Command, Context
from src.commands.result import Result
from src.content.intake import MAX_CHARACTERS, composed, read_file, read_stream
from src.db_manager import Database
from src.domain.errors import UsageError
from src.domain.fixes import Fix, command
from src.domain.plurals import numbered
from src.domain.posts import Post, Status
from src.posting.plan import plan
from src.x.claim import fix_text

MOST_TEXTS = 200  # in one file


def configure(parser: Parser) -> None:
    """Add the actions; without one the queue is listed."""
    action = add_actions(parser)
    parser.actions = {}  # none is needed
    parser.set_defaults(n=10)
    listing = action("list", "list what goes out next, with its expected time, as without an action")
    listing.add_argument("-n", type=count, default=10, metavar="N", help="how many (default 10)")
    fill = action("fill", "write texts ahead with one start of the model")
    fill.add_argument("-n", type=count, default=24, metavar="N", help="how many (default 24)")
    add = action("add", "put your own text in line; it goes out before anything that the program wrote")
    add.add_argument("text", nargs="?", metavar="TEXT", help="the text; - reads texts from standard input")
    add.add_argument("--file", metavar="FILE", help="read texts from a file, with an empty line between two")
    add.add_argument("--at", metavar="TIME", help='not before this time, as "2026-12-01 15:00" in TIME_ZONE')
    action("review", "show one draft after the other, and approve, edit or reject it")
    texts.add_id(action("show", "show a text with its length and the verdict of the gates"))
    texts.add_ids(action("approve", "approve drafts: they go out before anything new"))
    edit = action("edit", "put your own text in the place of another")
    texts.add_id(edit)
    edit.add_argument("text", metavar="TEXT", help="the new text; - reads standard input")
    texts.add_ids(action("reject", "reject texts: they never go out"))
    texts.add_ids(action("unreject", "make rejected texts drafts again"))
    move = action("move", "give texts another time, or a place at the front")
    texts.add_ids(move)
    where = move.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--at", metavar="TIME", help='not before this time, as "2026-12-01 15:00" in TIME_ZONE'
    )
    where.add_argument("--first", action="store_true", help="before all others without a time")
    where.add_argument("--back", action="store_true", help="without a time, in the place of before")


def problem(options: argparse.Namespace) -> str:
    """Return what does not go together."""
    if options.action == "add" and (options.text is None) == (options.file is None):
        return "say the TEXT or --file FILE, one of them"
    return ""


def run(context: Context) -> Result:
    """Carry out one action. Raise `UsageError` for a missing text or one that is refused."""
    action = context.options.action or "list"
    if action == "list":
        return _list(context)
    if action == "review":
        return review.run(context)
    if action == "edit":  # before the lock is taken: who types may take their time
        text = context.options.text
        context.options.text = read_stream(sys.stdin) if text == "-" else composed(text.strip())
    given = _given(context.options) if action == "add" else []
    with context.locked_database() as db:
        return _add(context, db, given) if action == "add" else _ACTIONS[action](context, db)


def _list(context: Context) -> Result:
    settings = context.settings
    db = db_manager.open_for_reading(settings.database)
    if db is None:
        return Result({"next": [], "drafts": []}, _empty(context))
    with contextlib.closing(db):
        planned = plan(db, settings, context.now)
        drafts = db.with_status(Status.DRAFT)
        pause = db.notes.timetable(settings.schedule, context.now).pause_at(context.now)
    shown = planned[: context.options.n]
    lines = [row for item in shown for row in texts.planned_lines(context, item)]
    if pause and pause.until is None:
        lines.insert(0, "paused: nothing goes out until you resume")
    if len(planned) > len(shown):
        lines.append(f"and {len(planned) - len(shown)} more: -n {len(planned)} shows all")
    if drafts:
        waits = f"{numbered(len(drafts), 'draft waits', 'drafts wait')} for you: "
        lines.append(fix_text(Fix(waits, command("queue review")), settings.profile))
    data = {
        "next": [texts.planned_data(context, item) for item in planned],
        "drafts": [texts.data(post) for post in drafts],
        "queue_ahead": settings.queue_ahead,
    }
    return Result(data, "\n".join(lines) or _empty(context))


def _empty(context: Context) -> str:
    if context.settings.require_approval:
        words = Fix("nothing waits: ", command("queue fill -n 24"), " writes drafts for you to approve")
    else:
        filled = command("queue fill -n 24")
        words = Fix("nothing waits: each text is written when it is due; ", filled, " writes ahead")
    return fix_text(words, context.settings.profile)


def _fill(context: Context, db: Database) -> Result:
    return texts.fill(context, db, approved=not context.settings.require_approval)


def _given(options: argparse.Namespace) -> list[str]:
    """Return the texts to add: one, or those of a file with an empty line between two."""
    if options.file is None and options.text != "-":
        return [composed(options.text.strip())]
    if options.file is None:
        source = sys.stdin.read(MOST_TEXTS * MAX_CHARACTERS) if sys.stdin else ""
    else:
        try:
            source = read_file(Path(options.file))
        except (OSError, ValueError) as error:
            message = f"{options.file} cannot be read: {error}"
            raise UsageError(message, Fix("name a file of UTF-8 text")) from error
    paragraphs = ("\n".join(lines) for lines in _paragraphs(source.splitlines()))
    given = [composed(paragraph) for paragraph in paragraphs]
    if not given or len(given) > MOST_TEXTS:
        message = f"{numbered(len(given), 'text')} were read"
        raise UsageError(message, Fix(f"give 1 to {MOST_TEXTS} texts, with an empty line between two"))
    return given


def _paragraphs(lines: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for text in (text.strip() for text in lines):
        if text:
            found[-1].append(text)
        elif found[-1]:
            found.append([])
    return [paragraph for paragraph in found if paragraph]


def _add(context: Context, db: Database, given: list[str]) -> Result:
    at = _typed_time(context)
    for number, text in enumerate(given, 1):
        try:
            texts.require_good(context, db, text)
        except UsageError as error:
            which = f"text {number} of {len(given)}: " if len(given) > 1 else ""
            message = f"{which}{error}; nothing was added"
            raise UsageError(message, error.fix) from error
    added = [db.queue.add_own(text, context.now, at).id for text in given]
    planned = [item for item in plan(db, context.settings, context.now) if item.post.id in added]
    rows = [row for item in planned for row in texts.planned_lines(context, item)]
    data = {"added": [texts.planned_data(context, item) for item in planned]}
    return Result(data, "\n".join([f"{numbered(len(added), 'text')} added", *rows]))


def _typed_time(context: Context) -> datetime | None:
    text = context.options.at
    return None if text is None else context.time_ahead(text, AHEAD)


def _move(context: Context, db: Database) -> Result:
    options = context.options
    at = _typed_time(context)

    def move(_context: Context, db: Database, post: Post) -> str:
        place = db.queue.front() if options.first else None
        if not db.queue.move(post, at, place):
            message = f"draft {post.id} was {post.status}"
            raise UsageError(message, Fix(command("queue"), " shows what waits"))
        if options.first:
            return "goes first"
        return f"goes out from {context.settings.shown(at)} on" if at else "has the place of before"

    return texts.change_all(context, db, move)


def _edit(context: Context, db: Database) -> Result:
    post = texts.find(db, context.options.id)
    words = texts.edit(context, db, post, context.options.text)
    return Result(texts.data(db.post(post.id)), f"draft {post.id} {words}")


_ACTIONS: dict[str, Callable[[Context, Database], Result]] = {
    "fill": _fill,
    "show": texts.show,
    "approve": lambda context, db: texts.change_all(context, db, texts.approve),
    "edit": _edit,
    "reject": lambda context, db: texts.change_all(context, db, texts.reject),
    "unreject": lambda context, db: texts.change_all(context, db, texts.take_back),
    "move": _move,
}

COMMAND = Command(
    "queue", "list what goes out next and when; add, write ahead, review texts", run, configure, problem
)
