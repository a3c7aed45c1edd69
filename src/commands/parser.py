"""The command line: options, help, and the commands of `table`. A typo gets the nearest match, exit 2.

A plain tick and a dry run have only the options of the program. They are parsed here alone: neither the
table nor any command is imported for them.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

from src import __version__
from src.domain.answers import MAX_TWEET_ID
from src.domain.runs import Exit

PROGRAM = "python -m src.twitter_manager"
DESCRIPTION = (
    "Write one verified tweet with a local model and post it to X, at most once per slot. Made for cron."
)
EPILOG = """Without a command, run one tick. --profile NAME, before or after the command, or PROFILE in the
environment chooses one of several accounts: data/profiles/NAME/.env holds its settings.
Exit codes: 0 posted, nothing due, or another run holds the lock; 2 usage; 69 no content; 70 bug;
74 disk or database; 75 temporary; 76 outcome unknown; 77 X refused account, app or money;
78 configuration."""


class Parser(argparse.ArgumentParser):
    """argparse that names the nearest known word."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the problem; exit 2."""
        self.print_usage()
        self.exit(int(Exit.USAGE), f"{self.prog}: {message}\n")

    def print_usage(self, file: object = None) -> None:
        """Print the usage to standard error: standard output is for results."""
        self._print_message(self.format_usage(), None)

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse a whole command line. An argument that nothing takes gets the nearest word that would fit."""
        options, rest = self.parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}{_nearest(rest[0], _words(self, options))}")
        return options

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += _nearest(str(value), action.choices or ())
            raise


class _NotATickError(Exception):
    """The command line is more than a tick's options, or wrong."""


class _TickParser(argparse.ArgumentParser):
    """The parser of a tick: what it cannot read is left to the whole parser, which has the words for it."""

    def error(self, message: str) -> NoReturn:
        raise _NotATickError(message)


def _nearest(typed: str, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(typed, words, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _words(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Iterator[str]:
    """Yield the options and commands of a parser, then those of the command that was chosen."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices
            chosen = action.choices.get(getattr(options, action.dest, None) or "")
            if chosen:
                yield from _words(chosen, options)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parse a command line; exit with 2 and the nearest match for one that cannot be read."""
    options, rest = _parse_tick(arguments)
    if options and not rest:
        return options
    from src.commands import table  # noqa: PLC0415 (a tick needs no command)

    parser = build_parser(word=rest[0] if rest else "")
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
    parser.add_argument("--version", action="version", version=__version__)
    _add_program_options(parser)
    group = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in table.load(word):
        command.configure(_add_word(group, command.name, command.help))
    return parser


def add_actions(parser: Parser) -> Callable[[str, str], Parser]:
    """Give a command actions, as `drafts list` is one; return what adds one, with its name and its help."""
    group = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    return lambda name, words: _add_word(group, name, words)


def _add_word(group: argparse._SubParsersAction[Parser], name: str, words: str) -> Parser:
    return group.add_parser(
        name,
        help=words,
        description=words[0].upper() + words[1:] + ".",
        parents=[_common_options()],
        allow_abbrev=False,
    )


def _add_program_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be posted now; post nothing, change nothing"
    )
    _add_output_options(parser)
    parser.add_argument(
        "--profile", default="", metavar="NAME", help="the account to work for (data/profiles/NAME)"
    )
    parser.set_defaults(json=False, verbose=0, quiet=False, command=None)


def _common_options() -> Parser:
    """Return the options that every command takes after its name; unused, the program's values stay."""
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    _add_output_options(common)
    common.add_argument(
        "--profile",
        dest="profile_after",
        default=argparse.SUPPRESS,
        metavar="NAME",
        help="the account to work for",
    )
    return common


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print the result as one JSON object"
    )
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=argparse.SUPPRESS,
        help="also show on standard error what is logged; -vv shows everything",
    )
    loudness.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        default=argparse.SUPPRESS,
        help="leave what goes wrong to the log files and the exit code",
    )


# ---- types of arguments ------------------------------------------------


def count(text: str) -> int:
    """Read an id or a number of things, as large as the database can hold."""
    return number_to(MAX_TWEET_ID)(text)


def number_to(most: int) -> Callable[[str], int]:
    """Return what reads a whole number from 1 to `most`."""

    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
        if not 1 <= number <= most:
            message = f"{text!r} is not a number from 1 to {most}"
            raise argparse.ArgumentTypeError(message)
        return number

    return read
