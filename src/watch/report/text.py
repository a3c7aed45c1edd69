"""The report as text for a terminal, and the words that the page shares with it."""

from __future__ import annotations

from collections.abc import Mapping

from src.config import Settings
from src.domain.answers import tweet_url
from src.domain.plurals import numbered
from src.domain.posts import Post
from src.watch import status
from src.watch.report import results_text
from src.watch.report.measures import Measures, PostingReport, Spread
from src.watch.slot_history import Gap

GAPS = 30
POSTS = 10


def as_text(report: PostingReport, settings: Settings) -> str:
    """Return the whole report."""
    screen = status.as_text(report.overview, report.findings, settings, report.now)
    parts = [
        [screen],
        _counts(report),
        _gaps(report, settings),
        results_text.as_lines(report.results),
        _posts(report, settings),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _counts(report: PostingReport) -> list[str]:
    spreads = measure_names(report.measures)
    openings = (
        f"{report.judged} judged, {report.taken} taken, {numbered(report.model_failures, 'run')} without"
    )
    return [
        f"in {numbered(report.days, 'day')}",
        *(_row(name, _spread_text(spread)) for name, spread in spreads.items() if spread),
        _row("X answered", _tally(report.answers) or "nothing yet"),
        _row("openings by the model", openings),
        _row("refused by the gates", _tally(report.refused) or "none"),
    ]


def _row(name: str, value: str) -> str:
    return f"  {name:<{results_text.NAME_WIDTH}} {value}"


def _tally(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} × {name}" for name, count in counts.items())


def _gaps(report: PostingReport, settings: Settings) -> list[str]:
    if report.gaps:
        return ["slots without a post", *(f"  {gap_text(gap, settings)}" for gap in report.gaps[:GAPS])]
    was_due = any(rate.due for rate in report.overview.rates.values())
    return ["every slot has its post" if was_due else "no slot was due yet"]


def _posts(report: PostingReport, settings: Settings) -> list[str]:
    if not report.posts:
        return []
    lines = ["last posts"]
    for post in report.posts[:POSTS]:
        at = settings.shown(post.sent_at) if post.sent_at else ""
        lines.append(f"  {at}  {tweet_url(post.tweet_id)}  {_state(post)}")
        lines.append(f"    {' '.join(post.content.split())}")
        if result := report.post_results.get(post.id):
            lines.append(f"    {results_text.figures_text(result)}")
    return lines


def _state(post: Post) -> str:
    if post.deleted_at:
        return "deleted by you"
    return "no longer on X" if post.vanished_at else post.status


def measure_names(measures: Measures) -> dict[str, Spread | None]:
    """Return the measures under names for people, with units."""
    return {
        **{f"{name}, seconds": spread for name, spread in measures.phases.items()},
        "answer of X, milliseconds": measures.latency_ms,
        "processor, seconds": measures.processor,
        "model, tokens a second": measures.tokens_per_second,
        "peak of the program, MB": measures.program_mb,
        "peak of the model, MB": measures.model_mb,
    }


def _spread_text(spread: Spread) -> str:
    return (
        f"median {_short(spread.middle)}, 95th percentile {_short(spread.high)}, maximum {_short(spread.top)}"
    )


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def gap_text(gap: Gap, settings: Settings) -> str:
    """Return one gap in a line."""
    return f"{gap_time(gap, settings)}  {gap.slots} {'slot' if gap.slots == 1 else 'slots'}  {gap.cause}"


def gap_time(gap: Gap, settings: Settings) -> str:
    """Return from when to when in TIME_ZONE, the second date only where it differs."""
    begin, end = (moment.astimezone(settings.schedule.zone) for moment in (gap.begin, gap.end))
    until = f"{end:%R}" if end.date() == begin.date() else f"{end:%F %R}"
    return f"{begin:%F %R} to {until}"
