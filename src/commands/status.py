"""`status`: one screen; the exit code says whether a person should look."""

from __future__ import annotations

from src.commands.command import Command, Context
from src.commands.result import Result
from src.watch import overview as present
from src.watch import status
from src.watch.health import exit_code


def run(context: Context) -> Result:
    """Look at the database, the login and the library, and judge them."""
    settings, now = context.settings, context.now
    overview, findings = present.look(settings, now)
    data = status.as_data(overview, findings, settings)
    return Result(data, status.as_text(overview, findings, settings, now), exit_code(findings))


COMMAND = Command("status", "show whether all is well, and if not, why and what to do", run)
