"""`sources`: check the library, list its topics, and retire statements."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable

from src import db_manager
from src.commands.arguments import Parser, add_actions
from src.commands.command import Command, Context
from src.commands.result import Result
from src.content import choice, library, safety
from src.content.freshness import FAR_HORIZON_DAYS, supply
from src.content.library import Library
from src.domain.errors import UsageError
from src.domain.fixes import Fix, command
from src.domain.plurals import numbered
from src.domain.runs import Exit
from src.domain.texts import History
from src.posting import past
from src.x.claim import fix_text


def configure(parser: Parser) -> None:
    """Add the actions."""
    action = add_actions(parser)
    action("check", "list every broken record with its file and line")
    action("topics", "list the topics, how many statements each has and how long they last")
    hide = action("hide", "retire statements for good: they are never posted again")
    unhide = action("unhide", "take retired statements back")
    for parser_of_ids in (hide, unhide):
        parser_of_ids.add_argument("id", nargs="+", metavar="ID", help="which statement, as `git-reflog`")
    action("hidden", "list the retired statements")


def run(context: Context) -> Result:
    """Carry out one action."""
    return _ACTIONS[context.options.action](context)


def _check(context: Context) -> Result:
    """Read the whole library and list what is wrong with it."""
    loaded = library.load(context.settings.library_paths)
    safety.read_words(context.settings.blocklist_file)  # raises for an entry that can never match
    counts = {topic: sum(s.topic == topic for s in loaded.statements) for topic in loaded.topics}
    problems = [str(problem) for problem in loaded.problems]
    total = f"{len(loaded.statements)} statements in {len(counts)} topics, {len(problems)} broken records"
    lines = [*problems, *(f"{number:>5}  {topic}" for topic, number in counts.items()), total]
    exit_code = Exit.CONFIG if problems else Exit.OK
    return Result({"problems": problems, "topics": counts}, "\n".join(lines), exit_code)


def _topics(context: Context) -> Result:
    """List the topics: which are posted, and how long each would last alone at the owner's pace."""
    settings, now = context.settings, context.now
    loaded = library.load(settings.library_paths)
    chosen = choice.chosen_topics(settings.topics, loaded.topics)
    history = _history(context)
    rows = []
    for topic in loaded.topics:
        statements = [s for s in loaded.statements if s.topic == topic]
        left = supply(settings, statements, history, now, FAR_HORIZON_DAYS)
        rows.append(
            {
                "topic": topic,
                "statements": len(statements),
                "posted": topic in chosen,
                "days_alone": None if left.days is None else round(left.days, 1),
            }
        )
    pace = settings.schedule.posts_per_day
    wanted = choice.wanted(settings, loaded)
    left = supply(settings, wanted, history, now, FAR_HORIZON_DAYS)
    days = None if left.days is None else round(left.days, 1)
    total = f"{numbered(len(wanted), 'statement')} in {len(chosen)} of {numbered(len(rows), 'topic')}"
    lines = [f"at {pace:.3g} a day, a topic alone lasts:", *map(_topic_line, rows)]
    lines.append(f"{total}: {_days_text(days)} together")
    data = {"topics": rows, "posts_per_day": pace, "statements": len(wanted), "days": days}
    return Result(data, "\n".join(lines))


def _topic_line(row: dict[str, object]) -> str:
    mark = " " if row["posted"] else "-"
    return f"{mark} {row['statements']:>5}  {row['topic']:<26} {_days_text(row['days_alone'])}"


def _days_text(days: object) -> str:
    return "more than three years" if days is None else f"{days:g} days"


def _history(context: Context) -> History:
    db = db_manager.open_for_reading(context.settings.database)
    if db is None:
        return History()
    with contextlib.closing(db):
        return past.history_of(db, context.settings, context.now)


def _hide(context: Context) -> Result:
    ids = context.options.id
    _require_known(library.load(context.settings.library_paths), ids)
    with context.locked_database() as db:
        db.notes.hide(db.notes.hidden() | set(ids))
        hidden = sorted(db.notes.hidden())
    undone = fix_text(
        Fix(command("undo ID"), " deletes a tweet that is on X already"), context.settings.profile
    )
    return Result({"hidden": hidden}, f"{', '.join(ids)}: never posted again; {undone}")


def _unhide(context: Context) -> Result:
    ids = context.options.id
    with context.locked_database() as db:
        hidden = db.notes.hidden()
        if missing := sorted(set(ids) - hidden):
            message = f"not retired: {', '.join(missing)}"
            raise UsageError(message, Fix(command("sources hidden"), " lists what is"))
        db.notes.hide(hidden - set(ids))
        left = sorted(db.notes.hidden())
    return Result({"hidden": left}, f"{', '.join(ids)}: may be posted again")


def _hidden(context: Context) -> Result:
    texts = {s.id: s.statement for s in library.load(context.settings.library_paths).statements}
    hidden: list[str] = []
    if db := db_manager.open_for_reading(context.settings.database):
        with contextlib.closing(db):
            hidden = sorted(db.notes.hidden())
    rows = [{"id": name, "statement": texts.get(name, "")} for name in hidden]
    lines = [f"{row['id']}: {row['statement'] or 'not in the library any more'}" for row in rows]
    return Result({"hidden": rows}, "\n".join(lines) or "no statement is retired")


def _require_known(loaded: Library, ids: list[str]) -> None:
    """Raise `UsageError` for an id that the library does not have, with the nearest."""
    known = {s.id for s in loaded.statements}
    for name in ids:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            message = f"the library has no statement {name!r}{hint}"
            raise UsageError(message, Fix(command("history --json"), " shows the source_id of each post"))


_ACTIONS: dict[str, Callable[[Context], Result]] = {
    "check": _check,
    "topics": _topics,
    "hide": _hide,
    "unhide": _unhide,
    "hidden": _hidden,
}

COMMAND = Command(
    "sources", "look after the library: topics, broken records, retired statements", run, configure
)
