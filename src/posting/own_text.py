"""Send an own text now, under the protocol of a run: it takes the open slot, or goes beside the slots."""

from __future__ import annotations

from src.domain.errors import ProgramError, UsageError
from src.domain.fixes import Fix, command
from src.domain.runs import Exit, RunOutcome, TickResult
from src.domain.slots import extra_slot
from src.posting import due, ending
from src.posting.due import Wait, price_of
from src.posting.run import Run
from src.posting.send import send

_EXTRA_HELPS = {
    RunOutcome.SLOT_USED,
    RunOutcome.NOT_YET,
    RunOutcome.QUIET_HOURS,
    RunOutcome.PAUSED,
    RunOutcome.TOO_SOON,
}


class NotNowError(ProgramError):
    """The text may not go out now; nothing was changed."""

    def __init__(self, wait: Wait, fix: Fix) -> None:
        super().__init__(f"not now: {wait.message}", fix)
        self.exit_code = Exit.TEMPORARY if wait.exit_code is Exit.OK else wait.exit_code


def require_due(run: Run, text: str, *, extra: bool) -> None:
    """Raise `NotNowError` if the text may not go out in the open slot, or with `extra` not even beside it."""
    now, price = run.clock.now(), price_of(text, run.settings)
    usage = run.db.archive.usage(run.slot, now, run.day_before())
    hold, limits = run.db.notes.current_hold(), run.db.notes.limits()
    if extra:
        wait = due.held_back(run.settings, run.timetable, usage, hold, limits, now, price)
    else:
        wait = due.not_due(run.settings, run.timetable, usage, hold, limits, now, slot=run.slot, price=price)
    if wait is None:
        return
    fix = wait.fix
    if wait.outcome in _EXTRA_HELPS:  # with `extra` none of these is a reason to wait
        beside = Fix(command("post --extra TEXT"), " sends it now beside the slots; ")
        fix = Fix(beside, command("queue add TEXT"), " puts it in line")
    raise NotNowError(wait, fix or Fix("type the same again later"))


def send_now(run: Run, text: str, *, extra: bool) -> TickResult:
    """Keep the text, claim it, send it once, settle; return the result. Raise `UsageError` if it is taken."""
    now = run.clock.now()
    if refused := run.account.ready():
        return ending.cannot_sign(run, refused)
    post = run.db.queue.add_own(text, now)
    claimed = run.db.claim_approved(post, extra_slot(now) if extra else run.slot)
    if claimed is None:
        run.db.reject(post)
        message = "the slot or the text was taken in this moment"
        raise UsageError(message, Fix("type the same again"))
    result = ending.conclude(run, *send(run, claimed))
    if result.outcome is RunOutcome.NOT_SENT:
        waits = "the text waits in the queue and goes out with the next run that can send it"
        return TickResult(
            result.exit_code, result.outcome, f"{result.message}; {waits}", result.fix, result.post_id
        )
    return result
