"""Drafts: texts that wait for a person. An edited text passes the same gates; approved drafts go out first."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import datetime

from src import content_generator, db_manager
from src.config import Settings
from src.content.intake import composed, read_stream
from src.content.tweet_text import MAX_WEIGHT, weighted_length
from src.db_manager import Database
from src.domain.errors import UsageError
from src.domain.notes import NoteCode
from src.domain.posts import Post, Status
from src.system.log import sanitise
from src.x.claim import named

SECONDS_A_DRAFT = 10.0


def run(options: argparse.Namespace, settings: Settings, now: datetime) -> tuple[object, str]:
    """Carry out `drafts ACTION`: (data for JSON, text for people). Raises `UsageError`."""
    with db_manager.locked_database(settings.database, now) as db:
        return _ACTIONS[options.action](options, settings, db, now)


def _generate(
    options: argparse.Namespace, settings: Settings, db: Database, now: datetime
) -> tuple[object, str]:
    seconds = settings.generate_seconds + SECONDS_A_DRAFT * options.n
    patient = settings.model_copy(update={"generate_seconds": seconds})
    compositions = content_generator.compose_many(
        patient, db.archive.content_history(now, settings.cooldown_days), now, options.n, seconds=seconds
    )
    made = [db.add_draft(c.draft, now) for c in compositions if c.draft]
    remarks = (note for c in compositions for note in c.notes if note.code is not NoteCode.NO_GOOD_OPENING)
    notes = [named(note.render(), settings.profile) for note in dict.fromkeys(remarks)]
    ending = named(f"{len(made)} drafts wait: `drafts approve ID` lets one go out", settings.profile)
    lines = [*map(_line, made), *notes, ending]
    return {"drafts": [_data(p) for p in made], "notes": notes}, "\n".join(lines)


def _list(
    _options: argparse.Namespace, settings: Settings, db: Database, _now: datetime
) -> tuple[object, str]:
    posts = [*db.with_status(Status.APPROVED), *db.with_status(Status.DRAFT)]
    return [_data(p) for p in posts], "\n".join(map(_line, posts)) or named(
        "no drafts: `drafts generate -n 10` writes some", settings.profile
    )


def _show(options: argparse.Namespace, settings: Settings, db: Database, now: datetime) -> tuple[object, str]:
    post = _find(db, options.id)
    others = tuple(
        t for t in db.archive.content_history(now, settings.cooldown_days).texts if t != post.content
    )
    verdict = content_generator.judge_by_hand(settings, post.content, others)
    words = "passes every gate" if verdict.passed else f"refused: {', '.join(verdict.reasons)}"
    weight = weighted_length(post.content)
    text = f"{_line(post)}\n\n{post.content}\n\n{weight} of {MAX_WEIGHT}; {words}"
    return {**_data(post), "weighted_length": weight, "reasons": list(verdict.reasons)}, text


def _approve(
    options: argparse.Namespace, settings: Settings, db: Database, now: datetime
) -> tuple[object, str]:
    post = _find(db, options.id)
    _refuse_bad(settings, db, post.content, now, own=post.content)
    return _moved(db, post, done=db.approve(post, now), words="approved: it goes out before anything new")


def _edit(options: argparse.Namespace, settings: Settings, db: Database, now: datetime) -> tuple[object, str]:
    post = _find(db, options.id)
    text = read_stream(sys.stdin) if options.text == "-" else composed(options.text.strip())
    _refuse_bad(settings, db, text, now, own=post.content)
    return _moved(db, post, done=db.edit(post, text), words="changed: approve it to let it go out")


def _reject(
    options: argparse.Namespace, _settings: Settings, db: Database, _now: datetime
) -> tuple[object, str]:
    post = _find(db, options.id)
    return _moved(db, post, done=db.reject(post), words="rejected")


def _refuse_bad(settings: Settings, db: Database, text: str, now: datetime, *, own: str) -> None:
    others = tuple(t for t in db.archive.content_history(now, settings.cooldown_days).texts if t != own)
    verdict = content_generator.judge_by_hand(settings, text, others)
    if not verdict.passed:
        message = f"this text is refused: {sanitise(', '.join(verdict.explained))}"
        raise UsageError(message, "the same gates hold for every text; `drafts edit ID TEXT` changes it")


def _moved(db: Database, post: Post, *, done: bool, words: str) -> tuple[object, str]:
    if not done:
        message = f"post {post.id} is {post.status}, that cannot be done to it"
        raise UsageError(message, "`drafts list` shows what waits")
    return _data(db.post(post.id)), f"draft {post.id} {words}"


def _find(db: Database, post_id: int) -> Post:
    post = db.find_post(post_id)
    if post is None or post.status not in {Status.DRAFT, Status.APPROVED, Status.REJECTED}:
        message = f"there is no draft {post_id}"
        raise UsageError(message, "`drafts list` shows what waits")
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


_ACTIONS: dict[str, Callable[[argparse.Namespace, Settings, Database, datetime], tuple[object, str]]] = {
    "generate": _generate,
    "list": _list,
    "show": _show,
    "approve": _approve,
    "edit": _edit,
    "reject": _reject,
}
