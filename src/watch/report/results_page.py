"""Results of posts as the page draws them: each group with its interval on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from src.domain.plurals import numbered
from src.watch.report import results_text
from src.watch.report.results import Group, Interval, Results

WIDTH = 100.0  # of the scale, in units of the drawing
_TITLES = {"topic": "By topic", "kind": "By kind of text", "opening": "By the opening of a statement"}


@dataclass(frozen=True, slots=True)
class Bar:
    """The interval of a group and its middle, from 0 to 100."""

    begin: float
    length: float
    middle: float


@dataclass(frozen=True, slots=True)
class Row:
    """One group of a table: its words, and its bar (None: X gave no impressions)."""

    name: str
    posts: int
    impressions: str
    reactions: str
    share: str
    differs: str
    bar: Bar | None


@dataclass(frozen=True, slots=True)
class Table:
    """One table: what is to be said above its rows, the rows, and which groups are too small for one."""

    title: str
    verdict: str
    rows: tuple[Row, ...]
    few: str


@dataclass(frozen=True, slots=True)
class Section:
    """The whole section: its heading, a summary and the tables that have anything to show."""

    title: str
    summary: str
    tables: tuple[Table, ...]


def section(results: Results) -> Section | None:
    """Return the section of the page, None where nothing is read."""
    if not results.shown:
        return None
    after = f", {numbered(results.days, 'day')} after it went out" if results.days else ""
    tables = [_table(name, groups) for name, groups in results.tables.items() if groups]
    return Section(f"What became of a post{after}", results_text.summary(results), tuple(tables))


def _table(name: str, groups: Sequence[Group]) -> Table:
    shown = [group for group in groups if not group.few]
    top = max((group.impressions.high for group in shown if group.impressions), default=0.0)
    rows = tuple(_row(group, top) for group in shown)
    return Table(_TITLES[name], results_text.verdict_text(name, groups), rows, results_text.few_text(groups))


def _row(group: Group, top: float) -> Row:
    return Row(
        group.name,
        group.posts,
        results_text.interval_text(group.impressions) if group.impressions else "–",
        results_text.interval_text(group.reactions) if group.reactions else "–",
        results_text.share_text(group.share) if group.share else "–",
        results_text.differs_text(group),
        _bar(group.impressions, top) if group.impressions and top else None,
    )


def _bar(interval: Interval, top: float) -> Bar:
    begin, middle, end = (
        round(WIDTH * value / top, 1) for value in (interval.low, interval.middle, interval.high)
    )
    return Bar(begin, round(max(end - begin, 1.0), 1), middle)
