"""`maintain`: look after the database, its backups and the folders; silent in a pipe when all is well."""

from __future__ import annotations

from src.commands.command import Command, Context
from src.commands.result import Result, on_terminal
from src.upkeep import maintenance


def run(context: Context) -> Result:
    """Do the maintenance; what went wrong is raised after the result is shown."""
    report = maintenance.maintain(context.settings, context.clock, context.run_id)
    seen = on_terminal() and not context.options.quiet
    return Result(
        report.as_data(context.settings.profile), report.as_text() if seen else None, error=report.trouble
    )


COMMAND = Command(
    "maintain", "check and back up the database, delete expired rows and backups, report the disk use", run
)
