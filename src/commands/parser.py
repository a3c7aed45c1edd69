"""The command line: options, help, and the commands of `table`. A typo gets the nearest match, exit 2.

A plain tick and a dry run have only the options of the program. They are parsed here alone: neither the
table nor any command is imported for them.
"""

from __future__ import annotations

import argparse
import contextlib
from typing import NoReturn

from src import __version__
from src.commands.arguments import (
    Parser,
    ShowVersion,
    TextEnd,
    WrongUsageError,
    add_output_options,
    add_word,
)
from src.domain.runs import Exit
from src.system import terminal

PROGRAM = "python -m src.twitter_manager"
DESCRIPTION = (
    "Write one verified tweet with a local model and post it to X, at most once per slot. Made for cron."
)
EPILOG = """Without a command, run one tick. --profile NAME, before or after the command, or PROFILE in the
environment chooses one of several accounts: data/profiles/NAME/.env holds its settings.
Exit codes: 0 posted, nothing due, or another run holds the lock; 2 usage; 69 no content; 70 bug;
74 disk or database; 75 temporary; 76 outcome unknown; 77 X refused account, app or money;
78 configuration."""


class _NotATickError(Exception):
    """The command line is more than a tick's options, or wrong."""


class _TickParser(argparse.ArgumentParser):
    """The parser of a tick: what it cannot read is left to the whole parser, which has the words for it."""

    def error(self, message: str) -> NoReturn:
        raise _NotATickError(message)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parse a command line; exit with 2 and the nearest match for one that cannot be read."""
    options, rest = _parse_tick(arguments)
    if options and not rest:
        return options
    as_json = "--json" in arguments
    try:
        return _parse_all(arguments, word=rest[0] if rest else "")
    except WrongUsageError as wrong:
        if as_json:
            fix = f"{wrong.help_line} shows what is understood"
            with contextlib.suppress(OSError):
                terminal.write_json({"message": wrong.message, "fix": fix, "exit_code": int(Exit.USAGE)})
        raise
    except TextEnd as end:
        with contextlib.suppress(OSError):
            if as_json:
                terminal.write_json({end.name: end.text, "exit_code": int(Exit.OK)})
            else:
                terminal.write(end.text.removesuffix("\n"))
        raise


def _parse_all(arguments: list[str], word: str) -> argparse.Namespace:
    """Parse a command line with a command, with all commands where `word` names none, or a wrong one."""
    from src.commands import table  # noqa: PLC0415 (a tick needs no command)

    parser = build_parser(word=word)
    options = parser.parse_args(arguments)
    after = vars(options).pop("profile_after", options.profile)
    if options.profile not in {"", after}:
        parser.error(f"two profiles at once: {options.profile!r} and {after!r}")
    options.profile = after
    if options.dry_run and options.command:
        parser.error(f"--dry-run goes with a tick, not with {options.command!r}")
    if options.command and (problem := table.find(options.command).problem(options)):
        parser.error(problem)
    return options


def _parse_tick(arguments: list[str]) -> tuple[argparse.Namespace | None, list[str]]:
    """Return the options of a tick and all other arguments; None for options that are wrong."""
    parser = _TickParser(add_help=False, allow_abbrev=False)
    _add_program_options(parser)
    try:
        return parser.parse_known_args(arguments)
    except _NotATickError:
        return None, []


def build_parser(prog: str = PROGRAM, word: str = "") -> Parser:
    """Return the parser of the whole command line, or of the one command that `word` names."""
    from src.commands import table  # noqa: PLC0415 (a tick needs no command)

    parser = Parser(
        prog=prog,
        description=DESCRIPTION,
        epilog=EPILOG,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=ShowVersion, nargs=0, const=__version__, help="show the version")
    _add_program_options(parser)
    group = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in table.load(word):
        command.configure(add_word(group, command.name, command.help))
    return parser


def _add_program_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be posted now; post nothing, change nothing"
    )
    add_output_options(parser)
    parser.add_argument(
        "--profile", default="", metavar="NAME", help="the account to work for (data/profiles/NAME)"
    )
    parser.set_defaults(json=False, verbose=0, quiet=False, command=None)
