"""`status`: one screen; the exit code says whether a person should look."""

from __future__ import annotations

from src.commands.command import Command, Context
from src.commands.result import Result
from src.watch import status
from src.watch.health import exit_code


def run(context: Context) -> Result:
    """Look at the database, the login and the library, and judge them."""
    settings, now = context.settings, context.now
    facts, reasons = status.look(settings, now)
    data = status.as_data(facts, reasons, settings, now)
    return Result(data, status.as_text(facts, reasons, settings, now), exit_code(reasons))


COMMAND = Command("status", "show whether all is well, and if not, why and what to do", run)
