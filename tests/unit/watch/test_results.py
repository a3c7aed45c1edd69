"""What worked: intervals that hold, groups that are too small, and no rank that chance may explain."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import NormalDist

import pytest

from src.domain.posts import Post, Status
from src.domain.results import Figures, PostResult
from src.watch.report import results_page, results_text
from src.watch.report.results import (
    FEW,
    Differs,
    Group,
    Interval,
    middle_of,
    share_of,
    summarise,
)

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
WEEK = timedelta(days=7)


def pair(number, impressions=100, likes=0, age=WEEK, **post):
    values = {"origin": "wording", "topic": "Git", "opening": "Why?", **post}
    figures = Figures(impressions, likes, 0, 0, 0, 0)
    return Post(number, "x", Status.POSTED, **values), PostResult(number, NOW, age, figures)


def many(count, first=0, **values):
    return [pair(first + number, **values) for number in range(count)]


@pytest.mark.parametrize("error", [0.05, 0.002])
@pytest.mark.parametrize("count", [12, 13, 40, 101])
def test_the_middle_lies_between_its_bounds(count, error):
    """Of many samples of a distribution with a long tail the interval misses the median as seldom as it says."""
    rng, missed, runs = random.Random(count), 0, 4000
    for _ in range(runs):
        interval = middle_of([rng.lognormvariate(5, 1) for _ in range(count)], error)
        missed += not interval.low <= 148.4131591 <= interval.high
    assert missed / runs <= error + 3 * (error / runs) ** 0.5


def test_the_middle_is_no_wider_than_it_must_be():
    """The bounds are the innermost pair of values that keeps the promise: of 12 the third from each end."""
    values = list(range(1, 13))
    assert middle_of(values[::-1], 0.05) == Interval(3.0, 6.5, 10.0)
    assert middle_of(values, 0.0005) == Interval(1.0, 6.5, 12.0)
    assert middle_of(values, 0.0004) is None
    assert middle_of([5] * 11, 0.05) is None


def test_a_share_by_wilson():
    """The interval of a share is where the normal test does not reject, and within 0 and 1 at the ends."""
    interval = share_of(8, 20, 0.05)
    z = NormalDist().inv_cdf(0.975)
    for bound in (interval.low, interval.high):
        assert abs(0.4 - bound) == pytest.approx(z * (bound * (1 - bound) / 20) ** 0.5)
    assert (share_of(0, 20, 0.05).low, share_of(20, 20, 0.05).high) == (0.0, pytest.approx(1.0))
    assert share_of(3, 11, 0.05) is None


def test_a_handful_says_nothing():
    """A group under the stated count has a count and nothing else, and stands behind the others."""
    results = summarise([*many(FEW - 1, impressions=10**6, topic="SQL"), *many(FEW, first=50)], 7)
    first, second = results.tables["topic"]
    assert (first.name, first.few, second) == ("Git", False, Group("SQL", FEW - 1))
    named = [line.strip() for line in results_text.as_lines(results) if "SQL" in line]
    assert named == [f"too few to tell (under {FEW} posts): SQL {FEW - 1}"]


def test_groups_that_differ():
    """A group differs where its interval does not touch that of all others together."""
    pairs = [
        *(pair(n, impressions=100 + n) for n in range(30)),
        *(pair(n, impressions=900 + n, topic="SQL") for n in range(30, 60)),
        *(pair(n, impressions=500 + n, topic="CSS") for n in range(60, 90)),
    ]
    by = {group.name: group.differs for group in summarise(pairs, 7).tables["topic"]}
    assert list(by.items()) == [("SQL", Differs.MORE), ("CSS", Differs.NOT), ("Git", Differs.LESS)]
    lines = "\n".join(results_text.as_lines(summarise(pairs, 7)))
    assert "seen more than the others" in lines
    assert "no topic differs" not in lines


def test_no_rank_where_none_differs():
    """Where chance may explain the order there is none: the groups stand by their names, and that is said."""
    pairs = [
        pair(50 * place + n, impressions=20 * n + place, topic=name)
        for place, name in enumerate("ABC")
        for n in range(12)
    ]
    results = summarise(pairs, 7)
    assert [group.name for group in results.tables["topic"]] == ["A", "B", "C"]
    assert "no topic differs" in "\n".join(results_text.as_lines(results))


def test_chance_names_no_winner():
    """Where topics do not differ, a table that names one is as rare as one in twenty."""
    rng, named = random.Random(1), 0
    for _ in range(200):
        pairs = [
            pair(n, impressions=int(rng.lognormvariate(5, 1)), topic=f"T{n % 12}") for n in range(12 * 15)
        ]
        named += any(group.differs for group in summarise(pairs, 7).tables["topic"])
    assert named <= 10


def test_kinds_and_makers():
    """Own texts, items of feeds and statements are kinds; only of a statement the opening has a maker."""
    pairs = [
        pair(1, origin="person", opening=None),
        pair(2, origin="feed", opening=None, topic=None),
        pair(3, origin="model"),
        pair(4),
        pair(5, opening=None),
        pair(6, origin="import", source_id="s", opening=None),
    ]
    tables = summarise(pairs, 7).tables
    counts = {title: {group.name: group.posts for group in groups} for title, groups in tables.items()}
    assert counts == {
        "topic": {"Git": 5},
        "kind": {"statements of the library": 4, "your own texts": 1, "items of feeds": 1},
        "opening": {"by the model": 1, "by hand": 1, "none": 1},
    }


def test_only_what_was_read_at_that_age():
    """Figures of another age, and of tweets that were gone, are counted and left out."""
    gone = pair(3)
    pairs = [
        pair(1, age=WEEK - timedelta(seconds=1)),
        pair(2, age=timedelta(days=15, hours=1)),
        (gone[0], replace(gone[1], figures=Figures())),
        pair(4, age=timedelta(days=15)),
        pair(5),
    ]
    results = summarise(pairs, 7)
    assert (results.whole.posts, results.gone, results.left_out) == (2, 1, 2)
    assert summarise(pairs, 0).whole.posts == 4


def test_nothing_read():
    """Without the setting and without results nothing is shown; with the setting, that none is old enough."""
    assert results_text.as_lines(summarise([], 0)) == []
    assert results_page.section(summarise([], 0)) is None
    assert "none is old enough yet" in results_text.as_lines(summarise([], 7))[1]
    assert results_page.section(summarise([], 7)).tables == ()


def test_reactions():
    """Reactions are everything but seeing it, and unknown where X names none of them."""
    assert Figures(100, 1, 2, 3, 4, 5).reactions == 15
    assert Figures(100, likes=2).reactions == 2
    assert Figures(100).reactions is None


def test_figures_in_words():
    """One of a thing is singular, what X did not give is left out, and nothing at all means no tweet."""
    result = PostResult(1, NOW, timedelta(days=7, hours=5), Figures(1204, 1, 3, 1, None, 0))
    assert results_text.figures_text(result) == (
        "after 7 days: 1,204 impressions, 1 like, 3 reposts, 1 reply, 0 quotes"
    )
    empty = replace(result, age=timedelta(days=1), figures=Figures())
    assert results_text.figures_text(empty) == "after 1 day: not on X any more"
    data = results_text.figures_data(result)
    assert (data["days"], data["likes"], data["bookmarks"]) == (7, 1, None)
    assert json.dumps(data, default=str)
    assert results_text.figures_data(None) is None


def test_bars_lie_on_one_scale():
    """Each bar ends at its share of the highest bound, and a group without impressions has none."""
    pairs = [
        *(pair(n, impressions=n) for n in range(1, 21)),
        *(pair(n, impressions=2 * n, topic="SQL") for n in range(21, 41)),
        *many(15, first=50, impressions=None, topic="CSS"),
    ]
    table, *_ = results_page.section(summarise(pairs, 7)).tables
    bars = {row.name: row.bar for row in table.rows}
    assert bars["CSS"] is None
    assert bars["SQL"].begin + bars["SQL"].length == 100
    assert 0 < bars["Git"].begin < bars["Git"].middle < bars["Git"].begin + bars["Git"].length < 50
