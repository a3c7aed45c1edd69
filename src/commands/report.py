"""`report`: what happened in the last days, as text, JSON, a page or numbers for Prometheus."""

from __future__ import annotations

from pathlib import Path

from src.commands.arguments import Parser, number_to
from src.commands.command import Command, Context
from src.commands.result import Result, on_terminal
from src.config import Settings
from src.domain.fixes import Fix
from src.system.files import as_storage_error, write_atomically
from src.watch.report import measures, text
from src.watch.report.measures import PostingReport

MOST_DAYS = 3660
NUMBERS_MODE = 0o644  # numbers only, and node_exporter is another user


def configure(parser: Parser) -> None:
    """Add how far back to look and the files to write."""
    days = number_to(MOST_DAYS)
    parser.add_argument("--days", type=days, default=30, metavar="N", help="how far back (default 30)")
    parser.add_argument("--html", metavar="FILE", help="write it as one page with charts")
    parser.add_argument(
        "--prometheus", metavar="FILE", help="write the numbers for the textfile collector of node_exporter"
    )


def run(context: Context) -> Result:
    """Count, write the files that were asked for, and show the text where there are none."""
    options, settings = context.options, context.settings
    report = measures.read(settings, context.now, options.days)
    written = []
    if options.prometheus:
        _write_numbers(Path(options.prometheus), report, settings)
        written.append(options.prometheus)
    if options.html:
        _write_page(Path(options.html), report, settings)
        written.append(options.html)
    data = measures.as_data(report, settings)
    if not written:
        return Result(data, text.as_text(report, settings))
    return Result(data, f"wrote {' and '.join(written)}" if on_terminal() else None)


def _write_numbers(file: Path, report: PostingReport, settings: Settings) -> None:
    from src.watch.report.prometheus import as_prometheus  # noqa: PLC0415 (a library that only this needs)

    _write(file, as_prometheus(report, settings), NUMBERS_MODE)


def _write_page(file: Path, report: PostingReport, settings: Settings) -> None:
    from src.watch.report.page import as_html  # noqa: PLC0415 (the same)

    _write(file, as_html(report, settings))


def _write(file: Path, content: str, mode: int = 0o600) -> None:
    """Replace a file. Raise `StorageError` for one that cannot be written."""
    fix = Fix(f"name a file in a folder that exists and is writable: mkdir -p {file.absolute().parent}")
    with as_storage_error(f"cannot write {file.absolute()}", fix):
        write_atomically(file, content, mode)


COMMAND = Command(
    "report", "show what happened: success, speed, memory, money, refusals, gaps, last posts", run, configure
)
