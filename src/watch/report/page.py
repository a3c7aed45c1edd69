"""The report as one HTML page: no scripts, no requests, a policy that forbids both, every text escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from src import __version__
from src.config import Settings
from src.domain.answers import tweet_url
from src.system.log import sanitise
from src.watch import health, status
from src.watch.report import charts
from src.watch.report.measures import Day, Report, Spread, gap_time, named
from src.watch.slot_history import Fate, Slot

TEMPLATES = Path(__file__).parent / "templates"
MAP_DAYS = 31
GAPS = 60
_WINDOWS = {
    "x-rate-limit": "15 minutes",
    "x-app-limit-24hour": "app, 24 hours",
    "x-user-limit-24hour": "user, 24 hours",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure: what it shows, its figure in words, the drawing (empty: nothing measured), and the names of its colours."""

    title: str
    says: str
    svg: str
    legend: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the large figures on top. `tone` is good, bad, warn or nothing; `share` (0 to 1) draws a bar."""

    name: str
    value: str
    more: str
    tone: str = ""
    link: str = ""
    share: float | None = None


def as_html(report: Report, settings: Settings) -> str:
    """The whole page."""
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
        version=__version__,
        tiles=_tiles(report, settings),
        charts=[(c, safe(c.svg)) for c in _charts(report)],
        map=_map(report.slots, settings.post_interval_minutes),
        gaps=[(gap_time(gap), gap) for gap in report.gaps[:GAPS]],
        more_gaps=max(len(report.gaps) - GAPS, 0),
        measures=[(name, found) for name, found in named(report.measures).items() if found],
        number=_number,
        refused=_refused(report.refused),
        tweet_url=tweet_url,
        missed=sum(s.fate is not Fate.POSTED for s in report.slots),
    )


# ---- the figures on top ----------------------------------------------------------------------------------------


def _tiles(report: Report, settings: Settings) -> list[Tile]:
    facts, now = report.facts, report.now
    names = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}
    tiles = []
    for window, found in facts.rates.items():
        tone = (
            ""
            if found.share is None
            else "good"
            if found.share >= 0.99
            else "warn"
            if found.share >= 0.9
            else "bad"
        )
        left_out = f", {found.left_out} left out by your settings" if found.left_out else ""
        value = "–" if found.share is None else status.percent(found.share)
        tiles.append(
            Tile(
                f"Success, {names[window]}",
                value,
                f"{found.posted} of {found.due} slots{left_out}",
                tone,
                share=found.share,
            )
        )
    tweet = facts.last_tweet
    tiles.append(
        Tile(
            "Last post",
            _ago(tweet.sent_at, now) if tweet and tweet.sent_at else "none yet",
            f"{tweet.sent_at:%F %R} UTC" if tweet and tweet.sent_at else "",
            link=tweet_url(tweet.tweet_id) if tweet and tweet.tweet_id else "",
        )
    )
    until = facts.wait.until if facts.wait else None
    tiles.append(
        Tile(
            "Next post",
            f"from {until:%R}" if until else "held back" if facts.wait else "next run",
            facts.wait.message if facts.wait else "a post is due now",
        )
    )
    spend = facts.spend
    budget = settings.monthly_budget_usd
    tiles.append(
        Tile(
            "Spend this month",
            f"${spend.month:.2f}",
            f"of ${budget:g}; forecast ${spend.forecast:.2f}",
            "bad" if spend.forecast > budget else "",
            share=min(spend.month / budget, 1.0) if budget else None,
        )
    )
    left = facts.library
    tiles.append(
        Tile(
            "Library",
            f"{left.fresh:,} fresh",
            "lasts more than a year" if left.days is None else f"lasts {left.days:.0f} days",
            "warn" if left.days is not None and left.days < settings.alert_low_library_days else "",
            share=left.fresh / left.total if left.total else None,
        )
    )
    breaker = facts.breaker
    tiles.append(
        Tile(
            "Circuit breaker",
            "open" if breaker.open else "closed",
            health.breaker_detail(breaker) or "X takes posts",
            "bad" if breaker.open else "",
        )
    )
    return tiles


def _ago(moment: datetime, now: datetime) -> str:
    words = status.ago(moment, now)
    return (words.partition("(")[2].rstrip(")") or words).replace("minute", "min").replace("mins", "min")


# ---- charts ----------------------------------------------------------------------------------------------------


def _charts(report: Report) -> list[Chart]:
    days, found = report.by_day, report.measures
    answered = found.latency_ms
    fates = [fate for fate in Fate if fate is Fate.POSTED or any(day.fates[fate] for day in days)]
    windows = sorted({name for day in days for name in day.limits_left})
    kinds = sorted({kind for day in days for kind in day.usd}, key=lambda kind: kind != "post")
    spent = sum(usd for day in days for usd in day.usd.values())
    return [
        _chart(
            "Posts a day",
            f"{sum(d.fates[Fate.POSTED] for d in days)} in {len(days)} days",
            days,
            charts.stacked_bars,
            {str(fate): [day.fates[fate] or None for day in days] for fate in fates},
            _number,
        ),
        _chart(
            "Time of a run",
            _seconds(found.phases["whole run"]),
            days,
            charts.stacked_bars,
            {name: [day.phases[name] for day in days] for name in (days[0].phases if days else ())},
            lambda v: f"{_number(v)} s",
        ),
        _chart(
            "Answer of X",
            f"{_number(answered.middle)} ms in the middle, {_number(answered.top)} ms at most"
            if answered
            else "no answer yet",
            days,
            charts.lines,
            {
                "middle": [d.latency_ms.middle if d.latency_ms else None for d in days],
                "95 of 100": [d.latency_ms.high if d.latency_ms else None for d in days],
            },
            lambda v: f"{_number(v)} ms",
        ),
        _chart(
            "Peak memory",
            _memory(found.program_mb, found.model_mb),
            days,
            charts.lines,
            {"program": [day.program_mb for day in days], "model": [day.model_mb for day in days]},
            lambda v: f"{_number(v)} MB",
        ),
        _chart(
            "Spend a day",
            f"${spent:.2f} in {len(days)} days",
            days,
            charts.stacked_bars,
            {f"{kind}s": [day.usd.get(kind) for day in days] for kind in kinds},
            lambda v: f"${v:.2f}",
        ),
        _chart(
            "Rate limits left",
            _limits(report),
            days,
            charts.lines,
            {
                _WINDOWS.get(name, name): [
                    100 * day.limits_left[name] if name in day.limits_left else None for day in days
                ]
                for name in windows
            },
            lambda v: f"{v:.0f} %",
        ),
    ]


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


def _seconds(found: Spread | None) -> str:
    return (
        f"{_number(found.middle)} s in the middle, {_number(found.top)} s at most" if found else "no run yet"
    )


def _memory(program: Spread | None, model: Spread | None) -> str:
    parts = [
        f"{name} {_number(found.top)} MB" for name, found in (("program", program), ("model", model)) if found
    ]
    return ", ".join(parts) + " at most" if parts else "nothing measured yet"


def _limits(report: Report) -> str:
    words = [
        f"{limit.remaining} of {limit.limit} ({_WINDOWS.get(limit.name, limit.name)})"
        for limit in report.facts.limits
    ]
    return "now " + ", ".join(words) if words else "not told by X yet"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


# ---- the map of slots, the bars of refusals ----------------------------------------------------------------------


def _map(slots: Sequence[Slot], minutes: int) -> dict[str, Any] | None:
    """Days as columns, hours as rows: one path of all that is posted, one cell with a tooltip for each that is not."""
    if not slots:
        return None
    last = slots[-1].start.date()
    first = max(slots[0].start.date(), last - timedelta(days=MAP_DAYS - 1))
    rows = min(24, 1440 // minutes)
    grave = (Fate.POSTED, Fate.LEFT_OUT, Fate.UNKNOWN, Fate.MISSED)
    cells: dict[tuple[int, int], Slot] = {}
    for slot in slots:
        place = ((slot.start.date() - first).days, (slot.start.hour * 60 + slot.start.minute) * rows // 1440)
        if place[0] >= 0 and (place not in cells or grave.index(slot.fate) > grave.index(cells[place].fate)):
            cells[place] = slot
    columns = (last - first).days + 1
    return {
        "columns": columns,
        "rows": rows,
        "posted": "".join(
            f"M{x * 12} {y * 12}h10v10h-10z" for (x, y), slot in cells.items() if slot.fate is Fate.POSTED
        ),
        "others": [
            (x * 12, y * 12, slot.fate, f"{slot.start:%F %R} UTC, {slot.fate}: {slot.cause}")
            for (x, y), slot in cells.items()
            if slot.fate is not Fate.POSTED
        ],
        "days": [
            (x * 12 + 5, f"{day.day} {day:%b}")
            for x, day in enumerate(first + timedelta(days=n) for n in range(columns))
            if (columns - 1 - x) % 7 == 0
        ],
        "hours": [(y * 12 + 9, f"{y * 24 // rows:02}:00") for y in range(0, rows, max(rows // 4, 1))],
        "says": f"{sum(s.fate is Fate.POSTED for s in cells.values())} of {len(cells)} posted",
    }


def _refused(refused: Mapping[str, int]) -> list[tuple[str, int, float]]:
    """(gate, how many openings it refused, length of its bar of 100)."""
    most = max(refused.values(), default=1)
    return [(reason, n, round(100 * n / most, 1)) for reason, n in refused.items()]
