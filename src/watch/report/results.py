"""What worked: results of posts by topic, kind and maker of the opening, with intervals that hold.

The middle of a group is its median, and its interval lies between two of its own values (order statistics):
true whatever the distribution, which for impressions has a long tail. A share has Wilson's interval. All
intervals of one table hold together in 95 of 100 cases, since of many topics some differ by chance. A group
of a handful gets no figures and no rank.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from statistics import NormalDist, median

from src.domain import feeds, queue
from src.domain.posts import Post
from src.domain.results import PostResult, latest_age

FEW = 12  # posts; a group of fewer says nothing
ERROR = 0.05  # the share of tables in which an interval may miss
Pair = tuple[Post, PostResult]


class Differs(StrEnum):
    """How a group stands to all others together: their intervals do not touch."""

    MORE = "more"
    LESS = "less"
    NOT = ""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its interval."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Group:
    """Posts of one kind. The figures are of one post; `share` (0 to 1) is of posts with any reaction.

    None: too few posts, or X gave no figures.
    """

    name: str
    posts: int
    impressions: Interval | None = None
    reactions: Interval | None = None
    share: Interval | None = None
    differs: Differs = Differs.NOT

    @property
    def few(self) -> bool:
        """Return whether the group is too small to say anything of it."""
        return self.posts < FEW


@dataclass(frozen=True, slots=True)
class Results:
    """What became of the posts of some days. `days` is the age at which they were read (0: several ages).

    `gone` were deleted by then; `left_out` were read at another age. `tables` by their titles.
    """

    days: int
    whole: Group
    gone: int
    left_out: int
    tables: dict[str, tuple[Group, ...]]

    @property
    def shown(self) -> bool:
        """Return whether there is anything to show: results, or the wish for them."""
        return bool(self.days or self.whole.posts or self.gone)


def summarise(pairs: Sequence[Pair], days: int) -> Results:
    """Return what became of posts, for an age of so many days; with 0 whatever their age was."""
    fitting = [pair for pair in pairs if not days or _fits(pair[1], days)]
    live = [pair for pair in fitting if pair[1].figures]
    return Results(
        days,
        _group("all posts", live, ERROR),
        len(fitting) - len(live),
        len(pairs) - len(fitting),
        {title: _table(live, name) for title, name in TABLES.items()},
    )


def _fits(result: PostResult, days: int) -> bool:
    return timedelta(days=days) <= result.age < latest_age(days) + timedelta(hours=1)


# ---- groups ------------------------------------------------------------------------------------------------


def _topic(post: Post) -> str | None:
    return post.topic


def _kind(post: Post) -> str | None:
    return {queue.OWN: "your own texts", feeds.ORIGIN: "items of feeds"}.get(
        post.origin or "", "statements of the library"
    )


def _maker(post: Post) -> str | None:
    """Return who wrote the opening of a statement, None for another text or one that X showed."""
    if post.origin == "model":
        return "by the model"
    if post.origin != "wording":
        return None
    return "by hand" if post.opening else "none"


TABLES: dict[str, Callable[[Post], str | None]] = {"topic": _topic, "kind": _kind, "opening": _maker}


def _table(pairs: Sequence[Pair], name_of: Callable[[Post], str | None]) -> tuple[Group, ...]:
    """Return the groups of a table: those with figures first, the few behind them by their size.

    By their middle only where a group differs from the others: else the order would be that of chance.
    """
    members: dict[str, list[Pair]] = {}
    for pair in pairs:
        if name := name_of(pair[0]):
            members.setdefault(name, []).append(pair)
    error = ERROR / max(sum(len(group) >= FEW for group in members.values()), 1)
    groups = [
        _group(name, group, error, [pair for other in members if other != name for pair in members[other]])
        for name, group in members.items()
    ]
    ranked = any(group.differs for group in groups)
    return tuple(sorted(groups, key=lambda group: _place(group, ranked=ranked)))


def _place(group: Group, *, ranked: bool) -> tuple[bool, float, int, str]:
    middle = group.impressions.middle if group.impressions and ranked else 0.0
    return group.few, -middle, -group.posts if group.few else 0, group.name


def _group(name: str, pairs: Sequence[Pair], error: float, others: Sequence[Pair] = ()) -> Group:
    impressions = middle_of(_impressions(pairs), error)
    reactions = [r.figures.reactions for _, r in pairs if r.figures.reactions is not None]
    return Group(
        name,
        len(pairs),
        impressions,
        middle_of(reactions, error),
        share_of(sum(count > 0 for count in reactions), len(reactions), error),
        _compared(impressions, middle_of(_impressions(others), error)),
    )


def _impressions(pairs: Iterable[Pair]) -> list[int]:
    return [r.figures.impressions for _, r in pairs if r.figures.impressions is not None]


def _compared(one: Interval | None, others: Interval | None) -> Differs:
    if one is None or others is None:
        return Differs.NOT
    if one.low > others.high:
        return Differs.MORE
    return Differs.LESS if one.high < others.low else Differs.NOT


# ---- intervals ---------------------------------------------------------------------------------------------


def middle_of(values: Sequence[float], error: float) -> Interval | None:
    """Return the median with an interval that misses in at most this share of cases; None of too few values.

    The k-th smallest and the k-th largest value enclose the median unless fewer than k values lie on one
    side of it, which is a matter of tossing coins.
    """
    ordered, count = sorted(values), len(values)
    if count < FEW:
        return None
    rank, missed = 0, 0.0
    while rank < count // 2:
        missed += 2 * math.comb(count, rank) / 2**count
        if missed > error:
            break
        rank += 1
    if not rank:
        return None
    return Interval(float(ordered[rank - 1]), float(median(ordered)), float(ordered[count - rank]))


def share_of(hits: int, count: int, error: float) -> Interval | None:
    """Return a share with Wilson's interval, which misses in about this share of cases; None of too few."""
    if count < FEW:
        return None
    z2 = NormalDist().inv_cdf(1 - error / 2) ** 2
    share = hits / count
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = math.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count * count))) / (1 + z2 / count)
    return Interval(max(centre - half, 0.0), share, min(centre + half, 1.0))
