"""`pause`: post nothing until a date, or until `resume`. Runs go on and settle what is open."""

from __future__ import annotations

from datetime import datetime

from src.commands.arguments import Parser
from src.commands.command import Command, Context
from src.commands.result import Result
from src.domain import times
from src.domain.errors import UsageError
from src.domain.fixes import Fix, command
from src.watch import status
from src.x.claim import fix_text


def configure(parser: Parser) -> None:
    """Add the end of the pause."""
    parser.add_argument(
        "--until",
        metavar="DATE",
        help='the first day or time to post again, as 2026-12-27 or "2026-12-27 09:00", in TIME_ZONE',
    )


def run(context: Context) -> Result:
    """Begin a pause, or change the end of the one that goes on."""
    until = _until(context)
    with context.locked_database() as db:
        pause = db.notes.pause(context.now, until)
    words = f"{status.pause_text(pause, context.settings)}: nothing is posted, open posts are still settled"
    ending = fix_text(Fix(command("resume"), " ends the pause"), context.settings.profile)
    return Result({"paused": status.pause_data(pause)}, f"{words}; {ending}")


def _until(context: Context) -> datetime | None:
    text = context.options.until
    if text is None:
        return None
    try:
        until = times.parse(text, context.settings.schedule.zone)
    except ValueError as error:
        raise UsageError(str(error), Fix("leave --until out to pause until you resume")) from error
    if until <= context.now:
        message = f"{context.settings.shown(until)} is over already"
        raise UsageError(message, Fix("name a day or a time that lies ahead"))
    return until


COMMAND = Command("pause", "post nothing until a date, or until resume", run, configure)
