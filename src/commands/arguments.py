"""The parts of a command line: a parser that names the nearest word, actions, and types of arguments."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from src.domain.answers import MAX_TWEET_ID
from src.domain.runs import Exit


class WrongUsageError(SystemExit):
    """The end of a command line that cannot be read, when the person was told: exit 2."""

    def __init__(self, message: str, help_line: str) -> None:
        super().__init__(int(Exit.USAGE))
        self.message, self.help_line = message, help_line


class TextEnd(SystemExit):
    """The end of a command line that asks for a text of the parser: its help, or the version."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(int(Exit.OK))
        self.name, self.text = name, text


class ShowVersion(argparse.Action):
    """Ends the parsing with the version."""

    def __call__(self, *_: object) -> NoReturn:
        """Raise the end with the version, which is the constant of the action."""
        raise TextEnd("version", str(self.const))


class Parser(argparse.ArgumentParser):
    """argparse that names the nearest known word. `actions` are those of a command."""

    actions: Mapping[str, argparse.ArgumentParser] = {}

    def error(self, message: str) -> NoReturn:
        """Print the usage and the problem; exit 2."""
        self.print_usage()
        self._print_message(f"{self.prog}: {message}\n", sys.stderr)
        raise WrongUsageError(message, f"{self.prog} --help")

    def print_help(self, _file: object = None) -> NoReturn:
        """End with the help; `parser.parse` prints it."""
        raise TextEnd("help", self.format_help())

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

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse what can be parsed. A command without its action gets the list of them."""
        options, rest = super().parse_known_args(args, namespace)
        if self.actions and options.action is None:
            self.error(f"say which action: {', '.join(self.actions)}")
        return options, rest

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += _nearest(str(value), action.choices or ())
            raise


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


def add_actions(parser: Parser) -> Callable[[str, str], Parser]:
    """Give a command actions, as `drafts list` is one; return what adds one, with its name and its help."""
    group = parser.add_subparsers(dest="action", metavar="ACTION")
    parser.actions = group.choices
    return lambda name, words: add_word(group, name, words)


def add_word(group: argparse._SubParsersAction[Parser], name: str, words: str) -> Parser:
    """Add a command or an action with its help; return its parser."""
    return group.add_parser(
        name,
        help=words,
        description=words[0].upper() + words[1:] + ".",
        parents=[_common_options()],
        allow_abbrev=False,
    )


def _common_options() -> Parser:
    """Return the options that every command takes after its name; unused, the program's values stay."""
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    add_output_options(common)
    common.add_argument(
        "--profile",
        dest="profile_after",
        default=argparse.SUPPRESS,
        metavar="NAME",
        help="the account to work for",
    )
    return common


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a result is printed and how much is said."""
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


def count(text: str) -> int:
    """Read an id or a number of things, as large as the database can hold."""
    try:
        return number_to(MAX_TWEET_ID)(text)
    except argparse.ArgumentTypeError:
        if text.isascii() and text.isdigit() and int(text[:20]):
            raise  # larger than any id can be
        message = f"{text!r} is not a whole number, at least 1"
        raise argparse.ArgumentTypeError(message) from None


def number_to(most: int) -> Callable[[str], int]:
    """Return what reads a whole number from 1 to `most`."""

    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
        if not 1 <= number <= most:
            message = f"{text!r} is not a number from 1 to {most}"
            raise argparse.ArgumentTypeError(message)
        return number

    return read
