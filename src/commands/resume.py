"""`resume`: end a pause, and the wait after refusals of X, once their cause is put right."""

from __future__ import annotations

from src.commands.command import Command, Context
from src.commands.result import Result
from src.domain import reasons
from src.domain.plurals import numbered
from src.watch import status


def run(context: Context) -> Result:
    """End the pause that goes on and the hold after refusals."""
    now, settings = context.now, context.settings
    with context.locked_database() as db:
        pause, refused = db.notes.resume(now), db.notes.end_refusals()
        opens = db.notes.timetable(settings.schedule, now).posts_from(now)
    lines = []
    if pause:
        lines.append("the pause is over")
    if refused:
        refusals, reason = numbered(refused.count, "refusal"), reasons.of_answer(refused.reason)
        lines.append(f"the wait after {refusals} of X ({reason}) is over")
    if not lines:
        lines.append("there was no pause and no wait after refusals")
    if opens:
        lines.append(f"the next post is due with the first run from {settings.shown(opens)}")
    data = {
        "pause": status.pause_data(pause),
        "refusals": refused.count if refused else 0,
        "next_post": status.iso(opens),
    }
    return Result(data, "; ".join(lines))


COMMAND = Command("resume", "end a pause, or the wait after refusals of X", run)
