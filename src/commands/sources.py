"""`sources`: the library and its topics, retired statements, own statements, and feeds."""

from __future__ import annotations

import contextlib
import difflib
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from src import db_manager
from src.commands.arguments import Parser, add_actions, count
from src.commands.command import Command, Context
from src.commands.result import Result
from src.config import Settings
from src.content import choice, library, safety
from src.content.freshness import FAR_HORIZON_DAYS, supply
from src.content.library import Library
from src.db_manager import Database
from src.domain.errors import UsageError
from src.domain.feeds import Decision, FeedRecord, ItemState
from src.domain.fixes import Fix, command, env_file
from src.domain.plurals import numbered
from src.domain.runs import Exit
from src.domain.texts import History
from src.posting import past
from src.system.log import sanitise
from src.upkeep import own_statements
from src.x.claim import fix_text

_SKIPPED_SHOWN = 5
GENERATE_SECONDS = 300.0  # for the openings of a backfill; the setting of that name bounds it too


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
    add = action("add", "add a statement of your own to your file, checked")
    add.add_argument("statement", metavar="STATEMENT", help="what is true, in at most 200 characters")
    add.add_argument("--topic", required=True, metavar="TOPIC", help="what it is about, as Git or SQL")
    add.add_argument("--reference", required=True, metavar="SOURCE", help="what proves it: a page, a command")
    add.add_argument("--opening", action="append", default=[], metavar="TEXT", help="a line above it")
    action("feeds", "show each feed: its last answer, what waits, what was skipped and why")
    backfill = action("backfill", "queue items that a feed had when it was first read, the oldest first")
    backfill.add_argument("feed", metavar="FEED", help="its address, or a part that only it has")
    backfill.add_argument("-n", type=count, default=5, metavar="N", help="how many of the newest (default 5)")


def run(context: Context) -> Result:
    """Carry out one action."""
    return _ACTIONS[context.options.action](context)


def _check(context: Context) -> Result:
    """Read the whole library and list what is wrong with it."""
    loaded = library.load(context.settings.library_paths)
    safety.read_words(context.settings.blocklist_file)  # raises for an entry that can never match
    counts = {topic: sum(s.topic == topic for s in loaded.statements) for topic in loaded.topics}
    problems = [str(problem) for problem in loaded.problems]
    stock = f"{numbered(len(loaded.statements), 'statement')} in {numbered(len(counts), 'topic')}"
    total = f"{stock}, {numbered(len(problems), 'problem')}"
    lines = [*problems, *(f"{number:>5}  {topic}" for topic, number in counts.items()), total]
    data: dict[str, object] = {"problems": problems, "topics": counts}
    fix = Fix("put right what each line names, or take it out of SOURCES")
    if not loaded.statements and not problems:
        fix = library.FIX_EMPTY
    if problems or not loaded.statements:
        data |= {"message": total, "fix": fix_text(fix, context.settings.profile)}
        lines.append(f"fix: {data['fix']}")
    exit_code = Exit.CONFIG if problems else Exit.OK if loaded.statements else Exit.NO_CONTENT
    return Result(data, "\n".join(lines), exit_code)


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


def _add(context: Context) -> Result:
    """Append a checked record to the owner's file, and show the text that it makes."""
    from src import content_generator  # noqa: PLC0415 (the other actions need no composer)

    options: Namespace = context.options
    path = own_statements.file_of(context.settings)
    loaded = library.load(context.settings.library_paths)
    line, record = own_statements.make_record(
        loaded, options.statement, options.topic, options.reference, options.opening
    )
    own_statements.append(path, line)
    tweet = content_generator.assemble(record.openings[0] if record.openings else "", record.statement)
    data = {"file": str(path), "id": record.id, "content": tweet}
    return Result(data, f"added to {path} as {record.id}. It can go out as:\n\n{tweet}")


# ---- feeds -------------------------------------------------------------------------------------------------


def _feeds(context: Context) -> Result:
    """Show each feed of FEEDS as the database knows it."""
    settings = context.settings
    db = db_manager.open_for_reading(settings.database) or db_manager.empty_database(context.now)
    with contextlib.closing(db):
        rows = [_feed_data(db, address) for address in settings.feeds]
    text = "\n".join(line for row in rows for line in _feed_lines(row, context.settings.shown))
    return Result({"feeds": rows}, text or "no feeds: FEEDS is empty (docs/howto.md has an example)")


def _feed_data(db: Database, address: str) -> dict[str, object]:
    record = db.feeds.records().get(address) or FeedRecord.unread(address)
    counts = db.feeds.counts(address)
    skipped = db.feeds.items(address, ItemState.SKIPPED, _SKIPPED_SHOWN)
    return {
        "address": address,
        "answer": record.answer,
        "detail": record.detail,
        "read_at": record.read_at,
        "next_at": None if record.ended else record.next_at,
        "failures": record.failures,
        "ended": record.ended,
        "items": sum(counts.values()),
        "waiting": db.feeds.waiting(address),
        "skipped": counts.get(ItemState.SKIPPED, 0),
        "skipped_latest": [{"title": kept.item.title, "reason": kept.reason} for kept in skipped],
    }


def _feed_lines(row: dict[str, Any], shown: Callable[[datetime], str]) -> Iterator[str]:
    yield str(row["address"])
    if row["answer"] is None:
        yield "  not read yet: the next run reads it"
        return
    read = shown(row["read_at"]) if row["read_at"] else "never"
    following = shown(row["next_at"]) if row["next_at"] else "never again: it has ended"
    yield f"  last good read {read}, next {following}"
    if row["detail"]:
        yield sanitise(f"  {row['detail']}")
    items = numbered(row["items"], "item")
    yield f"  {items} on record, {row['waiting']} waiting, {row['skipped']} skipped"
    for kept in row["skipped_latest"]:
        yield sanitise(f"  skipped: {kept['title']} ({kept['reason']})")


def _backfill(context: Context) -> Result:
    """Queue the newest items that were there at the first read, the oldest of them first."""
    from src.posting import feeding  # noqa: PLC0415 (the other actions need no feeds)

    options, now = context.options, context.now
    address = _one_feed(context.settings.feeds, options.feed)
    with context.locked_database() as db:
        chosen = db.feeds.items(address, ItemState.SEEN, options.n)[::-1]
        decisions: list[Decision] = []
        items = [kept.item for kept in chosen]
        openings = feeding.openings_for(context.settings, items, _write_openings, now, GENERATE_SECONDS)
        for kept in chosen:
            decision = feeding.decide(context.settings, kept.item, opening=openings.get(kept.item.link, ""))
            db.feeds.settle_item(kept, decision, now)
            decisions.append(decision)
    queued = [decision for decision in decisions if decision.text]
    skipped = [decision for decision in decisions if not decision.text]
    where = "approved" if queued and queued[0].approved else "as drafts"
    lines = [
        f"{numbered(len(queued), 'item')} queued {where}" if chosen else "no item of the first read is left"
    ]
    lines += [sanitise(f"skipped: {decision.item.title} ({decision.note})") for decision in skipped]
    data = {
        "feed": address,
        "queued": [decision.text for decision in queued],
        "skipped": [{"title": d.item.title, "reason": d.note} for d in skipped],
    }
    return Result(data, "\n".join(lines), Exit.OK if queued else Exit.NO_CONTENT)


def _write_openings(
    settings: Settings, texts: Sequence[tuple[str, str, str]], now: datetime, seconds: float
) -> Mapping[str, str]:
    from src import content_generator  # noqa: PLC0415 (the other actions need no model)

    return content_generator.write_openings(settings, texts, now, seconds=seconds)


def _one_feed(feeds: tuple[str, ...], typed: str) -> str:
    """Return the feed that is meant. Raise `UsageError` for none or several."""
    found = [address for address in feeds if typed == address] or [a for a in feeds if typed in a]
    if len(found) == 1:
        return found[0]
    message = f"{typed!r} is part of {numbered(len(found), 'feed')} of FEEDS"
    fix = Fix(command("sources feeds"), " lists them") if feeds else Fix("name it in FEEDS in ", env_file())
    raise UsageError(message, fix)


_ACTIONS: dict[str, Callable[[Context], Result]] = {
    "check": _check,
    "topics": _topics,
    "hide": _hide,
    "unhide": _unhide,
    "hidden": _hidden,
    "add": _add,
    "feeds": _feeds,
    "backfill": _backfill,
}

COMMAND = Command("sources", "look after the library, your own statements and feeds", run, configure)
