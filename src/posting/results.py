"""Read what became of posts that have reached a fixed age, after this run's post: one request, once a day.

Nothing that X answers ends a run or costs a slot. A read is recorded whole, with its cost, so that a kill at
any step loses nothing: the next run asks again.
"""

from __future__ import annotations

from collections.abc import Sequence

from src.domain import money, reasons
from src.domain.answers import Outcome
from src.domain.errors import ProgramError
from src.domain.fixes import Fix
from src.domain.results import Due, Figures, Lookup
from src.posting.run import Run
from src.system.failpoints import reach
from src.system.log import logger

SECONDS = 70.0  # of the run's time that must be left: more than one exchange takes
FIX_BUDGET = Fix("raise DAILY_BUDGET_USD or MONTHLY_BUDGET_USD, or set RESULTS_AFTER_DAYS=0")
FIX_FIGURES = Fix("X may have changed its API: update this program, or set RESULTS_AFTER_DAYS=0")


def read(run: Run, due: Sequence[Due]) -> None:
    """Ask X for the figures of these posts, of as many as the budget allows, and record what it says."""
    if run.seconds_left() < SECONDS or run.db.notes.get("cold_start") or _is_refused(run):
        return
    wanted = due[: _affordable(run)]
    if not wanted:
        cost = money.price(run.settings.price_read_usd)
        _fail(run, f"the budget is used up, and each costs {cost}", FIX_BUDGET)
        return
    try:
        lookup = run.account.look_up([post.tweet_id for post in wanted])
        reach("results.read")
        _record(run, wanted, lookup)
    except ProgramError:
        raise
    except Exception as error:  # noqa: BLE001 (no answer of X may end a run)
        logger.error("results.bug", exc_info=error)
        _fail(run, f"a bug: {type(error).__name__}", Fix("see error.log in the folder of the logs"))


def _is_refused(run: Run) -> bool:
    """Return whether X refuses the account, so that asking would be refused as well."""
    hold = run.db.notes.current_hold()
    return hold is not None and hold.kind == "blocked"


def _affordable(run: Run) -> int | None:
    """Return how many tweets the budgets allow to read, None for any number."""
    settings, usage = run.settings, run.db.archive.usage(run.slot, run.clock.now())
    if not settings.price_read_usd:
        return None
    left = min(settings.daily_budget_usd - usage.spent_24h, settings.monthly_budget_usd - usage.spent_month)
    return max(int(left / settings.price_read_usd + 1e-6), 0)


def _record(run: Run, wanted: Sequence[Due], lookup: Lookup) -> None:
    result = lookup.result
    if result.outcome is not Outcome.DONE:
        _fail(run, reasons.of_answer(result.reason, result.detail), result.fix, lookup.shown)
        return
    if lookup.figures and not any(lookup.figures.values()):  # not of a tweet or two: X gives none to anybody
        _fail(run, "X shows the tweets without any figures", FIX_FIGURES, lookup.shown)
        return
    nothing = dict.fromkeys(lookup.missing, Figures())
    known = {**lookup.figures, **nothing}
    figures = {post.post_id: known[post.tweet_id] for post in wanted if post.tweet_id in known}
    if not figures:
        _fail(run, "X answered for none of the tweets", FIX_FIGURES, lookup.shown)
        return
    usd = lookup.shown * run.settings.price_read_usd
    run.db.results.record(figures, lookup.shown, usd, run.clock.now())
    logger.info(
        "results.read",
        extra={"posts": len(figures), "missing": len(nothing), "unanswered": len(wanted) - len(figures)},
    )


def _fail(run: Run, detail: str, fix: Fix, shown: int = 0) -> None:
    usd = shown * run.settings.price_read_usd
    run.db.results.record_failure(detail, fix, shown, usd, run.clock.now())
    logger.warning("results.failed", extra={"detail": detail, "fix": fix.render()})
