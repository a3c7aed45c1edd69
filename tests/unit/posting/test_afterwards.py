"""What follows a post: what is due and nothing else, and a failure of one part stops no other."""

import errno
from datetime import timedelta

import pytest

from src.domain.errors import StorageError
from src.domain.fixes import Fix
from src.posting import afterwards, ahead, feeding, results
from src.system.machine import FIX_DISK
from tests.support.logs import caught
from tests.support.scripted import scripted_run

FEED = "https://a.dev/feed.xml"
FEEDS = {"FEEDS": FEED, "LINKS": "own"}
ALL = {**FEEDS, "RESULTS_AFTER_DAYS": "7", "QUEUE_AHEAD": "4"}


@pytest.fixture
def followed(monkeypatch):
    """Run what follows a post; return the parts that worked, with what they were given."""

    def made(env, *, feeds=(), posts=(), breaks=()):
        run, done = scripted_run(env), []

        def part(name):
            def work(_, *given):
                done.append((name, *given))
                if name in breaks:
                    raise breaks[name]

            return work

        monkeypatch.setattr(feeding, "read", part("feeds"))
        monkeypatch.setattr(results, "read", part("results"))
        monkeypatch.setattr(ahead, "write_ahead", part("ahead"))
        asked = []
        monkeypatch.setattr(type(run.db.feeds), "due", lambda _, *given: asked.append(given) or list(feeds))
        monkeypatch.setattr(type(run.db.results), "due", lambda _, *given: asked.append(given) or list(posts))
        with caught() as records:
            afterwards.follow_up(run)
        now = run.clock.now()
        return done, [[value for value in given if value != now] for given in asked], records

    return made


def test_everything_that_is_due(followed):
    """Feeds first, then results, then texts ahead, each with what is due; the store is asked with the settings."""
    done, asked, _ = followed(ALL | {"FEED_MINUTES": "90"}, feeds=["feed"], posts=["post"])
    assert done == [("feeds", ["feed"]), ("results", ["post"]), ("ahead",)]
    assert asked == [[(FEED,), timedelta(minutes=90)], [7]]


@pytest.mark.parametrize(
    ("env", "due", "done"),
    [
        ({}, True, []),
        (ALL, False, ["ahead"]),
        (FEEDS, True, ["feeds"]),
        ({"RESULTS_AFTER_DAYS": "7"}, True, ["results"]),
        ({"QUEUE_AHEAD": "1"}, True, ["ahead"]),
    ],
)
def test_nothing_else(followed, env, due, done):
    """Without its setting, or with nothing due, a part does not work."""
    given = {"feeds": ["feed"], "posts": ["post"]} if due else {}
    assert [name for name, *_ in followed(env, **given)[0]] == done


@pytest.mark.parametrize("name", ["feeds", "results", "ahead"])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StorageError("no row", Fix("look at it")), ("no row", "look at it")),
        (OSError(errno.ENOSPC, "full"), ("full", FIX_DISK.render())),
    ],
)
def test_a_failure_is_logged(followed, name, error, told):
    """A failure of the program's, or of the machine, is one line with its fix; the other parts work."""
    done, _, records = followed(ALL, feeds=["feed"], posts=["post"], breaks={name: error})
    assert [part for part, *_ in done] == ["feeds", "results", "ahead"]
    (line,) = [record for record in records if record.levelname == "ERROR"]
    assert line.msg == f"{name}.trouble"
    assert (line.message_text, line.fix) == told


def test_a_bug_is_no_failure(followed):
    """What nobody expected is not hidden."""
    with pytest.raises(KeyError):
        followed(ALL, feeds=["feed"], breaks={"feeds": KeyError("row")})
