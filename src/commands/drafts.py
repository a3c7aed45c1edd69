"""`drafts`: texts that wait for a person. The gates judge an edited text too; approved ones go out first."""

from __future__ import annotations

import sys
from collections.abc import Callable

from src import content_generator
from src.commands.arguments import Parser, add_actions, count
from src.commands.command import Command, Context
from src.commands.result import Result
from src.content.intake import composed, read_stream
from src.content.tweet_text import MAX_WEIGHT, weighted_length
from src.db_manager import Database
from src.domain import feeds
from src.domain.errors import UsageError
from src.domain.fixes import Fix, command
from src.domain.notes import NoteCode
from src.domain.posts import Post, Status
from src.domain.runs import Exit
from src.domain.texts import Verdict
from src.posting import past
from src.system.log import sanitise
from src.x.claim import fix_text, note_text

SECONDS_A_DRAFT = 10.0


def configure(parser: Parser) -> None:
    """Add the actions with their options."""
    action = add_actions(parser)
    generate = action("generate", "write drafts with one start of the model")
    generate.add_argument("-n", type=count, default=10, metavar="N", help="how many (default 10)")
    action("list", "list the drafts that wait and those approved")
    _add_id(action("show", "show a draft with its length and verdict"))
    _add_id(action("approve", "approve a draft: it goes out first"))
    edit = action("edit", "put your own text in the place of a draft's")
    _add_id(edit)
    edit.add_argument("text", metavar="TEXT", help="the new text; - reads standard input")
    _add_id(action("reject", "reject a draft: it never goes out"))


def _add_id(parser: Parser) -> None:
    parser.add_argument("id", type=count, metavar="ID", help="which draft")


def run(context: Context) -> Result:
    """Carry out `drafts ACTION`. Raise `UsageError` for a missing draft or a text that is refused."""
    options = context.options
    if options.action == "edit":  # before the lock is taken: who types may take their time
        options.text = read_stream(sys.stdin) if options.text == "-" else composed(options.text.strip())
    with context.locked_database() as db:
        return _ACTIONS[context.options.action](context, db)


def _generate(context: Context, db: Database) -> Result:
    settings, now, number = context.settings, context.now, context.options.n
    seconds = settings.generate_seconds + SECONDS_A_DRAFT * number
    patient = settings.model_copy(update={"generate_seconds": seconds})
    history = past.history_of(db, settings, now)
    compositions = content_generator.compose_many(patient, history, now, number, seconds=seconds)
    made = [db.add_draft(c.draft, now) for c in compositions if c.draft]
    remarks = dict.fromkeys(
        note for c in compositions for note in c.notes if note.code is not NoteCode.NO_GOOD_OPENING
    )
    notes = [note_text(note, settings.profile) for note in remarks]
    waiting = len(db.with_status(Status.DRAFT))
    ending = f"{len(made)} written, {waiting} {'waits' if waiting == 1 else 'wait'}"
    if waiting:
        ending += fix_text(Fix(": ", command("drafts approve ID"), " lets one go out"), settings.profile)
    data = {"drafts": [_data(post) for post in made], "waiting": waiting, "notes": notes}
    code = Exit.OK if made else Exit.NO_CONTENT
    return Result(data, "\n".join([*map(_line, made), *notes, ending]), code)


def _list(context: Context, db: Database) -> Result:
    posts = [*db.with_status(Status.APPROVED), *db.with_status(Status.DRAFT)]
    none = fix_text(
        Fix("no drafts: ", command("drafts generate -n 10"), " writes some"), context.settings.profile
    )
    return Result(list(map(_data, posts)), "\n".join(map(_line, posts)) or none)


def _show(context: Context, db: Database) -> Result:
    post = _find(context, db)
    verdict = _judged(context, db, post.content, own=post)
    words = "passes every gate" if verdict.passed else f"refused: {'; '.join(verdict.explained)}"
    weight = weighted_length(post.content)
    text = f"{_line(post)}\n\n{post.content}\n\n{weight} of {MAX_WEIGHT}; {words}"
    return Result({**_data(post), "weighted_length": weight, "reasons": list(verdict.reasons)}, text)


def _approve(context: Context, db: Database) -> Result:
    post = _find(context, db)
    _refuse_bad(context, db, post.content, own=post)
    done = db.approve(post, context.now)
    return _moved(db, post, done=done, words="approved: it goes out before anything new")


def _edit(context: Context, db: Database) -> Result:
    post, text = _find(context, db), context.options.text
    _refuse_bad(context, db, text, own=post)
    return _moved(db, post, done=db.edit(post, text), words="changed: approve it to let it go out")


def _reject(context: Context, db: Database) -> Result:
    post = _find(context, db)
    return _moved(db, post, done=db.reject(post), words="rejected")


def _judged(context: Context, db: Database, text: str, *, own: Post) -> Verdict:
    """Return the verdict of the gates on a text that may be like its own draft, but like no other."""
    history = past.history_of(db, context.settings, context.now)
    origin = (own.origin or "") if text == own.content else "person"
    others = () if origin == feeds.ORIGIN else history.texts_but(own.content)
    return content_generator.judge_by_hand(context.settings, text, others, origin)


def _refuse_bad(context: Context, db: Database, text: str, *, own: Post) -> None:
    verdict = _judged(context, db, text, own=own)
    if not verdict.passed:
        message = f"this text is refused: {sanitise('; '.join(verdict.explained))}"
        edited = Fix("change the text where the reason says so")
        raise UsageError(message, edited if text != own.content else Fix(edited, ": ", _edit_line(own)))


def _edit_line(post: Post) -> Fix:
    return Fix(command(f"drafts edit {post.id} TEXT"))


def _moved(db: Database, post: Post, *, done: bool, words: str) -> Result:
    if not done:
        message = f"draft {post.id} was {post.status}"
        rejected = Fix("it stays so; ", command("drafts generate -n 10"), " writes others")
        taken_back = Fix(command(f"drafts reject {post.id}"), " takes it back")
        raise UsageError(message, rejected if post.status is Status.REJECTED else taken_back)
    return Result(_data(db.post(post.id)), f"draft {post.id} {words}")


def _find(context: Context, db: Database) -> Post:
    post_id = context.options.id
    post = db.find_post(post_id)
    if post is None or post.status not in {Status.DRAFT, Status.APPROVED, Status.REJECTED}:
        message = f"there is no draft {post_id}"
        raise UsageError(message, Fix(command("drafts list"), " shows what waits"))
    return post


def _line(post: Post) -> str:
    return f"{post.id:>5}  {post.status:<9} {sanitise(post.content.replace(chr(10), ' '))[:100]}"


def _data(post: Post) -> dict[str, object]:
    return {
        "id": post.id,
        "status": post.status,
        "content": post.content,
        "origin": post.origin,
        "source_id": post.source_id,
    }


_ACTIONS: dict[str, Callable[[Context, Database], Result]] = {
    "generate": _generate,
    "list": _list,
    "show": _show,
    "approve": _approve,
    "edit": _edit,
    "reject": _reject,
}

COMMAND = Command("drafts", "write, list, show, approve, edit or reject drafts", run, configure)
