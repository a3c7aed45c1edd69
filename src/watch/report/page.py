"""The report as one HTML page: no scripts, no requests, a policy that forbids both, every text escaped."""

from __future__ import annotations

import base64
import hashlib
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from src import __version__
from src.config import Settings
from src.content.freshness import Supply
from src.domain import money, times
from src.domain.answers import tweet_url
from src.domain.plurals import numbered
from src.domain.posts import Post
from src.posting.breaker import CLOSED, BreakerState
from src.system.log import sanitise
from src.watch import health, status
from src.watch.overview import Overview, Spend
from src.watch.report import charts, queue_page, results_page, results_text
from src.watch.report.measures import Day, PostingReport, Spread
from src.watch.report.text import gap_time, measure_names
from src.watch.slot_history import Fate, Rate, Slot
from src.watch.status import UNITS, Unit
from src.x import account_name
from src.x.claim import fix_text

TEMPLATES = Path(__file__).parent / "templates"
MAP_DAYS = 31
MAP_ROWS = 30
GAPS = 60
GOOD_SHARE, FAIR_SHARE = 0.99, 0.9  # of the slots that were due
SHORT_UNITS = (*UNITS[:-1], Unit("min", "min", 1, 1))
_PERIODS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}
# From good to bad: a cell of the map shows the worst of its slots.
_WORSE = (Fate.POSTED, Fate.LEFT_OUT, Fate.UNKNOWN, Fate.MISSED)
_WINDOWS = {
    "x-rate-limit": "15 minutes",
    "x-app-limit-24hour": "app, 24 hours",
    "x-user-limit-24hour": "user, 24 hours",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart: its title, its main figure in words, the drawing (empty: nothing measured), its legend."""

    title: str
    says: str
    svg: str
    legend: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the large figures on top. `tone` is good, bad, warn or empty; `share` (0 to 1) draws a bar."""

    name: str
    value: str
    more: str
    tone: str = ""
    link: str = ""
    share: float | None = None


def as_html(report: PostingReport, settings: Settings) -> str:
    """Return the whole page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clean=sanitise, slug=charts.slug)
    safe = Markup  # the style sheet and what pygal drew, which escapes its texts itself
    return environment.get_template("report.html").render(
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        style=safe(style),
        report=report,
        queue=queue_page.section(report.overview, settings),
        account=account_name.known(settings),
        findings=[(f.message, fix_text(f.fix, settings.profile)) for f in report.findings],
        version=__version__,
        tiles=_tiles(report, settings),
        charts=[(c, safe(c.svg)) for c in _charts(report)],
        map=_map(report.slots, settings.schedule.zone),
        gaps=[(gap_time(gap, settings), gap) for gap in report.gaps[:GAPS]],
        more_gaps=max(len(report.gaps) - GAPS, 0),
        measures=[(name, spread) for name, spread in measure_names(report.measures).items() if spread],
        number=_number,
        ill=health.exit_code(report.findings) != 0,
        shown=settings.shown,
        zone=settings.time_zone,
        refused=_refused(report.refused),
        results=results_page.section(report.results),
        figures={i: results_text.figures_text(result) for i, result in report.post_results.items()},
        tweet_url=tweet_url,
        missed=sum(s.fate is not Fate.POSTED for s in report.slots),
    )


# ---- the figures on top ------------------------------------------------------------------------------------


def _tiles(report: PostingReport, settings: Settings) -> list[Tile]:
    overview, now = report.overview, report.now
    return [
        *(_success_tile(_PERIODS[window], share) for window, share in overview.rates.items()),
        _last_post_tile(overview.last_tweet, settings, now),
        _next_post_tile(overview, settings),
        _spend_tile(overview.spend, settings.monthly_budget_usd),
        _library_tile(overview.library, settings),
        _breaker_tile(overview.facts.breaker or CLOSED, settings),
    ]


def _success_tile(period: str, rate: Rate) -> Tile:
    share = rate.share
    value = "–" if share is None else status.percent(share)
    more = f"{rate.posted} of {numbered(rate.due, 'slot')}{status.left_out_text(rate)}"
    return Tile(f"Success, {period}", value, more, _tone(share), share=share)


def _tone(share: float | None) -> str:
    if share is None:
        return ""
    if share >= GOOD_SHARE:
        return "good"
    return "warn" if share >= FAIR_SHARE else "bad"


def _last_post_tile(tweet: Post | None, settings: Settings, now: datetime) -> Tile:
    if tweet is None or tweet.sent_at is None:
        return Tile("Last post", "none yet", "")
    when = settings.shown(tweet.sent_at)
    age = status.age_text(tweet.sent_at, now, SHORT_UNITS)
    return Tile("Last post", age or when, when, link=tweet_url(tweet.tweet_id) if tweet.tweet_id else "")


def _next_post_tile(overview: Overview, settings: Settings) -> Tile:
    wait = overview.wait
    if wait is None:
        return Tile("Next post", "next run", "a post is due now")
    if overview.pause:
        return Tile("Next post", "paused", status.pause_text(overview.pause, settings))
    at = wait.until.astimezone(settings.schedule.zone) if wait.until else None
    return Tile("Next post", f"from {at:%R}" if at else "held back", wait.message)


def _spend_tile(spend: Spend, budget: float) -> Tile:
    return Tile(
        "Spend this month",
        money.total(spend.month),
        f"of {money.budget(budget)}; forecast {money.total(spend.forecast)}",
        "bad" if spend.forecast > budget else "",
        share=min(spend.month / budget, 1.0) if budget else None,
    )


def _library_tile(left: Supply, settings: Settings) -> Tile:
    low = left.days is not None and left.days < settings.alert_low_library_days
    return Tile(
        "Library",
        f"{left.fresh:,} fresh",
        status.until_text(left, settings),
        "warn" if low else "",
        share=left.fresh / left.total if left.total else None,
    )


def _breaker_tile(state: BreakerState, settings: Settings) -> Tile:
    return Tile(
        "Refusals of X in a row",
        str(state.count),
        health.refusals_text(state, settings),
        "bad" if state.open else "",
    )


# ---- the charts --------------------------------------------------------------------------------------------


def _charts(report: PostingReport) -> list[Chart]:
    return [
        _posts_chart(report.by_day),
        _time_chart(report),
        _answer_chart(report),
        _memory_chart(report),
        _spend_chart(report.by_day),
        _limits_chart(report),
    ]


def _posts_chart(days: Sequence[Day]) -> Chart:
    fates = [fate for fate in Fate if fate is Fate.POSTED or any(day.fates[fate] for day in days)]
    posted = sum(day.fates[Fate.POSTED] for day in days)
    series = {str(fate): [day.fates[fate] or None for day in days] for fate in fates}
    says = f"{posted} in {numbered(len(days), 'day')}"
    return _chart("Posts a day", says, days, charts.stacked_bars, series, _number)


def _time_chart(report: PostingReport) -> Chart:
    days, whole = report.by_day, report.measures.phases["whole run"]
    phases = days[0].phases if days else ()
    return _chart(
        "Time of a run",
        _middle_and_top(whole, "s") if whole else "no run yet",
        days,
        charts.stacked_bars,
        {name: [day.phases[name] for day in days] for name in phases},
        lambda value: f"{_number(value)} s",
    )


def _answer_chart(report: PostingReport) -> Chart:
    days, latency = report.by_day, report.measures.latency_ms
    return _chart(
        "Answer of X",
        _middle_and_top(latency, "ms") if latency else "no answer yet",
        days,
        charts.lines,
        {
            "median": [day.latency_ms.middle if day.latency_ms else None for day in days],
            "95th percentile": [day.latency_ms.high if day.latency_ms else None for day in days],
        },
        lambda value: f"{_number(value)} ms",
    )


def _memory_chart(report: PostingReport) -> Chart:
    days, measures = report.by_day, report.measures
    processes = (("program", measures.program_mb), ("model", measures.model_mb))
    peaks = [f"{name} {_number(spread.top)} MB" for name, spread in processes if spread]
    return _chart(
        "Peak memory",
        ", ".join(peaks) + " at most" if peaks else "nothing measured yet",
        days,
        charts.lines,
        {"program": [day.program_mb for day in days], "model": [day.model_mb for day in days]},
        lambda value: f"{_number(value)} MB",
    )


def _spend_chart(days: Sequence[Day]) -> Chart:
    kinds = sorted({kind for day in days for kind in day.usd}, key=lambda kind: kind != "post")
    spent = sum(usd for day in days for usd in day.usd.values())
    series = {f"{kind.removesuffix('s')}s": [day.usd.get(kind) for day in days] for kind in kinds}
    says = f"{money.total(spent)} in {numbered(len(days), 'day')}"
    return _chart("Spend a day", says, days, charts.stacked_bars, series, money.total)


def _limits_chart(report: PostingReport) -> Chart:
    days = report.by_day
    windows = sorted({name for day in days for name in day.limits_left})
    now = [f"{w.remaining} of {w.limit} ({_WINDOWS.get(w.name, w.name)})" for w in report.overview.limits]

    def percentages(window: str) -> list[float | None]:
        return [100 * day.limits_left[window] if window in day.limits_left else None for day in days]

    return _chart(
        "Rate limits left",
        f"now {', '.join(now)}" if now else "not reported by X yet",
        days,
        charts.lines,
        {_WINDOWS.get(window, window): percentages(window) for window in windows},
        lambda value: f"{value:.0f} %",
    )


def _chart(
    title: str,
    says: str,
    days: Sequence[Day],
    draw: Callable[..., str],
    series: Mapping[str, Sequence[float | None]],
    show: Callable[[float], str],
) -> Chart:
    labels = [f"{day.date.day} {day.date:%b}" for day in days]
    kept = {sanitise(name): values for name, values in series.items() if any(values)}
    return Chart(title, says, draw(f"{title}: {says}", labels, kept, show) if kept else "", tuple(kept))


def _middle_and_top(spread: Spread, unit: str) -> str:
    return f"median {_number(spread.middle)} {unit}, maximum {_number(spread.top)} {unit}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


# ---- the map of slots, the bars of refusals ----------------------------------------------------------------


def _map(slots: Sequence[Slot], zone: tzinfo) -> dict[str, Any] | None:
    """Return the map with days as columns and the times of their slots as rows, by the clock of a zone.

    Many times share the row of their hour. All that is posted is one path; each other slot is a cell with a
    tooltip.
    """
    if not slots:
        return None
    days = [slot.start.astimezone(zone).date() for slot in slots]
    first = max(days[0], days[-1] - timedelta(days=MAP_DAYS - 1))
    rows = _rows(slots, zone)
    cells = _cells(slots, first, rows, zone)
    columns = (days[-1] - first).days + 1
    return {
        "width": MAP_DAYS * 12
        + 62,  # as of a month from the first day on: letters and squares keep their size
        "rows": len(rows),
        "posted": "".join(
            f"M{x * 12} {y * 12}h10v10h-10z" for (x, y), slot in cells.items() if slot.fate is Fate.POSTED
        ),
        "others": [
            (x * 12, y * 12, slot.fate, f"{times.shown(slot.start, zone)}, {slot.fate}: {slot.cause}")
            for (x, y), slot in cells.items()
            if slot.fate is not Fate.POSTED
        ],
        "days": [
            (x * 12 + 5, f"{day.day} {day:%b}")
            for x, day in enumerate(first + timedelta(days=n) for n in range(columns))
            if (columns - 1 - x) % 7 == 0
        ],
        "hours": [(y * 12 + 9, rows[y]) for y in range(0, len(rows), max(len(rows) // 4, 1))],
        "says": f"{sum(s.fate is Fate.POSTED for s in cells.values())} of {len(cells)} posted",
    }


def _rows(slots: Sequence[Slot], zone: tzinfo) -> list[str]:
    """Return the times of the day at which slots begin, or where these are too many all hours."""
    starts = sorted({f"{slot.start.astimezone(zone):%R}" for slot in slots})
    return starts if len(starts) <= MAP_ROWS else [f"{hour:02}:00" for hour in range(24)]


def _cells(
    slots: Sequence[Slot], first: date, rows: Sequence[str], zone: tzinfo
) -> dict[tuple[int, int], Slot]:
    """Return the slot to show at each (column, row): the worst of those that share a cell."""
    cells: dict[tuple[int, int], Slot] = {}
    for slot in slots:
        start = slot.start.astimezone(zone)
        place = ((start.date() - first).days, bisect_right(rows, f"{start:%R}") - 1)
        shown = cells.get(place)
        if place[0] >= 0 and (shown is None or _WORSE.index(slot.fate) > _WORSE.index(shown.fate)):
            cells[place] = slot
    return cells


def _refused(refused: Mapping[str, int]) -> list[tuple[str, int, float]]:
    """Return (gate, how many openings it refused, length of its bar of 100)."""
    most = max(refused.values(), default=1)
    return [(reason, n, round(100 * n / most, 1)) for reason, n in refused.items()]
