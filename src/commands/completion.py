"""A script for the owner's shell: the command `twitter_manager`, and completion of its words and profiles.

`python -m src.twitter_manager` is no name that a shell can complete, so the script defines one. shtab writes the rest
from the same parser that reads the command line, so that a new command needs nothing here.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator

from src.commands.parser import build_parser
from src.config import ROOT, Settings

COMMAND = "twitter_manager"


def script(shell: str, settings: Settings) -> str:
    """The script for bash, zsh or fish, to be evaluated when the shell starts."""
    import shtab  # noqa: PLC0415

    parser = build_parser(COMMAND)
    names = shtab.cmd(f"ls {shlex.quote(str(_profiles(settings)))} 2>/dev/null")
    for action in _options(parser):
        if "--profile" in action.option_strings:
            action.complete = names  # type: ignore[attr-defined]
    return _command(shell) + "\n" + str(shtab.complete(parser, shell))


def _profiles(settings: Settings) -> object:
    return settings.data_dir.parent if settings.profile else settings.data_dir / "profiles"


def _options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every option of the parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _options(command)


def _command(shell: str) -> str:
    """What makes the word `twitter_manager` run the program from any folder."""
    program = f"env PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m src.twitter_manager"
    if shell == "fish":
        return f"function {COMMAND}; {program} $argv; end"
    return f'{COMMAND}() {{ {program} "$@"; }}'
