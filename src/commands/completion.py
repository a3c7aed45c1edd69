"""`completion`: a script that teaches the owner's shell the command `twitter_manager` and its words.

`python -m src.twitter_manager` is no name that a shell can complete, so the script defines one. shtab writes
the rest from the same parser that reads the command line, so that a new command needs nothing here.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path

from src.commands.arguments import Parser
from src.commands.command import Command, Context
from src.commands.parser import build_parser
from src.commands.result import Result
from src.config import Settings
from src.upkeep.launcher import NAME, words_from_anywhere

SHELLS = ("bash", "zsh", "fish")


def configure(parser: Parser) -> None:
    """Add the shell to write for."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")


def run(context: Context) -> Result:
    """Write the script for the chosen shell."""
    shell = context.options.shell
    text = script(shell, context.settings)
    return Result({"shell": shell, "script": text}, text, verbatim=True)


def script(shell: str, settings: Settings) -> str:
    """Return the script for bash, zsh or fish, to be evaluated when the shell starts."""
    import shtab  # noqa: PLC0415 (only this command needs it)

    parser = build_parser(NAME)
    names = shtab.cmd(f"ls {shlex.quote(str(_profiles(settings)))} 2>/dev/null")
    for action in _options(parser):
        if "--profile" in action.option_strings:
            action.complete = names  # type: ignore[attr-defined]
    return _definition(shell) + "\n" + str(shtab.complete(parser, shell))


def _profiles(settings: Settings) -> Path:
    return settings.data_dir.parent if settings.profile else settings.data_dir / "profiles"


def _options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield every option of the parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _options(command)


def _definition(shell: str) -> str:
    """Return what makes the word `twitter_manager` run the program from any folder."""
    program = shlex.join(words_from_anywhere())
    if shell == "fish":
        return f"function {NAME}; {program} $argv; end"
    return f'{NAME}() {{ {program} "$@"; }}'


COMMAND = Command(
    "completion",
    "write a script that teaches your shell the command twitter_manager and its words",
    run,
    configure,
)
