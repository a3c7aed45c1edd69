"""Get the text for a slot and claim it: one left over, an approved draft, or a new one."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from src.content import gates, links, safety
from src.content.freshness import repeats_after
from src.domain.fixes import Fix, command
from src.domain.notes import Note, NoteCode
from src.domain.posts import Post
from src.domain.queue import FEED, in_order, is_written_ahead
from src.domain.texts import History
from src.posting import apart, past
from src.posting.due import over_budget, price_of
from src.posting.run import NETWORK_SECONDS, Run
from src.system.failpoints import reach
from src.system.log import logger

FAR = datetime(9999, 1, 1, tzinfo=UTC)
CLAIM_TRIES = 10  # statements tried in one run when the database knows their texts already


def next_post(run: Run) -> Post | None:
    """Return the claimed text for this slot, None if there is none or another process took the slot."""
    run.phase("compose")
    run.db.keep_repeat_window(run.settings.repeat_after_days, run.settings.schedule.length)
    if run.preview:
        run.slot = first_free_slot(run)
    waiting = run.db.pending(run.slot) or _waiting(run)
    if waiting:
        return waiting
    if run.settings.require_approval and not run.preview:
        return None
    return _new_post(run)


def first_free_slot(run: Run) -> str:
    """Return the first slot from now on that no post holds, also one that a pause leaves out."""
    now = run.clock.now()
    slots = itertools.chain(run.settings.schedule.open_at(now), run.settings.schedule.between(now, FAR))
    return next(slot.name for slot in slots if not run.db.archive.holds_slot(slot.name))


def _waiting(run: Run) -> Post | None:
    """Claim the first text of the queue that may go out now; put those that may not back to the drafts."""
    now = run.clock.now()
    if run.settings.require_approval and not run.preview:
        run.db.queue.ask_for_all()
    posts = in_order(run.db.queue.waiting(repeats_after(run.settings, now)), now)
    history = past.history_of(run.db, run.settings, now) if posts else History()
    too_dear: list[Note] = []
    for post in posts:
        if why := _why_not(run, post, history, now):
            _put_back(run, post, why)
        elif note := _too_dear(run, post, now):
            too_dear.append(note)
        else:
            run.notes += too_dear[:1]
            return run.db.claim_approved(post, run.slot)
    run.notes += too_dear[:1]  # one word about the budget is enough, however many wait for it
    return None


def _put_back(run: Run, post: Post, why: str) -> None:
    """Take a text out of the queue: a person decides on it again, unless the program wrote it ahead."""
    if is_written_ahead(post):
        run.db.reject(post)
        logger.info("ahead.rejected", extra={"post_id": post.id, "detail": why})
        return
    run.db.ask_again(post, why)
    logger.warning("draft.returned", extra={"post_id": post.id, "detail": why})
    fix = Fix(command(f"queue edit {post.id} TEXT"), " or ", command(f"queue reject {post.id}"))
    run.notes.append(Note(NoteCode.DRAFT_RETURNED, f"draft {post.id} waits again: {why}", fix))


def _too_dear(run: Run, post: Post, now: datetime) -> Note | None:
    """Return what to tell if a budget does not allow this text, which has a link, now."""
    price = price_of(post.content, run.settings)
    wait = over_budget(run.settings, run.db.archive.usage(run.slot, now), price)
    if wait is None:
        return None
    return Note(NoteCode.LINK_OVER_BUDGET, f"post {post.id} waits: {wait.message}", wait.fix)


def _why_not(run: Run, post: Post, history: History, now: datetime) -> str:
    """Return why an approved text may not go out, an empty text if it may.

    A word of it may be on the blocklist since, or a text like it on X; an item of a feed is new by what it is
    known by ("1.4.3 is out" is near "1.4.2 is out"). A text of an account that X refused
    has no person's approval, which may be asked for since.
    """
    if run.settings.require_approval and post.approved_at is None:
        return "nobody has approved it"
    waits_for_long = (post.approved_at or post.queued_at) and post.origin != FEED
    others = history.texts_but(post.content) if waits_for_long else ()
    blocked = safety.read_words(run.settings.blocklist_file)
    rule = links.rule_for(run.settings, post.origin or "")
    verdict = gates.judge_tweet(post.content, others, blocked, rule)
    if not verdict.passed:
        return f"it is refused now: {'; '.join(verdict.explained)}"
    if post.source_id in history.hidden:
        return f"its statement {post.source_id} was retired"
    if not run.preview and not apart.reserve(run.settings, post.source_id or "", now):
        return f"another profile posted its statement {post.source_id}"
    return ""


def _new_post(run: Run) -> Post | None:
    """Compose a text and claim the slot for it; if the database knows the text, try other statements."""
    now = run.clock.now()
    history = past.history_of(run.db, run.settings, now)
    if not run.preview:
        apart.remember(run.settings, history.last_used.items(), now)
    for _ in range(CLAIM_TRIES):
        composition = run.compose(run.settings, history, now, max(run.seconds_left() - NETWORK_SECONDS, 1.0))
        reach("tick.composed")
        run.notes += composition.notes
        run.metrics.update(composition.metrics)
        if composition.candidates:
            run.db.journal.add_candidates(run.run_id, composition.candidates, now)
        if composition.draft is None:
            return None
        if not run.preview and not apart.reserve(run.settings, composition.draft.source_id, now):
            logger.warning("claim.taken_elsewhere", extra={"source_id": composition.draft.source_id})
            history = history.without(composition.draft.source_id)
            continue
        post = run.db.claim(composition.draft, run.slot, now)
        if post or not run.db.archive.is_known_text(
            composition.draft.content, repeats_after(run.settings, now)
        ):
            return post  # None here: another process took the slot
        logger.warning("claim.known_text", extra={"source_id": composition.draft.source_id})
        history = history.with_draft(composition.draft, now)
    return None
