"""`restore`: put a backup in the place of the database."""

from __future__ import annotations

from pathlib import Path

from src.commands.command import Command, Context
from src.commands.parser import Parser
from src.commands.result import Result
from src.upkeep import maintenance


def configure(parser: Parser) -> None:
    """Add the backup to put in place."""
    parser.add_argument("file", metavar="FILE", help="the backup, as `maintain` made it")


def run(context: Context) -> Result:
    """Replace the database."""
    backup = Path(context.options.file).expanduser().absolute()
    return Result(*maintenance.restore(backup, context.settings, context.clock))


COMMAND = Command(
    "restore", "put a backup in the place of the database; the program must be stopped", run, configure
)
