"""Write texts ahead, after the run's own post, so that the next posts need not wait for the model."""

from __future__ import annotations

from src.domain.posts import Status
from src.posting import apart, past
from src.posting.run import Run
from src.system.failpoints import reach
from src.system.log import logger

LEAST_SECONDS = 30.0  # of the run's time that must be left
SPARE_SECONDS = 15.0  # kept for the end of the run


def write_ahead(run: Run) -> None:
    """Refill the queue to QUEUE_AHEAD texts once half of them are gone."""
    wanted, now = run.settings.queue_ahead, run.clock.now()
    if not wanted or run.write_many is None or run.timetable.pause_at(now):
        return
    approval = run.settings.require_approval
    waiting = len(run.db.with_status(Status.APPROVED))
    waiting += len(run.db.with_status(Status.DRAFT)) if approval else 0
    seconds = run.seconds_left() - SPARE_SECONDS
    if waiting > wanted // 2 or seconds < LEAST_SECONDS:
        return
    history = past.history_of(run.db, run.settings, now)
    apart.remember(run.settings, history.last_used.items(), now)
    written = 0
    for composition in run.write_many(run.settings, history, now, wanted - waiting, seconds):
        reach("ahead.composed")
        if composition.candidates:
            run.db.journal.add_candidates(run.run_id, composition.candidates, now)
        if composition.draft and apart.reserve(run.settings, composition.draft.source_id, now):
            run.db.queue.add_written(composition.draft, now, approved=not approval)
            written += 1
    logger.info("queue.filled", extra={"texts": written, "waiting": waiting + written})
