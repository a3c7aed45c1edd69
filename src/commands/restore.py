"""`restore`: put a backup in the place of the database."""

from __future__ import annotations

from pathlib import Path

from src.commands.arguments import Parser
from src.commands.command import Command, Context
from src.commands.result import Result
from src.domain.errors import UsageError
from src.domain.fixes import Fix
from src.system.files import absolute
from src.upkeep import maintenance


def configure(parser: Parser) -> None:
    """Add the backup to put in place."""
    parser.add_argument("file", metavar="FILE", help="the backup, as `maintain` made it")


def run(context: Context) -> Result:
    """Replace the database."""
    try:
        backup = absolute(Path(context.options.file))
    except ValueError as error:
        message = str(error)
        raise UsageError(message, Fix("name the file without ~")) from error
    return Result(*maintenance.restore(backup, context.settings, context.clock))


COMMAND = Command(
    "restore", "put a backup in the place of the database; the program must be stopped", run, configure
)
