"""`sources check`: every broken record with file and line, and the counts of all topics."""

from __future__ import annotations

from src.commands.arguments import Parser, add_actions
from src.commands.command import Command, Context
from src.commands.result import Result
from src.content import library, safety
from src.domain.runs import Exit


def configure(parser: Parser) -> None:
    """Add the one action."""
    add_actions(parser)("check", "list every broken record with its file and line")


def run(context: Context) -> Result:
    """Read the whole library and list what is wrong with it."""
    loaded = library.load(context.settings.library_paths)
    safety.read_words(context.settings.blocklist_file)  # raises for an entry that can never match
    counts = {topic: sum(s.topic == topic for s in loaded.statements) for topic in loaded.topics}
    problems = [str(problem) for problem in loaded.problems]
    total = f"{len(loaded.statements)} statements in {len(counts)} topics, {len(problems)} broken records"
    lines = [*problems, *(f"{number:>5}  {topic}" for topic, number in counts.items()), total]
    exit_code = Exit.CONFIG if problems else Exit.OK
    return Result({"problems": problems, "topics": counts}, "\n".join(lines), exit_code)


COMMAND = Command("sources", "look after the library of statements", run, configure)
