"""The shape of a command: a name, a help line, its options and its action."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from src import db_manager
from src.commands.arguments import Parser
from src.commands.result import Result
from src.config import Settings
from src.db_manager import Database
from src.domain import times
from src.domain.errors import UsageError
from src.domain.fixes import Fix
from src.system.clock import Clock

AHEAD = Fix("name a day or a time that lies ahead")


@dataclass(frozen=True, slots=True)
class Context:
    """All that a command works with: the command line, the settings, the clock and the id of this run."""

    options: argparse.Namespace
    settings: Settings
    clock: Clock
    run_id: str = ""

    @property
    def now(self) -> datetime:
        """The time, UTC-aware."""
        return self.clock.now()

    def time_ahead(self, text: str, fix: Fix) -> datetime:
        """Return the time that the owner typed, UTC-aware.

        Raise `UsageError` for one that is over, and with `fix` for one that cannot be.
        """
        try:
            at = times.parse(text, self.settings.schedule.zone)
        except ValueError as error:
            raise UsageError(str(error), fix) from error
        if at <= self.now:
            message = f"{self.settings.shown(at)} is over already"
            raise UsageError(message, AHEAD)
        return at

    def locked_database(self) -> AbstractContextManager[Database]:
        """Open the database as its only writer. Raise `BusyError` while another run is in progress."""
        return db_manager.locked_database(self.settings.database, self.now)


def no_options(_parser: Parser) -> None:
    """Add nothing to the parser: the command has no options of its own."""


def any_options(_options: argparse.Namespace) -> str:
    """Accept every combination of options that the parser let through."""
    return ""


@dataclass(frozen=True, slots=True)
class Command:
    """One command. Each file of this folder that is a command makes one and calls it COMMAND.

    `name` is the word that one types and the name of the file. `help` starts with a verb, in small letters.
    `configure` adds the options, `problem` returns what is wrong with a combination of them (empty: nothing),
    `run` does the work and raises `ProgramError` for what a person can fix.
    """

    name: str
    help: str
    run: Callable[[Context], Result]
    configure: Callable[[Parser], None] = no_options
    problem: Callable[[argparse.Namespace], str] = any_options
