"""The table of commands: every file of this folder that is not one of the few below is a command."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from src.commands.command import Command, Context
from src.commands.result import show
from src.config import Settings
from src.system.clock import Clock

FOLDER = Path(__file__).parent
NOT_COMMANDS = {"__init__", "arguments", "command", "dry_run", "parser", "result", "review", "table", "texts"}


def names() -> tuple[str, ...]:
    """Return the names of all commands, in alphabetical order, without importing any."""
    return tuple(sorted({file.stem for file in FOLDER.glob("*.py")} - NOT_COMMANDS))


def find(name: str) -> Command:
    """Import the file of one command."""
    command: Command = importlib.import_module(f"{__package__}.{name}").COMMAND
    return command


def load(word: str = "") -> list[Command]:
    """Return the one command that a word names, or all commands where it names none."""
    known = names()
    return [find(name) for name in ([word] if word in known else known)]


def run(options: argparse.Namespace, settings: Settings, clock: Clock, run_id: str) -> int:
    """Carry out the command of a parsed command line, print its result and return its exit code."""
    context = Context(options, settings, clock, run_id)
    return show(find(options.command).run(context), as_json=options.json)
