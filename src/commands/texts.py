"""What `queue` and `drafts` do with texts that wait: find, judge, list, write ahead, and move them on."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import NamedTuple

from src import content_generator
from src.commands.arguments import Parser, count
from src.commands.command import Context
from src.commands.result import Result
from src.content.tweet_text import MAX_WEIGHT, weighted_length
from src.db_manager import Database
from src.domain.errors import UsageError
from src.domain.fixes import Fix, command
from src.domain.notes import NoteCode
from src.domain.posts import Post, Status
from src.domain.queue import FEED, OWN, origin_text
from src.domain.runs import Exit
from src.domain.texts import Verdict
from src.posting import apart, past
from src.posting.due import price_of
from src.posting.plan import Planned
from src.system.log import sanitise
from src.watch.status import iso
from src.x.claim import fix_text, note_text

SECONDS_A_TEXT = 10.0
MOST_IDS = 1000
OF_THE_QUEUE = {Status.DRAFT, Status.APPROVED, Status.REJECTED}
Change = Callable[[Context, Database, Post], str]


class Ids(NamedTuple):
    """One id, or a range of them as 3-7; of a range those count that are texts of the queue."""

    first: int
    last: int


# ---- arguments ---------------------------------------------------------------------------------------------


def ids(text: str) -> Ids:
    """Read an id or a range of ids."""
    first, dash, last = text.partition("-")
    begin = count(first)
    end = count(last) if dash else begin
    if end < begin or end - begin > MOST_IDS:
        message = f"{text!r} is not a range such as 3-7"
        raise argparse.ArgumentTypeError(message)
    return Ids(begin, end)


def add_ids(parser: Parser) -> None:
    """Add several ids and ranges of them."""
    parser.add_argument("ids", type=ids, nargs="+", metavar="ID", help="which texts, as 3 or 5-8")


def add_id(parser: Parser) -> None:
    """Add one id."""
    parser.add_argument("id", type=count, metavar="ID", help="which text")


# ---- finding and judging -----------------------------------------------------------------------------------


def find(db: Database, post_id: int) -> Post:
    """Return a text of the queue. Raise `UsageError` for any other id."""
    post = db.find_post(post_id)
    if post is None or post.status not in OF_THE_QUEUE:
        message = f"there is no draft {post_id}"
        raise UsageError(message, Fix(command("queue"), " shows what waits"))
    return post


def chosen(db: Database, ranges: list[Ids]) -> list[int]:
    """Return the numbers that are named, each once; of a range those of texts of the queue."""
    numbers: dict[int, None] = {}
    for first, last in ranges:
        for number in range(first, last + 1):
            post = db.find_post(number)
            if first == last or (post and post.status in OF_THE_QUEUE):
                numbers[number] = None
    return list(numbers)


def judged(context: Context, db: Database, text: str, own: Post | None = None) -> Verdict:
    """Return the verdict of the gates on a text that may be like its own draft, but like no other."""
    history = past.history_of(db, context.settings, context.now)
    origin = (own.origin or "") if own and text == own.content else OWN
    others = history.texts_but(own.content) if own else history.texts
    if origin == FEED:  # an item is new by what it is known by
        others = ()
    return content_generator.judge_by_hand(context.settings, text, others, origin)


def require_good(context: Context, db: Database, text: str, own: Post | None = None) -> None:
    """Raise `UsageError` with the reasons for a text that the gates refuse."""
    verdict = judged(context, db, text, own)
    if verdict.passed:
        return
    message = f"this text is refused: {sanitise('; '.join(verdict.explained))}"
    edited = Fix("change the text where the reason says so")
    if own and text == own.content:
        edited = Fix(edited, ": ", command(f"queue edit {own.id} TEXT"))
    raise UsageError(message, edited)


# ---- changing ----------------------------------------------------------------------------------------------


def change_all(context: Context, db: Database, change: Change) -> Result:
    """Change every text that the command line names; what is refused is told, and the others still change."""
    done: list[Post] = []
    lines: list[str] = []
    errors: list[UsageError] = []
    for number in chosen(db, context.options.ids):
        try:
            post = find(db, number)
            words = change(context, db, post)
        except UsageError as error:
            errors.append(error)
            continue
        done.append(db.post(post.id))
        lines.append(f"draft {post.id} {words}")
    only = len(context.options.ids) == 1 and context.options.ids[0].first == context.options.ids[0].last
    if only and errors:
        raise errors[0]
    refused = [f"{error}" for error in errors]
    content = data(done[0]) if only and done else {"texts": list(map(data, done)), "refused": refused}
    nothing = [] if lines or refused else ["no text of the queue has these numbers"]
    said = [*lines, *refused, *nothing]
    if not errors and not nothing:
        return Result(content, "\n".join(said))
    fix = fix_text(
        errors[0].fix if errors else Fix(command("queue"), " shows what waits"), context.settings.profile
    )
    content |= {"message": "; ".join([*refused, *nothing]), "fix": fix}
    return Result(content, "\n".join([*said, f"fix: {fix}"]), Exit.USAGE)


def approve(context: Context, db: Database, post: Post) -> str:
    """Let a draft go out."""
    require_good(context, db, post.content, own=post)
    _require(db.approve(post, context.now), post)
    return "approved: it goes out before anything new"


def reject(_context: Context, db: Database, post: Post) -> str:
    """Reject a draft or an approved text."""
    _require(db.reject(post), post)
    return "rejected"


def take_back(_context: Context, db: Database, post: Post) -> str:
    """Make a rejected text a draft again."""
    _require(db.queue.take_back_rejection(post), post)
    return "waits for you again"


def edit(context: Context, db: Database, post: Post, text: str) -> str:
    """Put another text in the place of a draft's."""
    require_good(context, db, text, own=post)
    _require(db.edit(post, text), post)
    return "changed: approve it to let it go out"


def _require(done: bool, post: Post) -> None:
    """Raise `UsageError` where the state of a text did not allow a change."""
    if done:
        return
    message = f"draft {post.id} was {post.status}"
    again = Fix(command(f"queue unreject {post.id}"), " makes it a draft again")
    rejects = Fix(command(f"queue reject {post.id}"), " takes it back")
    if post.status is Status.REJECTED:
        raise UsageError(message, again)
    raise UsageError(
        message, rejects if post.status is Status.APPROVED else Fix(command("queue"), " shows it")
    )


# ---- writing ahead -----------------------------------------------------------------------------------------


def fill(context: Context, db: Database, *, approved: bool) -> Result:
    """Write texts with one start of the model: approved ones, or drafts for a person."""
    settings, now, number = context.settings, context.now, context.options.n
    seconds = settings.generate_seconds + SECONDS_A_TEXT * number
    patient = settings.model_copy(update={"generate_seconds": seconds})
    history = past.history_of(db, settings, now)
    compositions = content_generator.compose_many(patient, history, now, number, seconds=seconds)
    made = [
        db.queue.add_written(c.draft, now, approved=approved)
        for c in compositions
        if c.draft and apart.reserve(settings, c.draft.source_id, now)
    ]
    remarks = dict.fromkeys(
        note for c in compositions for note in c.notes if note.code is not NoteCode.NO_GOOD_OPENING
    )
    notes = [note_text(note, settings.profile) for note in remarks]
    waiting = len(db.with_status(Status.DRAFT))
    ahead = len(db.with_status(Status.APPROVED))
    ending = f"{len(made)} written, {waiting} {'waits' if waiting == 1 else 'wait'}"
    if approved:
        ending = f"{len(made)} written; {ahead} in the queue"
    elif waiting:
        ending += fix_text(Fix(": ", command("queue review"), " shows one after the other"), settings.profile)
    result: dict[str, object] = {
        "drafts": [data(post) for post in made],
        "waiting": waiting,
        "queued": ahead,
        "notes": notes,
    }
    text = "\n".join([*map(line, made), *notes, ending])
    if made:
        return Result(result, text)
    none = Fix(command("sources check"), " shows the library")
    result |= {"message": "; ".join([*notes, ending]), "fix": fix_text(none, settings.profile)}
    return Result(result, f"{text}\nfix: {result['fix']}", Exit.NO_CONTENT)


# ---- showing -----------------------------------------------------------------------------------------------


def show(context: Context, db: Database) -> Result:
    """Show one text with its length and the verdict of the gates."""
    post = find(db, context.options.id)
    verdict = judged(context, db, post.content, own=post)
    words = "passes every gate" if verdict.passed else f"refused: {'; '.join(verdict.explained)}"
    weight = weighted_length(post.content)
    text = f"{line(post)}\n\n{post.content}\n\n{weight} of {MAX_WEIGHT}; {words}"
    return Result({**data(post), "weighted_length": weight, "reasons": list(verdict.reasons)}, text)


def line(post: Post) -> str:
    """Return a text in one line."""
    return f"{post.id:>5}  {post.status:<9} {sanitise(post.content.replace(chr(10), ' '))[:100]}"


def data(post: Post) -> dict[str, object]:
    """Return a text for programs."""
    return {
        "id": post.id,
        "status": post.status,
        "content": post.content,
        "origin": post.origin,
        "source_id": post.source_id,
    }


def planned_data(context: Context, planned: Planned) -> dict[str, object]:
    """Return a text to come for programs."""
    post = planned.post
    return data(post) | {
        "expected_at": iso(planned.at),
        "not_before": iso(post.not_before),
        "weighted_length": weighted_length(post.content),
        "cost_usd": price_of(post.content, context.settings),
        "from": origin_text(post),
        "topic": post.topic,
    }


def planned_lines(context: Context, planned: Planned) -> Iterator[str]:
    """Yield a text to come in two lines or more."""
    post = planned.post
    at = context.settings.shown(planned.at) if planned.at else "when you resume"
    weight, cost = weighted_length(post.content), price_of(post.content, context.settings)
    yield f"{post.id:>5}  {at:<20}  {weight:>3} of {MAX_WEIGHT}  ${cost:.3f}  {origin_text(post)}"
    yield from (f"       {sanitise(part)}" for part in post.content.splitlines() if part)
