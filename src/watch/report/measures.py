"""The numbers of the last days: what the text, the page, JSON and Prometheus show of them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta, tzinfo
from statistics import median, quantiles
from typing import Any, TypeVar

from src import db_manager
from src.config import Settings
from src.domain.answers import Outcome, tweet_id_text
from src.domain.posts import Post
from src.domain.results import PostResult
from src.domain.runs import Attempt, Metric, ModelUse, RunOutcome, RunRecord, limits_left
from src.watch import health, status
from src.watch import overview as present
from src.watch.facts import Finding
from src.watch.overview import Overview
from src.watch.report import results
from src.watch.report.results import Results
from src.watch.report.results_text import figures_data
from src.watch.slot_history import Fate, Gap, Slot, gaps

T = TypeVar("T")
LAST_POSTS = 20
# The parts of a run: their names for people, and the metrics that they sum up.
PHASES = {
    "look around": (Metric.OPEN_SECONDS, Metric.SETTLE_SECONDS, Metric.DUE_SECONDS),
    "write": (Metric.COMPOSE_SECONDS,),
    "send": (Metric.SEND_SECONDS,),
}


@dataclass(frozen=True, slots=True)
class Spread:
    """The distribution of a measure."""

    count: int
    middle: float
    high: float  # 95 of 100 are below
    top: float


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of runs: `phases` and `processor` in seconds of those that posted, memory of all."""

    phases: dict[str, Spread | None]
    latency_ms: Spread | None
    processor: Spread | None
    tokens_per_second: Spread | None
    program_mb: Spread | None
    model_mb: Spread | None


@dataclass(frozen=True, slots=True)
class Day:
    """One day by the clock of TIME_ZONE. None where nothing was measured.

    `limits_left` is the smallest share left (0 to 1) of each window of X's limits.
    """

    date: date
    fates: dict[Fate, int]
    latency_ms: Spread | None
    phases: dict[str, float | None]
    program_mb: float | None
    model_mb: float | None
    usd: dict[str, float]
    limits_left: dict[str, float]


@dataclass(frozen=True, slots=True)
class PostingReport:
    """Everything that the text, the page and the numbers show. Times UTC, money US dollars."""

    now: datetime
    days: int
    overview: Overview
    findings: tuple[Finding, ...]
    slots: list[Slot]
    gaps: list[Gap]
    by_day: list[Day]
    measures: Measures
    answers: dict[str, int]
    judged: int
    taken: int
    refused: dict[str, int]
    model_failures: int
    posts: list[Post]
    posts_by_status: dict[str, int]
    results: Results
    post_results: dict[int, PostResult]  # of the last posts, by their ids


# ---- counting ----------------------------------------------------------------------------------------------


def read(settings: Settings, now: datetime, days: int) -> PostingReport:
    """Return the numbers of the last `days` days, all empty without a database. Raises `StorageError`."""
    db = db_manager.open_for_reading(settings.database) or db_manager.empty_database(now)
    with contextlib.closing(db):
        return count(db, settings, now, days)


def count(db: db_manager.Database, settings: Settings, now: datetime, days: int) -> PostingReport:
    """Return the numbers of an open database."""
    window = timedelta(days=days)
    slots = present.read_slots(db, settings, now, max(window, *present.WINDOWS.values()))
    overview = present.read_overview(db, settings, slots, now)
    slots = [slot for slot in slots if slot.start >= now - window]
    runs, attempts = db.journal.runs_since(now - window), db.journal.attempts_since(now - window)
    posts = db.archive.sent_posts(LAST_POSTS)
    judged, taken, refused = db.journal.candidates_since(now - window)
    return PostingReport(
        now=now,
        days=days,
        overview=overview,
        findings=health.find(overview.facts, settings, now),
        slots=slots,
        gaps=gaps(slots),
        by_day=_by_day(
            slots, runs, attempts, db.journal.spendings_since(now - window), settings.schedule.zone
        ),
        measures=_measures(runs, attempts),
        answers=dict(Counter(_answer(a) for a in attempts).most_common()),
        judged=judged,
        taken=taken,
        refused=dict(Counter(refused).most_common()),
        model_failures=sum(r.model_use is ModelUse.FAILED for r in runs),
        posts=posts,
        posts_by_status=db.archive.count_by_status(),
        results=results.summarise(db.results.with_posts(now - window), settings.results_after_days),
        post_results=db.results.of([post.id for post in posts]),
    )


def spread(values: Iterable[float]) -> Spread | None:
    """Return middle, 95th percentile and maximum; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    high = quantiles(ordered, n=20, method="inclusive")[-1] if len(ordered) > 1 else ordered[0]
    return Spread(len(ordered), float(median(ordered)), float(high), float(ordered[-1]))


def _answer(attempt: Attempt) -> str:
    outcome = attempt.outcome or "the run died"
    words = {Outcome.NOT_SENT: "not sent", Outcome.UNKNOWN: "no trustworthy answer"}
    said = words[Outcome(outcome)] if outcome in words else outcome
    return f"{attempt.http_status} {said}" if attempt.http_status else said


def _phase(run: RunRecord, names: Iterable[str]) -> float:
    return sum(run.metrics.get(name, 0.0) for name in names)


def _measures(runs: Sequence[RunRecord], attempts: Sequence[Attempt]) -> Measures:
    posted = [r for r in runs if r.outcome is RunOutcome.POSTED]
    phases = {
        name: spread(_phase(r, metrics) for r in posted if metrics[-1] in r.metrics)
        for name, metrics in PHASES.items()
    }

    def of(metric: str, among: Sequence[RunRecord]) -> Spread | None:
        return spread(r.metrics[metric] for r in among if metric in r.metrics)

    return Measures(
        phases={**phases, "whole run": of(Metric.SECONDS, posted)},
        latency_ms=spread(a.latency_ms for a in attempts if a.http_status),
        processor=of(Metric.CPU_SECONDS, posted),
        tokens_per_second=of(Metric.TOKENS_PER_SECOND, runs),
        program_mb=of(Metric.PROGRAM_PEAK_MB, runs),
        model_mb=of(Metric.MODEL_PEAK_MB, runs),
    )


def _by_day(
    slots: Sequence[Slot],
    runs: Sequence[RunRecord],
    attempts: Sequence[Attempt],
    spending: Sequence[tuple[datetime, str, float]],
    zone: tzinfo,
) -> list[Day]:
    """Return one entry for each day from the first slot to the last, whether anything happened or not."""
    if not slots:
        return []

    def day_of(moment: datetime) -> date:
        return moment.astimezone(zone).date()

    fates = _grouped(slots, lambda s: day_of(s.start))
    ran = _grouped(runs, lambda r: day_of(r.started))
    sent = _grouped((a for a in attempts if a.http_status), lambda a: day_of(a.started))
    spent = _grouped(spending, lambda row: day_of(row[0]))
    first, last = day_of(slots[0].start), day_of(slots[-1].start)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [_day(d, fates.get(d, []), ran.get(d, []), sent.get(d, []), spent.get(d, [])) for d in days]


def _grouped(items: Iterable[T], day: Callable[[T], date]) -> dict[date, list[T]]:
    by_day: dict[date, list[T]] = {}
    for item in items:
        by_day.setdefault(day(item), []).append(item)
    return by_day


def _day(
    day: date,
    slots: Sequence[Slot],
    runs: Sequence[RunRecord],
    sent: Sequence[Attempt],
    spending: Sequence[tuple[datetime, str, float]],
) -> Day:
    usd: dict[str, float] = {}
    for _, kind, price in spending:
        usd[kind] = usd.get(kind, 0.0) + price
    posted = [r for r in runs if r.outcome is RunOutcome.POSTED]
    limits: dict[str, float] = {}
    for run in runs:
        for window, left in limits_left(run.metrics).items():
            limits[window] = min(limits.get(window, 1.0), left)
    return Day(
        day,
        {fate: sum(s.fate is fate for s in slots) for fate in Fate},
        spread(a.latency_ms for a in sent),
        {
            name: _middle(_phase(r, metrics) for r in posted if metrics[-1] in r.metrics)
            for name, metrics in PHASES.items()
        },
        _highest(Metric.PROGRAM_PEAK_MB, runs),
        _highest(Metric.MODEL_PEAK_MB, runs),
        usd,
        limits,
    )


def _highest(metric: str, runs: Sequence[RunRecord]) -> float | None:
    return max((r.metrics[metric] for r in runs if metric in r.metrics), default=None)


def _middle(values: Iterable[float]) -> float | None:
    whole = spread(values)
    return whole.middle if whole else None


# ---- for programs ------------------------------------------------------------------------------------------


def as_data(report: PostingReport, settings: Settings) -> dict[str, Any]:
    """Return the whole report for programs."""
    return status.as_data(report.overview, report.findings, settings) | {
        "days": report.days,
        "measures": asdict(report.measures),
        "answers": report.answers,
        "openings": {
            "judged": report.judged,
            "taken": report.taken,
            "refused": report.refused,
            "runs_without": report.model_failures,
        },
        "by_day": [_day_data(day) for day in report.by_day],
        "gaps": [asdict(gap) for gap in report.gaps],
        "posts": [_post_data(post, report.post_results.get(post.id)) for post in report.posts],
        "results": asdict(report.results) if report.results.shown else None,
        "posts_by_status": report.posts_by_status,
    }


def _day_data(day: Day) -> dict[str, Any]:
    return {**asdict(day), "fates": {str(fate): count for fate, count in day.fates.items()}}


def _post_data(post: Post, result: PostResult | None) -> dict[str, Any]:
    return {
        "id": post.id,
        "status": post.status,
        "at": post.sent_at,
        "tweet_id": tweet_id_text(post.tweet_id),
        "deleted_at": post.deleted_at,
        "content": post.content,
        "results": figures_data(result),
    }
