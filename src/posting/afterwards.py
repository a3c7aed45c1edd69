"""What a run does once everything about its post is on record: feeds, results of posts, texts ahead.

None of it can change what the run has done: a failure is logged, and the next run tries again. A run in which
nothing of it is due loads none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from src.domain.errors import ProgramError
from src.posting.run import Run
from src.system import machine
from src.system.log import logger


def follow_up(run: Run) -> None:
    """Do what is due after the post, each part whatever becomes of the others. Raises no `ProgramError`."""
    for name, work in (("feeds", _read_feeds), ("results", _read_results), ("ahead", _write_ahead)):
        _attempt(name, work, run)


def _attempt(name: str, work: Callable[[Run], None], run: Run) -> None:
    try:
        with machine.refusals():
            work(run)
    except ProgramError as trouble:
        logger.error(f"{name}.trouble", extra={"message_text": str(trouble), "fix": trouble.fix.render()})


def _read_feeds(run: Run) -> None:
    settings = run.settings
    pause = timedelta(minutes=settings.feed_minutes)
    if settings.feeds and (feeds := run.db.feeds.due(settings.feeds, run.clock.now(), pause)):
        from src.posting import feeding  # noqa: PLC0415 (only a run in which a feed is due)

        feeding.read(run, feeds)


def _read_results(run: Run) -> None:
    days = run.settings.results_after_days
    if days and (posts := run.db.results.due(days, run.clock.now())):
        from src.posting import results  # noqa: PLC0415 (only a run in which a result is due)

        results.read(run, posts)


def _write_ahead(run: Run) -> None:
    if run.settings.queue_ahead:
        from src.posting import ahead  # noqa: PLC0415 (only a run with QUEUE_AHEAD)

        ahead.write_ahead(run)
