"""`pause`: post nothing until a date, or until `resume`. Runs go on and settle what is open."""

from __future__ import annotations

from src.commands.arguments import Parser
from src.commands.command import Command, Context
from src.commands.result import Result
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
    typed, fix = context.options.until, Fix("leave --until out to pause until you resume")
    until = None if typed is None else context.time_ahead(typed, fix)
    with context.locked_database() as db:
        pause = db.notes.pause(context.now, until)
    words = f"{status.pause_text(pause, context.settings)}: nothing is posted, open posts are still settled"
    ending = fix_text(Fix(command("resume"), " ends the pause"), context.settings.profile)
    return Result({"paused": status.pause_data(pause)}, f"{words}; {ending}")


COMMAND = Command("pause", "post nothing until a date, or until resume", run, configure)
