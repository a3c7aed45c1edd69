"""What X's answer to a request for tweets says: every form of it, and nothing that was not asked for."""

import json
import random
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from src.domain.answers import Outcome
from src.domain.results import Figures
from src.x.results import METRICS, MOST_COUNTED, read_lookup

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
DATE = {"Date": format_datetime(NOW, usegmt=True)}
GONE = "https://api.twitter.com/2/problems/resource-not-found"


def read(data, status=200, headers=DATE, ids=(1, 2)):
    body = data if isinstance(data, str) else json.dumps(data)
    return read_lookup(ids, status, headers, body, NOW)


def item(tweet_id, **metrics):
    return {"id": tweet_id, "text": "x", "public_metrics": {f"{k}_count": v for k, v in metrics.items()}}


def test_figures():
    """Each of X's figures stands where it belongs."""
    shown = {"id": "1", "public_metrics": {name: n for n, name in enumerate(METRICS, 1)}}
    lookup = read({"data": [shown]})
    assert lookup.figures == {1: Figures(1, 2, 3, 4, 5, 6)}
    assert (lookup.result.outcome, lookup.shown, lookup.missing) == (Outcome.DONE, 1, frozenset())


@pytest.mark.parametrize("value", [None, True, -1, 1.5, "3", MOST_COUNTED + 1, [], {}])
def test_what_is_no_count(value):
    """A figure that is no whole number from 0 on is none; the others count."""
    figures = read({"data": [item("1", like=value, reply=MOST_COUNTED)]}).figures[1]
    assert figures == Figures(replies=MOST_COUNTED)


def test_missing():
    """A tweet is missing where X says that it is not there, under either name, and does not show it."""
    errors = [{"value": "1", "type": GONE}, {"resource_id": "2", "type": GONE + "/"}]
    assert read({"errors": errors}).missing == {1, 2}
    assert read({"data": [item("1", like=0)], "errors": errors}).missing == {2}
    other = [
        {"value": "1", "type": "x/not-authorized-for-resource"},
        {"value": "1"},
        None,
        "1",
        {"type": GONE},
    ]
    assert read({"errors": other}).missing == set()


def test_only_what_was_asked_for():
    """Other ids, ids of another form and a second version of a tweet are left out; X bills what it shows."""
    data = [item("1", like=1), item("1", like=2), item("3", like=3), item(2, like=4), item(["2"]), None]
    lookup = read({"data": data, "errors": [{"value": "4", "type": GONE}]})
    assert lookup.figures == {1: Figures(likes=1)}
    assert (lookup.missing, lookup.shown) == (frozenset(), 6)


@pytest.mark.parametrize(
    "data", ["", "null", "[]", "{}", {"data": {}}, {"data": []}, {"errors": "x"}, "<html>"]
)
def test_no_answer(data):
    """Without tweets and errors the answer says nothing."""
    lookup = read(data)
    assert (lookup.result.outcome, lookup.figures, lookup.missing) == (Outcome.UNKNOWN, {}, frozenset())


def test_a_clock_that_is_off():
    """By a wrong clock nothing has an age; what X showed is billed all the same."""
    lookup = read({"data": [item("1", like=1)]}, headers={"Date": "Sun, 22 Nov 2026 13:00:00 GMT"})
    assert (lookup.result.reason, lookup.figures, lookup.shown) == ("clock", {}, 1)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Outcome.UNKNOWN),
        (401, Outcome.BLOCKED),
        (402, Outcome.BLOCKED),
        (404, Outcome.BLOCKED),
        (429, Outcome.LATER),
        (503, Outcome.UNKNOWN),
        (201, Outcome.UNKNOWN),
    ],
)
def test_refusals(status, outcome):
    """Refusals are those of any request; none is about a text, since none was sent."""
    assert read({"detail": "duplicate"}, status).result.outcome is outcome
    assert read({"detail": "duplicate content"}, 403).result.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("seed", range(200))
def test_total(seed):
    """No answer raises, and only tweets that were asked for have figures or are missing."""
    rng = random.Random(seed)
    parts = [
        None,
        True,
        3,
        "1",
        "2",
        "x",
        [],
        {},
        item("1", like=3),
        {"value": "2", "type": GONE},
        ["1"],
        1e400,
    ]

    def some():
        return rng.choice(
            [rng.choice(parts), [rng.choice(parts) for _ in range(4)], {"id": rng.choice(parts)}]
        )

    body = json.dumps({name: some() for name in rng.sample(["data", "errors", "meta"], 2)})
    lookup = read(body, rng.choice((200, 200, 200, 400, 500)))
    assert set(lookup.figures) | lookup.missing <= {1, 2}
