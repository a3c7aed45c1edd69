"""`evaluate`: write for many statements and count what the gates say."""

from __future__ import annotations

from pathlib import Path

from src.commands.arguments import Parser, count
from src.commands.command import Command, Context
from src.commands.result import Result
from src.content import library
from src.domain.errors import UsageError
from src.domain.fixes import Fix, command
from src.upkeep import evaluation


def configure(parser: Parser) -> None:
    """Add which statements and how many."""
    parser.add_argument(
        "--sources", metavar="FILE", help="a library file or folder instead of the usual ones"
    )
    parser.add_argument("-n", type=count, default=20, metavar="N", help="how many statements (default 20)")


def run(context: Context) -> Result:
    """Let the model write and count."""
    options, settings = context.options, context.settings
    paths = (Path(options.sources),) if options.sources else settings.library_paths
    statements = library.load(paths).statements
    if not statements:
        message = f"no sound statement in {', '.join(map(str, paths))}"
        raise UsageError(message, Fix(command("sources check"), " lists what is wrong"))
    report = evaluation.evaluate(settings, statements, options.n)
    return Result(report.as_data(), evaluation.as_text(report))


COMMAND = Command("evaluate", "write for many statements and count what the gates say", run, configure)
