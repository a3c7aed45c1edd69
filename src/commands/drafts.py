"""`drafts`: another name for `queue`, for those who approve each text: `generate` writes drafts."""

from __future__ import annotations

import sys
from collections.abc import Callable

from src.commands import texts
from src.commands.arguments import Parser, add_actions, count
from src.commands.command import Command, Context
from src.commands.result import Result
from src.content.intake import composed, read_stream
from src.db_manager import Database
from src.domain.fixes import Fix, command
from src.domain.posts import Status
from src.x.claim import fix_text


def configure(parser: Parser) -> None:
    """Add the actions with their options."""
    action = add_actions(parser)
    generate = action("generate", "write drafts with one start of the model")
    generate.add_argument("-n", type=count, default=10, metavar="N", help="how many (default 10)")
    action("list", "list the drafts that wait and those approved")
    texts.add_id(action("show", "show a draft with its length and verdict"))
    texts.add_ids(action("approve", "approve drafts: they go out before anything new"))
    edit = action("edit", "put your own text in the place of a draft's")
    texts.add_id(edit)
    edit.add_argument("text", metavar="TEXT", help="the new text; - reads standard input")
    texts.add_ids(action("reject", "reject drafts: they never go out"))


def run(context: Context) -> Result:
    """Carry out `drafts ACTION`. Raise `UsageError` for a missing draft or a text that is refused."""
    options = context.options
    if options.action == "edit":  # before the lock is taken: who types may take their time
        options.text = read_stream(sys.stdin) if options.text == "-" else composed(options.text.strip())
    with context.locked_database() as db:
        return _ACTIONS[context.options.action](context, db)


def _list(context: Context, db: Database) -> Result:
    posts = [*db.with_status(Status.APPROVED), *db.with_status(Status.DRAFT)]
    none = Fix("no drafts: ", command("drafts generate -n 10"), " writes some")
    words = "\n".join(map(texts.line, posts)) or fix_text(none, context.settings.profile)
    return Result({"drafts": list(map(texts.data, posts))}, words)


def _edit(context: Context, db: Database) -> Result:
    post = texts.find(db, context.options.id)
    words = texts.edit(context, db, post, context.options.text)
    return Result(texts.data(db.post(post.id)), f"draft {post.id} {words}")


_ACTIONS: dict[str, Callable[[Context, Database], Result]] = {
    "generate": lambda context, db: texts.fill(context, db, approved=False),
    "list": _list,
    "show": texts.show,
    "approve": lambda context, db: texts.change_all(context, db, texts.approve),
    "edit": _edit,
    "reject": lambda context, db: texts.change_all(context, db, texts.reject),
}

COMMAND = Command("drafts", "write, list, show, approve, edit or reject drafts", run, configure)
