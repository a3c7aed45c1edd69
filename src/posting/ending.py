"""How a run ends: its exit code and its words, from where its post stands, and the hold that follows."""

from __future__ import annotations

from dataclasses import replace

from src.domain import reasons
from src.domain.answers import REFUSALS, Outcome, SendResult
from src.domain.fixes import NO_FIX, Fix, command
from src.domain.plurals import numbered
from src.domain.posts import Post, Status
from src.domain.runs import Exit, Hold, RunOutcome, TickResult
from src.posting import due
from src.posting.breaker import keys_mark, next_hold
from src.posting.run import Run
from src.system.log import logger

FIX_WAITS = Fix("nothing to do: the first run after that time asks X again")
# One refusal is about a text; of several different ones it is the account, the app or the plan.
FIX_TEXTS = Fix(
    "look at the account on x.com and at the app at https://developer.x.com; ",
    command("history"),
    " shows the texts",
)


def wait(run: Run) -> due.Wait | None:
    """Return why no post is due in this run, None if one is."""
    now = run.clock.now()
    return due.not_due(
        run.settings,
        run.timetable,
        run.db.archive.usage(run.slot, now, run.day_before()),
        run.db.notes.current_hold(),
        run.db.notes.limits(),
        now,
        slot=run.slot,
    )


def unapproved(run: Run) -> due.Wait:
    """Return the wait for the owner, who approves each text before it goes out."""
    waiting = len(run.db.with_status(Status.DRAFT))
    words = f"no draft is approved, {numbered(waiting, 'waits', 'wait')} for you"
    return due.Wait(RunOutcome.WAITING_FOR_APPROVAL, words)


def conclude(run: Run, post: Post, result: SendResult) -> TickResult:
    """Return the run's result from where its post stands, and set or clear the hold that follows from it."""

    def ended(code: Exit, outcome: RunOutcome, message: str, fix: Fix = NO_FIX) -> TickResult:
        return TickResult(code, outcome, message, fix, post.id, post.tweet_id, tuple(run.notes))

    if post.status is Status.POSTED:
        run.db.notes.clear_hold()
        return ended(Exit.OK, RunOutcome.POSTED, f"posted {post.tweet_id}")
    reason = _reason(result)
    if result.outcome is Outcome.BLOCKED:
        hold = _hold(run, result)
        return ended(
            Exit.BLOCKED, RunOutcome.BLOCKED, f"X refused ({reason}), {hold.count} in a row", result.fix
        )
    if result.outcome is Outcome.LATER:
        _hold(run, result)
        until = run.settings.shown(result.until) if result.until else "later"
        message = f"X's limit is used up until {until} ({reason})"
        return ended(Exit.TEMPORARY, RunOutcome.LATER, message, result.fix or FIX_WAITS)
    if result.outcome is Outcome.NOT_SENT:
        return ended(
            Exit.TEMPORARY,
            RunOutcome.NOT_SENT,
            f"X could not be reached ({result.detail or reason})",
            result.fix,
        )
    if result.outcome is Outcome.REFUSED and (texts := run.db.journal.texts_refused_in_a_row()) > 1:
        hold = _hold(run, replace(result, outcome=Outcome.BLOCKED, fix=FIX_TEXTS))
        message = f"X refused {texts} different texts in a row ({reason})"
        return ended(Exit.BLOCKED, RunOutcome.BLOCKED, message, hold.fix)
    if result.outcome in REFUSALS:
        return ended(
            Exit.TEMPORARY,
            RunOutcome.REFUSED,
            f"X refused the text ({reason})",
            Fix(
                "nothing to do: the slot stays used until X is known to have no tweet; the next gets another"
            ),
        )
    return ended(
        Exit.UNKNOWN,
        RunOutcome.UNKNOWN,
        f"X gave no trustworthy answer ({reason}); post {post.id} is not sent again",
        result.fix or Fix("nothing to do: the next runs look for it on the timeline"),
    )


def cannot_sign(run: Run, result: SendResult) -> TickResult:
    """Return the result of a run whose login could not be renewed: nothing was claimed and nothing sent."""
    reason = _reason(result)
    if result.outcome is Outcome.BLOCKED:
        hold = _hold(run, result)
        message = f"X does not renew the login ({reason}), {hold.count} in a row"
        return TickResult(Exit.BLOCKED, RunOutcome.BLOCKED, message, result.fix)
    if result.outcome is Outcome.LATER:
        _hold(run, result)
    return TickResult(
        Exit.TEMPORARY,
        RunOutcome.NOT_SENT,
        f"the login could not be renewed ({reason})",
        result.fix or Fix("nothing to do: the next run tries again"),
    )


def _reason(result: SendResult) -> str:
    return reasons.of_answer(result.reason, result.detail)


def _hold(run: Run, result: SendResult) -> Hold:
    """Keep and return the hold that follows from X's answer."""
    hold = next_hold(run.db.notes.current_hold(), result, run.clock.now(), run.timetable)
    run.db.notes.put_hold(hold)
    run.db.notes.put(hold_keys=keys_mark(run.settings))
    return hold


def forget_refusals_of_other_keys(run: Run) -> None:
    """End the hold after refusals if the owner has changed the keys since."""
    before = run.db.notes.get("hold_keys")
    if before and before != keys_mark(run.settings) and run.db.notes.end_refusals():
        logger.info("hold.ended", extra={"reason": "the keys were changed"})


def no_content(run: Run) -> TickResult:
    """Return the result of a run that had no text to send."""
    if run.settings.require_approval:
        waiting = unapproved(run)
        fix = Fix(command("queue review"), " shows the drafts; ", command("queue fill -n 10"), " writes more")
        return TickResult(Exit.OK, waiting.outcome, waiting.message, fix)
    if held := None if run.preview else wait(run):  # another process took the slot while the model wrote
        return held.as_result()
    said = "; ".join(note.render() for note in run.notes) or "no text passed the gates"
    return TickResult(
        Exit.NO_CONTENT,
        RunOutcome.NO_CONTENT,
        said,
        Fix(command("sources check"), " shows the library"),
        notes=tuple(run.notes),
    )
