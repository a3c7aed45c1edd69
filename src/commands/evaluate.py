"""`evaluate`: write for many statements; count what the gates say of one model or two, or a reader."""

from __future__ import annotations

from pathlib import Path

from src.commands.arguments import Parser, count
from src.commands.command import Command, Context
from src.commands.result import Result
from src.content import library
from src.domain.errors import UsageError
from src.domain.fixes import Fix, command
from src.domain.plurals import numbered
from src.upkeep import blind, comparison, evaluation


def configure(parser: Parser) -> None:
    """Add which statements and how many."""
    parser.add_argument(
        "--sources", metavar="FILE", help="a library file or folder instead of the usual ones"
    )
    parser.add_argument("-n", type=count, default=20, metavar="N", help="how many statements (default 20)")
    reading = parser.add_mutually_exclusive_group()
    sheet = "write the drafts, shuffled, into a sheet for a reader, with the key beside it"
    reading.add_argument("--blind", metavar="FILE", help=sheet)
    other = "compare the model in use with this installed one: owner/name, `embedded`, or its folder"
    reading.add_argument("--against", metavar="NAME", help=other)
    reading.add_argument("--score", metavar="FILE", help="count the answers of a filled sheet")


def run(context: Context) -> Result:
    """Let the model write and count, beside another one, write a sheet of it, or count a filled one."""
    options, settings = context.options, context.settings
    if options.score:
        score = blind.score(Path(options.score))
        return Result(score.as_data(), blind.as_text(score))
    paths = (Path(options.sources),) if options.sources else settings.library_paths
    statements = library.load(paths).statements
    if not statements:
        message = f"no sound statement in {', '.join(map(str, paths))}"
        raise UsageError(message, Fix(command("sources check"), " lists what is wrong"))
    if options.against:
        compared = comparison.compare(settings, statements, options.n, options.against)
        return Result(compared.as_data(), comparison.as_text(compared))
    sheet = Path(options.blind) if options.blind else None
    if sheet:
        blind.refuse_taken(sheet)  # before the model works for minutes
    report = evaluation.evaluate(settings, statements, options.n)
    if sheet:
        return _sheet(sheet, list(blind.drafts_of(settings, statements, report)))
    return Result(report.as_data(), evaluation.as_text(report))


def _sheet(path: Path, drafts: list[blind.Draft]) -> Result:
    """Write a sheet and its key, and say what a reader does with it."""
    key = blind.write(path, drafts)
    data = {"sheet": str(path), "key": str(key), "drafts": len(drafts)}
    asked = f"read_on: {', '.join(blind.READ_ON)}; post: {', '.join(blind.POST)}"
    text = f"{numbered(len(drafts), 'draft')} in {path}, their key in {key}"
    return Result(data, f"{text}\nfill in {asked}; then count with --score {path}")


COMMAND = Command("evaluate", "write for many statements and count what the gates say", run, configure)
