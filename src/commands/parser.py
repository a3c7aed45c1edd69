"""The command line: commands, options, help. A typo gets the usage and the nearest match, exit 2."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable
from typing import NoReturn

from src import __version__
from src.domain.answers import MAX_TWEET_ID
from src.domain.runs import Exit

MOST_EPOCHS = 100
DESCRIPTION = (
    "Write one verified tweet with a local model and post it to X, at most once per slot. Made for cron."
)
EPILOG = """Without a command, run one tick. --profile NAME, before or after the command, or PROFILE in the environment
chooses one of several accounts: data/profiles/NAME/.env holds its settings.
Exit codes: 0 posted, nothing due, or another run holds the lock; 2 usage; 69 no content; 70 bug; 74 disk or database;
75 temporary; 76 outcome unknown; 77 X refused account, app or money; 78 configuration."""


class Parser(argparse.ArgumentParser):
    """argparse that names the nearest known word."""

    def error(self, message: str) -> NoReturn:
        """Print usage, the problem and the nearest match; exit 2."""
        self.print_usage()
        self.exit(int(Exit.USAGE), f"{self.prog}: {message}{self._nearest(message)}\n")

    def print_usage(self, file: object = None) -> None:
        """Usage goes to standard error: standard output is for results."""
        self._print_message(self.format_usage(), None)

    def _nearest(self, message: str) -> str:
        typed = re.search(r"invalid choice: '([^']*)'", message) or re.search(
            r"unrecognized arguments: (\S+)", message
        )
        close = difflib.get_close_matches(typed[1], self._words(), n=1, cutoff=0.5) if typed else []
        return f"; did you mean {close[0]!r}?" if close else ""

    def _words(self) -> list[str]:
        words: list[str] = []
        for action in self._actions:
            words += action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                words += action.choices
        return words


def build_parser(prog: str = "python -m src.twitter_manager") -> Parser:
    """The whole command line. `--json` and `--profile` stand before or after the command."""
    parser = Parser(
        prog=prog,
        description=DESCRIPTION,
        epilog=EPILOG,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be posted now; post nothing, change nothing"
    )
    common = _add_common(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(name: str, words: str, group: argparse._SubParsersAction[Parser] = commands) -> Parser:
        return group.add_parser(
            name,
            help=words,
            description=words[0].upper() + words[1:] + ".",
            parents=[common],
            allow_abbrev=False,
        )

    check = command("check", "check settings, database, model and library; say what to mend")
    check.add_argument(
        "--online", action="store_true", help="also ask X whether the keys may post (one small read)"
    )
    command("status", "show whether all is well, and if not, why and what to do")
    _add_report(command)
    history = command("history", "list the last posts")
    history.add_argument("-n", type=_count, default=10, metavar="N", help="how many (default 10)")
    drafts = command("drafts", "write, list, show, approve, edit or reject drafts")
    actions = drafts.add_subparsers(dest="action", metavar="ACTION", required=True)
    generate = command("generate", "write drafts with one start of the model", actions)
    generate.add_argument("-n", type=_count, default=10, metavar="N", help="how many (default 10)")
    command("list", "list the drafts that wait and those approved", actions)
    for name, words in (
        ("show", "show a draft with its length and verdict"),
        ("approve", "approve a draft: it goes out first"),
        ("edit", "put your own text in the place of a draft's"),
        ("reject", "reject a draft: it never goes out"),
    ):
        one = command(name, words, actions)
        one.add_argument("id", type=_count, metavar="ID", help="which draft")
        if name == "edit":
            one.add_argument("text", metavar="TEXT", help="the new text; - reads standard input")
    settle = command("reconcile", "look on X for posts whose outcome is unknown, or settle one by hand")
    settle.add_argument("id", nargs="?", type=_count, metavar="ID", help="the post to settle by hand")
    outcome = settle.add_mutually_exclusive_group()
    outcome.add_argument("--posted", type=_count, metavar="TWEET_ID", help="it is on X under this id")
    outcome.add_argument("--not-posted", action="store_true", help="it is not on X")
    _add_model(command)
    evaluate = command("evaluate", "write for many statements and count what the gates say")
    evaluate.add_argument(
        "--sources", metavar="FILE", help="a library file or folder instead of the usual ones"
    )
    evaluate.add_argument("-n", type=_count, default=20, metavar="N", help="how many statements (default 20)")
    messages = command("alerts", "test the alert addresses and the dead-man's ping")
    actions = messages.add_subparsers(dest="action", metavar="ACTION", required=True)
    command("test", "test every alert address and the ping now", actions)
    undo = command("undo", "delete a tweet on X, after asking, and record it")
    undo.add_argument("id", type=_count, metavar="ID", help="the post, as `history` shows it")
    undo.add_argument("--yes", action="store_true", help="do not ask")
    _add_upkeep(command)
    login = command("login", "log in at x.com: fetch the access tokens of the account that posts")
    login.add_argument(
        "--oauth2",
        action="store_true",
        help="by OAuth 2.0 (tokens that each run renews) instead of a PIN (tokens that last)",
    )
    sources = command("sources", "look after the library of statements")
    actions = sources.add_subparsers(dest="action", metavar="ACTION", required=True)
    command("check", "list every broken record with its file and line", actions)
    _add_set_up(command)
    return parser


def _add_common(parser: Parser) -> Parser:
    """Add to the program the options that every command has too, before or after its name; a parent for the commands."""
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    for place in (parser, common):
        place.add_argument(
            "--json",
            action="store_true",
            default=argparse.SUPPRESS,
            help="print the result as one JSON object",
        )
        loudness = place.add_mutually_exclusive_group()
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
    parser.add_argument(
        "--profile", default="", metavar="NAME", help="the account to work for (data/profiles/NAME)"
    )
    common.add_argument(
        "--profile",
        dest="profile_after",
        default=argparse.SUPPRESS,
        metavar="NAME",
        help="the account to work for",
    )
    parser.set_defaults(json=False, verbose=0, quiet=False)
    return common


def _add_model(command: Callable[..., Parser]) -> None:
    model = command("model", "install, update, tune or show the model that writes")
    actions = model.add_subparsers(dest="action", metavar="ACTION", required=True)
    command("install", "convert the embedded model, once", actions)
    update = command("update", "download or convert what MODEL names, try it, switch to it", actions)
    update.add_argument(
        "--revision", default="", metavar="SHA", help="this commit (40 hex digits) instead of MODEL_REVISION"
    )
    model_show = command("show", "show which model writes and whether its files are sound", actions)
    model_show.add_argument("--all", action="store_true", help="list every installed version too")
    command("rollback", "switch back to the model used before", actions)
    tune = command(
        "tune", "teach the embedded model to write openings, in under 15 minutes on two cores", actions
    )
    tune.add_argument(
        "--examples", metavar="FILE", help='your own, one {"statement": ..., "opening": ...} a line'
    )
    tune.add_argument("--output", metavar="FOLDER", help="only write the adapter there, do not switch to it")
    tune.add_argument("--epochs", type=_epochs, default=None, metavar="N", help="passes over the pairs")


def _add_upkeep(command: Callable[[str, str], Parser]) -> None:
    command("maintain", "check and back up the database, drop what is past keeping, tell the disk use")
    restore = command("restore", "put a backup in the place of the database; the program must be stopped")
    restore.add_argument("file", metavar="FILE", help="the backup, as `maintain` made it")


def _add_set_up(command: Callable[[str, str], Parser]) -> None:
    """The commands for setting up a machine."""
    install = command("install", "show the cron line and the systemd units for this folder; change nothing")
    install.add_argument(
        "--print", action="store_true", help="print them, which is all that this command does"
    )
    part = install.add_mutually_exclusive_group()
    part.add_argument("--cron", action="store_true", help="print only the lines for your crontab")
    part.add_argument("--systemd", action="store_true", help="print only the systemd units")
    part.add_argument("--unit", metavar="NAME", help="print only this unit, as twitter_manager.service")
    shell = command(
        "completion", "write a script that teaches your shell the command twitter_manager and its words"
    )
    shell.add_argument("shell", choices=["bash", "zsh", "fish"], metavar="SHELL", help="bash, zsh or fish")


def command_names() -> frozenset[str]:
    """The words that may come first on the command line."""
    (commands,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return frozenset(commands.choices)


def _add_report(command: Callable[[str, str], Parser]) -> None:
    report = command(
        "report", "show what happened: success, speed, memory, money, refusals, gaps, last posts"
    )
    report.add_argument("--days", type=_days, default=30, metavar="N", help="how far back (default 30)")
    report.add_argument("--html", metavar="FILE", help="write it as one page with charts")
    report.add_argument(
        "--prometheus", metavar="FILE", help="write the numbers for the textfile collector of node_exporter"
    )


def _count(text: str) -> int:
    """An id or a number of things, as large as the database can hold."""
    return _number(text, MAX_TWEET_ID)


def _days(text: str) -> int:
    return _number(text, 3660)


def _number(text: str, most: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    if not 1 <= number <= most:
        message = f"{text!r} is not a number from 1 to {most}"
        raise argparse.ArgumentTypeError(message)
    return number


def _epochs(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= MOST_EPOCHS:
        message = f"{text!r} is not a number above 0, at most {MOST_EPOCHS}"
        raise argparse.ArgumentTypeError(message)
    return number


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parse a command line; exits with 2 and the nearest match for one that cannot be read."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    after = vars(options).pop("profile_after", options.profile)
    if options.profile not in {"", after}:
        parser.error(f"two profiles at once: {options.profile!r} and {after!r}")
    options.profile = after
    if options.dry_run and options.command:
        parser.error(f"--dry-run goes with a tick, not with {options.command!r}")
    if options.command == "reconcile" and options.id is None and (options.posted or options.not_posted):
        parser.error("--posted and --not-posted need the ID of a post: `history` shows it")
    if (
        options.command == "reconcile"
        and options.id is not None
        and not (options.posted or options.not_posted)
    ):
        parser.error("say --posted TWEET_ID or --not-posted")
    return options
