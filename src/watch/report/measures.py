"""What happened in the last days, counted: for people as text, for programs as JSON, and for the page and Prometheus."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from statistics import median, quantiles
from typing import Any, TypeVar

from src import db_manager
from src.config import Settings
from src.domain.answers import Outcome, tweet_url
from src.domain.posts import Post
from src.domain.runs import Attempt, RunRecord
from src.watch import health, status
from src.watch.health import Facts, Reason
from src.watch.slot_history import Fate, Gap, Slot, gaps

T = TypeVar("T")
LAST_POSTS = 20
# The parts of a run: their names for people, and the metrics that they sum up.
PHASES = {
    "look around": ("open_seconds", "settle_seconds", "due_seconds"),
    "write": ("compose_seconds",),
    "send": ("send_seconds",),
}


@dataclass(frozen=True, slots=True)
class Spread:
    """How a measure is distributed."""

    count: int
    middle: float
    high: float  # 95 of 100 are below
    top: float


@dataclass(frozen=True, slots=True)
class Measures:
    """What runs measured: `phases` and `processor` in seconds of those that posted, memory of all."""

    phases: dict[str, Spread | None]
    latency_ms: Spread | None
    processor: Spread | None
    tokens_per_second: Spread | None
    program_mb: Spread | None
    model_mb: Spread | None


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC). None where nothing was measured. `limits_left`: the least share left of each window of X's limits."""

    date: date
    fates: dict[Fate, int]
    latency_ms: Spread | None
    phases: dict[str, float | None]
    program_mb: float | None
    model_mb: float | None
    usd: dict[str, float]
    limits_left: dict[str, float]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the text, the page and the numbers show. Times UTC, money US dollars."""

    now: datetime
    days: int
    facts: Facts
    reasons: tuple[Reason, ...]
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


# ---- counting --------------------------------------------------------------------------------------------------


def read(settings: Settings, now: datetime, days: int) -> Report:
    """Count the last `days` days. Without a database: all of nothing. Raises `StorageError`."""
    db = db_manager.open_for_reading(settings.database) or db_manager.empty_database(now)
    with contextlib.closing(db):
        return count(db, settings, now, days)


def count(db: db_manager.Database, settings: Settings, now: datetime, days: int) -> Report:
    """Count what an open database holds."""
    window = timedelta(days=days)
    slots = status.read_slots(db, settings, now, max(window, *status.WINDOWS.values()))
    facts = status.read_facts(db, settings, slots, now)
    slots = [slot for slot in slots if slot.start >= now - window]
    runs, attempts = db.journal.runs_since(now - window), db.journal.attempts_since(now - window)
    judged, taken, refused = db.journal.candidates_since(now - window)
    return Report(
        now=now,
        days=days,
        facts=facts,
        reasons=health.judge(facts, settings, now),
        slots=slots,
        gaps=gaps(slots, settings.post_interval_minutes),
        by_day=_by_day(slots, runs, attempts, db.journal.spending_by_day(now - window)),
        measures=_measures(runs, attempts),
        answers=dict(Counter(_answer(a) for a in attempts).most_common()),
        judged=judged,
        taken=taken,
        refused=dict(Counter(refused).most_common()),
        model_failures=sum("model_failed" in r.metrics for r in runs),
        posts=db.archive.sent_posts(LAST_POSTS),
        posts_by_status=db.archive.count_by_status(),
    )


def spread(values: Iterable[float]) -> Spread | None:
    """Middle, 95th percentile and maximum; None of nothing."""
    found = sorted(values)
    if not found:
        return None
    high = quantiles(found, n=20, method="inclusive")[-1] if len(found) > 1 else found[0]
    return Spread(len(found), float(median(found)), float(high), float(found[-1]))


def _answer(attempt: Attempt) -> str:
    outcome = attempt.outcome or "the run died"
    words = {Outcome.NOT_SENT: "not sent", Outcome.UNKNOWN: "no trustworthy answer"}
    said = words[Outcome(outcome)] if outcome in words else outcome
    return f"{attempt.http_status} {said}" if attempt.http_status else said


def _phase(run: RunRecord, names: Iterable[str]) -> float:
    return sum(run.metrics.get(name, 0.0) for name in names)


def _measures(runs: Sequence[RunRecord], attempts: Sequence[Attempt]) -> Measures:
    posted = [r for r in runs if r.outcome == "posted"]
    phases = {
        name: spread(_phase(r, metrics) for r in posted if metrics[-1] in r.metrics)
        for name, metrics in PHASES.items()
    }

    def of(metric: str, among: Sequence[RunRecord]) -> Spread | None:
        return spread(r.metrics[metric] for r in among if metric in r.metrics)

    return Measures(
        phases={**phases, "whole run": of("seconds", posted)},
        latency_ms=spread(a.latency_ms for a in attempts if a.http_status),
        processor=of("cpu_seconds", posted),
        tokens_per_second=of("tokens_per_second", runs),
        program_mb=of("program_peak_mb", runs),
        model_mb=of("model_peak_mb", runs),
    )


def _by_day(
    slots: Sequence[Slot],
    runs: Sequence[RunRecord],
    attempts: Sequence[Attempt],
    spending: Sequence[tuple[str, str, int, float]],
) -> list[Day]:
    """One entry for each day from the first slot to the last, whether anything happened or not."""
    if not slots:
        return []
    fates = _grouped(slots, lambda s: s.start.date())
    ran = _grouped(runs, lambda r: r.started.date())
    sent = _grouped((a for a in attempts if a.http_status), lambda a: a.started.date())
    spent = _grouped(spending, lambda row: date.fromisoformat(row[0]))
    first, last = slots[0].start.date(), slots[-1].start.date()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [_day(d, fates.get(d, []), ran.get(d, []), sent.get(d, []), spent.get(d, [])) for d in days]


def _grouped(items: Iterable[T], day: Callable[[T], date]) -> dict[date, list[T]]:
    found: dict[date, list[T]] = {}
    for item in items:
        found.setdefault(day(item), []).append(item)
    return found


def _day(
    day: date,
    slots: Sequence[Slot],
    runs: Sequence[RunRecord],
    sent: Sequence[Attempt],
    spending: Sequence[tuple[str, str, int, float]],
) -> Day:
    posted = [r for r in runs if r.outcome == "posted"]
    limits: dict[str, float] = {}
    for run in runs:
        for metric, left in run.metrics.items():
            name, found, _ = metric.partition("-left-share")
            if found:
                limits[name] = min(limits.get(name, 1.0), left)
    return Day(
        day,
        {fate: sum(s.fate is fate for s in slots) for fate in Fate},
        spread(a.latency_ms for a in sent),
        {
            name: _middle(_phase(r, metrics) for r in posted if metrics[-1] in r.metrics)
            for name, metrics in PHASES.items()
        },
        max((r.metrics["program_peak_mb"] for r in runs if "program_peak_mb" in r.metrics), default=None),
        max((r.metrics["model_peak_mb"] for r in runs if "model_peak_mb" in r.metrics), default=None),
        {kind: usd for _, kind, _, usd in spending},
        limits,
    )


def _middle(values: Iterable[float]) -> float | None:
    found = spread(values)
    return found.middle if found else None


# ---- in words, and for programs -----------------------------------------------------------------------------------


def as_text(report: Report, settings: Settings) -> str:
    """The whole report for a terminal."""
    facts, width = report.facts, 26
    lines = [status.as_text(facts, report.reasons, settings, report.now), "", f"in {report.days} days"]
    lines += [
        f"  {name:<{width}} {_spread_words(found)}" for name, found in named(report.measures).items() if found
    ]
    lines += [
        f"  {'X answered':<{width}} {', '.join(f'{count} × {answer}' for answer, count in report.answers.items()) or 'nothing yet'}"
    ]
    lines += [
        f"  {'openings by the model':<{width}} {report.judged} judged, {report.taken} taken, {report.model_failures} runs without"
    ]
    lines += [
        f"  {'refused by the gates':<{width}} {', '.join(f'{count} × {reason}' for reason, count in report.refused.items()) or 'none'}"
    ]
    lines += ["", "slots without a post" if report.gaps else "every slot has its post"]
    lines += [f"  {gap_words(gap)}" for gap in report.gaps[:30]]
    lines += ["", "last posts"]
    for post in report.posts[:10]:
        lines += [
            f"  {post.sent_at:%F %R}  {tweet_url(post.tweet_id)}  {post.status}",
            f"    {' '.join(post.content.split())}",
        ]
    return "\n".join(lines if report.posts else lines[:-2])


def named(measures: Measures) -> dict[str, Spread | None]:
    """The measures under names for people, with units."""
    return {
        **{f"{name}, seconds": found for name, found in measures.phases.items()},
        "answer of X, milliseconds": measures.latency_ms,
        "processor, seconds": measures.processor,
        "model, tokens a second": measures.tokens_per_second,
        "peak of the program, MB": measures.program_mb,
        "peak of the model, MB": measures.model_mb,
    }


def _spread_words(found: Spread) -> str:
    return f"{_short(found.middle)} in the middle, {_short(found.high)} for 95 of 100, {_short(found.top)} at most"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def gap_words(gap: Gap) -> str:
    """One gap in a line."""
    return f"{gap_time(gap)}  {gap.slots} {'slot' if gap.slots == 1 else 'slots'}  {gap.cause}"


def gap_time(gap: Gap) -> str:
    """From when to when, the second date only where it differs."""
    end = f"{gap.end:%R}" if gap.end.date() == gap.begin.date() else f"{gap.end:%F %R}"
    return f"{gap.begin:%F %R} to {end}"


def as_data(report: Report, settings: Settings) -> dict[str, Any]:
    """The whole report for programs."""
    return status.as_data(report.facts, report.reasons, settings, report.now) | {
        "days": report.days,
        "measures": asdict(report.measures),
        "answers": report.answers,
        "openings": {
            "judged": report.judged,
            "taken": report.taken,
            "refused": report.refused,
            "runs_without": report.model_failures,
        },
        "by_day": [
            {**asdict(day), "fates": {str(fate): n for fate, n in day.fates.items()}} for day in report.by_day
        ],
        "gaps": [
            {"begin": gap.begin, "end": gap.end, "slots": gap.slots, "fate": gap.fate, "cause": gap.cause}
            for gap in report.gaps
        ],
        "posts": [
            {
                "id": p.id,
                "status": p.status,
                "at": p.sent_at,
                "tweet_id": str(p.tweet_id or ""),
                "content": p.content,
            }
            for p in report.posts
        ],
        "posts_by_status": report.posts_by_status,
    }
