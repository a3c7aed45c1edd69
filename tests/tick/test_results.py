"""Results in whole runs: each post is read once at its age, within the budget, and no answer of X ends a run."""

import json
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from src import posting
from src.commands import history as history_command
from src.commands.command import Context
from src.store.backup import prepare_restored
from src.system.clock import Clock
from src.watch import overview
from src.watch.report import measures
from src.watch.report.page import as_html
from src.watch.report.text import as_text
from tests import fake_x
from tests.fake_x import lookup
from tests.support.world import new_world

DAY = 24


@pytest.fixture
def world(tmp_path):
    """An account with a post of its own, which reads results after a day."""
    with new_world(tmp_path) as made:
        made.extra["RESULTS_AFTER_DAYS"] = "1"
        made.x.figures = figures
        made.warm()
        made.extra["POST_INTERVAL_MINUTES"] = "1440"
        yield made


def figures(tweet, **changes):
    return {name: n * 10 + len(tweet.text) for n, name in enumerate(lookup.METRICS)} | changes


def run(world, hours=DAY, every=1):
    """Run a tick in each of so many hours, or every so many hours."""
    results = []
    for _ in range(0, hours, every):
        results.append(world.tick())
        world.move(hours=every)
    return results


def asked(world):
    """Return the ids of each request for tweets."""
    return [r.query["ids"] for r in world.x.requests if r.method == "GET" and r.path == "/2/tweets"]


def kept(world):
    return [tuple(row) for row in world.rows("SELECT * FROM results ORDER BY post_id")]


def ours(world):
    return [t for t in world.x.accepted if t.via == "api"]


def booked(world):
    return [
        tuple(row)
        for row in world.rows("SELECT units, usd FROM spending WHERE kind = 'results' ORDER BY rowid")
    ]


def reading(world):
    _, findings = overview.look(world.settings, datetime.now(UTC))
    return [finding for finding in findings if finding.code == "results"]


def test_a_post_is_read_once_at_its_age(world):
    """A day after it was sent a post is read, once, with its figures, and what X bills is in the ledger."""
    run(world, DAY - 2)
    assert (asked(world), kept(world)) == ([], [])
    run(world, 2 * DAY)
    first, second, *_ = ours(world)
    assert asked(world) == [str(first.id), str(second.id)]
    (post_id, read_at, *read), _ = kept(world)
    assert world.rows("SELECT tweet_id FROM posts WHERE id = ?", post_id)[0][0] == first.id
    told = figures(first)
    names = ("impression", "like", "retweet", "reply", "bookmark", "quote")
    assert read == [told[f"{name}_count"] for name in names]
    assert timedelta(days=1) <= timedelta(seconds=read_at - first.at) < timedelta(days=1, hours=2)
    assert booked(world) == [(1, 0.001), (1, 0.001)]
    assert {r.status for r in world.x.requests if r.method == "GET"} == {200}


def test_off_by_default(world):
    """Without RESULTS_AFTER_DAYS X is asked for nothing."""
    del world.extra["RESULTS_AFTER_DAYS"]
    run(world, 4 * DAY)
    assert (asked(world), kept(world)) == ([], [])


def test_nothing_is_loaded_where_nothing_is_due(world, monkeypatch):
    """A run in which no result is due loads nothing of what reads them; one in which one is due does."""
    monkeypatch.delattr(posting, "results", raising=False)
    monkeypatch.setitem(sys.modules, "src.posting.results", None)
    run(world, DAY - 2)
    with pytest.raises(ImportError):
        run(world, 3)


def test_a_hundred_at_most_in_one_request(world):
    """Of many posts the oldest hundred are read, and a day later the rest."""
    world.extra["POST_INTERVAL_MINUTES"] = "5"
    world.extra["MAX_POSTS_PER_DAY"] = "100"
    del world.extra["RESULTS_AFTER_DAYS"]
    for _ in range(120):
        world.tick()
        world.move(minutes=15)
    world.move(days=1)
    world.extra |= {"RESULTS_AFTER_DAYS": "1", "POST_INTERVAL_MINUTES": "1440"}
    made = [str(t.id) for t in ours(world)]
    run(world, DAY + 1)
    first, second = (ids.split(",") for ids in asked(world))
    assert first == made[:100]
    assert second[: len(made) - 100] == made[100:]


def test_tweets_of_a_person_are_not_read(world):
    """A tweet that was made elsewhere costs nothing."""
    by_hand = world.x.tweet_by_hand("By hand.")
    run(world, 3 * DAY)
    assert asked(world)
    assert str(by_hand) not in ",".join(asked(world))


def test_too_late_is_never(world):
    """A post that is much older than the age is left alone: its figures would not be those at that age."""
    world.move(days=3, hours=2)
    run(world, 2)
    assert asked(world) == []


def test_a_deleted_tweet(world):
    """A tweet that X does not have any more gets an empty result, is free, and is not asked for again."""
    world.x.delete_by_hand(ours(world)[0].id)
    run(world, 2 * DAY)
    assert [row[2:] for row in kept(world)][0] == (None,) * 6
    assert len(asked(world)) == len(set(asked(world)))
    assert booked(world) == [(1, 0.001)] * (len(kept(world)) - 1)


def test_some_figures_are_missing(world):
    """What X leaves out or garbles is empty, and the rest counts."""
    world.x.figures = lambda tweet: {
        "impression_count": 12,
        "like_count": True,
        "retweet_count": -1,
        "reply_count": "3",
        "bookmark_count": 10**16,
    }
    run(world, DAY + 1)
    assert [row[2:] for row in kept(world)] == [(12, None, None, None, None, None)]


def test_an_error_beside_the_data(world):
    """X's error about a field, or about a tweet that it shows, does not turn a figure into none."""
    tweet_id = str(ours(world)[0].id)
    errors = [
        lookup.gone(tweet_id),
        {
            "resource_id": tweet_id,
            "field": "public_metrics.quote_count",
            "type": "x/not-authorized-for-field",
        },
        None,
    ]
    world.x.lookup_view = lambda body: {**body, "errors": errors}
    run(world, DAY + 1)
    assert len(kept(world)) == 1
    assert None not in kept(world)[0]


def test_ids_that_nobody_asked_for(world):
    """Tweets that were not asked for are nobody's result, and an id that X passes over is asked for again."""
    other = {"id": "17", "text": "x", "public_metrics": {"like_count": 1}}
    gone = lookup.gone("18")
    world.x.lookup_view = lambda _: {"data": [other, None, 3, {"id": ["1"]}], "errors": [gone]}
    run(world, DAY + 1)
    assert kept(world) == []
    world.x.lookup_view = lambda body: body
    run(world, DAY)
    assert len(kept(world)) == 2
    assert len(asked(world)) == 2


@pytest.mark.parametrize(
    "view",
    [
        lambda _: {},
        lambda _: {"meta": {}},
        lambda _: {"data": "x"},
        lambda _: {"data": None},
        lambda body: {**body, "errors": 3},
        lambda body: {
            "data": [{k: v for k, v in one.items() if k != "public_metrics"} for one in body["data"]]
        },
        lambda body: {"data": [one | {"public_metrics": {}} for one in body["data"]]},
    ],
)
def test_answers_that_say_nothing(world, view):
    """An answer without figures of any tweet is no result: X is asked again a day later, and a person is told."""
    world.x.lookup_view = view
    results = run(world, 3 * DAY)
    assert {int(r.exit_code) for r in results} == {0}
    assert (kept(world), len(asked(world))) == ([], 3)
    (finding,) = reading(world)
    assert finding.fix
    shown = lookup.lookup_of(
        asked(world)[0].split(","), world.x.visible(), figures, "public_metrics", links=False
    )
    billed = view(shown).get("data")
    assert bool(booked(world)) is (isinstance(billed, list) and bool(billed) and "errors" not in view(shown))
    assert all(usd == pytest.approx(units * 0.001) for units, usd in booked(world))
    world.x.lookup_view = lambda body: body
    run(world, DAY)
    assert (len(kept(world)) > 0, reading(world)) == (True, [])


@pytest.mark.parametrize(
    "fault",
    [
        fake_x.server_error(503, accept=False),
        fake_x.unauthorized(),
        fake_x.no_credits(),
        fake_x.not_found(),
        fake_x.duplicate(),
        fake_x.invalid_request(),
        fake_x.rate_limited(None),
        fake_x.malformed(),
        fake_x.empty(),
        fake_x.errors_200(),
        fake_x.html_200(accept=False),
        fake_x.truncated(),
        fake_x.close(accept=False),
        fake_x.reset(accept=False),
        fake_x.big(accept=False),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_faults(world, fault):
    """Whatever X answers, the run is what it was, its hold too; X is asked again after a day."""
    world.x.on_lookup(fault)
    results = run(world, DAY + 4, every=4)
    assert {int(r.exit_code) for r in results} == {0}
    assert (kept(world), len(asked(world))) == ([], 1)
    assert world.rows("SELECT 1 FROM meta WHERE key = 'hold'") == []
    run(world, DAY, every=4)
    assert (len(asked(world)), len(kept(world))) == (2, 2)
    world.check_promise()


def test_a_bug_in_reading(world, monkeypatch):
    """Even a bug leaves the run what it was, and is told."""
    from src.twitter_handler import XClient

    monkeypatch.setattr(XClient, "look_up", lambda *_: 1 / 0)
    assert {int(r.exit_code) for r in run(world, 4 * DAY)} == {0}
    assert "ZeroDivisionError" in reading(world)[0].message


def test_a_clock_that_is_off(world):
    """Where our clock and X's differ, the age of a tweet is not known, and no figure is kept."""
    run(world, DAY - 4)
    world.jump(hours=5)
    run(world, 2)
    assert (len(asked(world)), kept(world)) == (1, [])
    world.jump(hours=-5)
    run(world, DAY + 6)
    assert len(kept(world)) >= 1


def test_a_clock_that_was_years_ahead(world):
    """A read under a clock years ahead does not keep later ones from being made."""
    run(world, DAY + 1)
    world.jump(days=1000)
    world.tick()
    world.jump(days=-1000)
    run(world, DAY + 1)
    assert len(kept(world)) == 2


def test_the_budget(world):
    """As many are read as the budget allows; none where it is used up, and then a person is told."""
    world.extra["POST_INTERVAL_MINUTES"] = "60"
    run(world, 8)
    world.extra |= {"POST_INTERVAL_MINUTES": "1440", "PRICE_READ_USD": "0.02", "DAILY_BUDGET_USD": "0.25"}
    world.move(days=1)
    world.tick()
    others = "SELECT total(usd) FROM spending WHERE kind <> 'results' AND at > ?"
    spent = world.rows(others, world.x.now() - 86400)[0][0]
    affordable = int((0.25 - spent) / 0.02)
    assert 0 < affordable < 9
    assert [len(ids.split(",")) for ids in asked(world)] == [affordable]
    assert booked(world) == [(affordable, pytest.approx(affordable * 0.02))]
    world.extra["DAILY_BUDGET_USD"] = "0.01"
    run(world, 3 * DAY)
    assert len(asked(world)) == 1
    assert "budget" in world.rows("SELECT value FROM meta WHERE key = 'results_reading'")[0][0]


def test_a_refused_account_is_not_asked(world):
    """While X refuses the account, results wait."""
    run(world, DAY - 3)
    world.extra["POST_INTERVAL_MINUTES"] = "60"
    world.x.always_post = fake_x.unauthorized()
    run(world, 8)
    assert asked(world) == []


def shown(world):
    """Return what history and the report say, each as text and as data, and the page."""
    options = SimpleNamespace(n=10, all=False)
    history = history_command.COMMAND.run(Context(options, world.settings, Clock(), "c"))
    report = measures.read(world.settings, datetime.now(UTC), 30)
    texts = history.text, as_text(report, world.settings)
    datas = history.data, measures.as_data(report, world.settings)
    return (
        *texts,
        *(json.loads(json.dumps(data, default=str)) for data in datas),
        as_html(report, world.settings),
    )


def test_what_is_shown(world):
    """History, report and page show the figures at that age, of a deleted tweet that it was gone."""
    run(world, DAY - 2)
    before = shown(world)
    assert before[3]["results"]["whole"]["posts"] == 0
    assert "none is old enough yet" in before[1]
    assert "none is old enough yet" in before[4]
    run(world, 3)
    world.x.delete_by_hand(ours(world)[1].id)
    run(world, DAY)
    history, report, history_data, report_data, page = shown(world)
    first = ours(world)[0]
    words = (
        f"after 1 day: {figures(first)['impression_count']} impressions, {figures(first)['like_count']} likes"
    )
    for text in (history, report, page):
        assert words in text
        assert "after 1 day: not on X any more" in text
    for data in (history_data, report_data):
        post = next(post for post in data["posts"] if post["tweet_id"] == str(first.id))
        assert post["results"]["likes"] == figures(first)["like_count"]
        assert post["results"]["days"] == 1
        assert data["posts"][0]["results"] is None
    assert (report_data["results"]["whole"]["posts"], report_data["results"]["gone"]) == (1, 1)
    assert "too few to tell" in report


@pytest.mark.parametrize("place", ["results.read", "results.before_commit", "results.committed"])
def test_killed_while_reading(world, place):
    """A kill at any step of reading and recording loses no result and records none twice."""
    run(world, DAY - 1)
    assert (asked(world), kept(world)) == ([], [])
    assert world.forked(f"{place}:kill") == -9
    run(world, 3)
    assert [row[0] for row in kept(world)] == [r["id"] for r in world.rows() if r["origin"] == "wording"][:1]
    assert len(asked(world)) == (1 if place == "results.committed" else 2)
    assert booked(world) == [(1, 0.001)]
    world.check_promise()


def test_restored(world):
    """After a restore results of the backup stay, and those since are read again as the tweets are found."""
    run(world, DAY + 1)
    copy = world.folder / "data" / "restored.db"
    prepare_restored(world.database, copy, datetime.now(UTC))
    run(world, DAY)
    later = kept(world)
    copy.replace(world.database)
    run(world, DAY)
    assert kept(world)[0] == later[0]
    assert len(kept(world)) >= 2
    world.check_promise()
