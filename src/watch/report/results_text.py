"""Results of posts in words, for `history`, the report and its page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from src.domain.plurals import numbered
from src.domain.results import Figures, PostResult
from src.watch.report.results import FEW, Differs, Group, Interval, Results

NAME_WIDTH = 26  # of the names in front, in the report too
ROUND = 100  # from here on halves are noise
_NOUNS = {
    "impressions": ("impression", "impressions"),
    "likes": ("like", "likes"),
    "reposts": ("repost", "reposts"),
    "replies": ("reply", "replies"),
    "bookmarks": ("bookmark", "bookmarks"),
    "quotes": ("quote", "quotes"),
}


def figures_text(result: PostResult) -> str:
    """Return the figures of one post in a line."""
    when = f"after {numbered(result.days, 'day')}"
    told = [
        numbered(count, one, many)
        for name, (one, many) in _NOUNS.items()
        if (count := getattr(result.figures, name)) is not None
    ]
    return f"{when}: {', '.join(told)}" if told else f"{when}: not on X any more"


def figures_data(result: PostResult | None) -> dict[str, object] | None:
    """Return the figures of one post for programs, None where they were not read."""
    if result is None:
        return None
    counts = {name: getattr(result.figures, name) for name in Figures.__dataclass_fields__}
    return {"read_at": result.read_at, "days": result.days, **counts}


def as_lines(results: Results) -> list[str]:
    """Return what became of posts as lines for a terminal, none where nothing is read."""
    if not results.shown:
        return []
    lines = [f"what became of posts{_age(results)}", f"  {summary(results)}"]
    for title, groups in results.tables.items():
        if groups:
            lines += [f"  by {title}", *(f"    {line}" for line in _table(title, groups))]
    return lines


def summary(results: Results) -> str:
    """Return what was read, and the middle of all."""
    whole = results.whole
    parts = [f"{numbered(whole.posts, 'post')} read"]
    if results.gone:
        parts.append(f"{results.gone} no longer on X by then")
    if results.left_out:
        parts.append(f"{results.left_out} read at another age and left out")
    counted = ", ".join(parts)
    if not whole.posts:
        return f"{counted}; none is old enough yet" if not results.gone else counted
    if whole.few:
        return f"{counted}; too few to tell more (under {FEW})"
    return f"{counted}; a post in the middle has {_figures(whole)}"


def _figures(group: Group) -> str:
    parts = []
    if group.impressions:
        parts.append(f"{interval_text(group.impressions)} impressions")
    if group.reactions:
        parts.append(f"{interval_text(group.reactions)} reactions")
    if group.share:
        parts.append(f"{share_text(group.share)} with any")
    return ", ".join(parts) or "no figures"


def _age(results: Results) -> str:
    return f" after {numbered(results.days, 'day')}" if results.days else ""


def _table(title: str, groups: Sequence[Group]) -> Iterator[str]:
    if verdict := verdict_text(title, groups):
        yield verdict
    for group in groups:
        if not group.few:
            mark = f"  {differs_text(group)}" if group.differs else ""
            yield f"{group.name:<{NAME_WIDTH}} {numbered(group.posts, 'post')}: {_figures(group)}{mark}"
    if few := few_text(groups):
        yield few


def few_text(groups: Sequence[Group]) -> str:
    """Return which groups are too small to say anything of them; empty where none is."""
    few = [f"{group.name} {group.posts}" for group in groups if group.few]
    return f"too few to tell (under {FEW} posts): {', '.join(few)}" if few else ""


def verdict_text(title: str, groups: Sequence[Group]) -> str:
    """Return that chance may explain the order of a table; empty where it may not, and for one group."""
    several = sum(not group.few for group in groups) > 1
    if several and not any(group.differs for group in groups):
        return f"no {title} differs from the others by more than chance may"
    return ""


def differs_text(group: Group) -> str:
    """Return how a group stands to the others, empty where chance may explain it."""
    words = {Differs.MORE: "seen more than the others", Differs.LESS: "seen less than the others"}
    return words.get(group.differs, "")


def interval_text(interval: Interval) -> str:
    """Return an estimate with its interval: `120 (95 to 160)`."""
    return f"{_count(interval.middle)} ({_count(interval.low)} to {_count(interval.high)})"


def share_text(share: Interval) -> str:
    """Return a share with its interval: `61 % (45 to 75)`."""
    low, middle, high = (100 * value for value in (share.low, share.middle, share.high))
    return f"{middle:.0f} % ({low:.0f} to {high:.0f})"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= ROUND or value == int(value) else f"{value:,.1f}"
