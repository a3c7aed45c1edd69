"""Posts with a link: only by the owner's choice, at their own price, and found again though X shows t.co."""

import contextlib
import sqlite3
from datetime import UTC, datetime

import pytest

from src.db_manager import open_database
from src.domain.texts import Draft
from tests import fake_x
from tests.support.world import new_world

TEXT = "My new post: https://example.org/a-post"


@pytest.fixture
def world(tmp_path):
    """An account with a past whose owner allows links, and one approved text with a link."""
    with new_world(tmp_path) as made:
        made.extra["LINKS"] = "own"
        made.warm()
        yield made


def now():
    return datetime.now(UTC)  # moved with the world


def approve(world, text=TEXT, origin="person"):
    with contextlib.closing(open_database(world.database, now())) as db:
        db.approve(db.add_draft(Draft(text, origin), now()), now())


def spent(world):
    with contextlib.closing(sqlite3.connect(world.database)) as db:
        return [usd for (usd,) in db.execute("SELECT usd FROM spending WHERE kind = 'post' ORDER BY id")]


def test_goes_out_at_its_price(world):
    """A person's text with a link is posted and booked as what it costs."""
    approve(world)
    assert world.tick().outcome == "posted"
    assert (world.x.texts()[-1], spent(world)[-1]) == (TEXT, 0.2)
    world.check_promise()


@pytest.mark.parametrize(
    ("links", "origin", "posted"),
    [("never", "person", False), ("own", "model", False), ("own", "person", True)],
)
def test_only_by_the_owners_choice(world, links, origin, posted):
    """With LINKS=never, and in a text that no person wrote, a link sends an approved text back to the drafts."""
    world.extra["LINKS"] = links
    approve(world, origin=origin)
    world.tick()
    assert (world.x.texts()[-1] == TEXT) is posted


def test_a_budget_that_does_not_allow_it(world):
    """A link that the budget does not allow waits and another text goes out; later it has its turn."""
    world.extra["DAILY_BUDGET_USD"] = "0.1"
    approve(world)
    result = world.tick()
    assert (result.outcome, [note.code for note in result.notes]) == ("posted", ["link-over-budget"])
    assert TEXT not in world.x.texts()
    world.extra["DAILY_BUDGET_USD"] = "1"
    world.next_slot()
    assert (world.tick().outcome, world.x.texts()[-1]) == ("posted", TEXT)


def test_many_that_the_budget_does_not_allow(world):
    """However many links wait for the budget, it is told once."""
    world.extra["DAILY_BUDGET_USD"] = "0.1"
    for words in ("My talk on indexes", "How we cut our build in half", "A plea for boring releases"):
        approve(world, f"{words}: https://example.org/{len(words)}")
    result = world.tick()
    assert (result.outcome, [note.code for note in result.notes]) == ("posted", ["link-over-budget"])


def test_what_was_spent_since_a_backup(world):
    """A restore enters what was posted since the backup at its price, also where X shows t.co for a link."""
    world.x.tweet_by_hand("Since the backup: https://t.co/a1B2c3D4e5")
    world.x.tweet_by_hand("Since the backup, without a link.")
    with contextlib.closing(open_database(world.database, now())) as db:
        db.notes.put(cold_start="restored")
    before = spent(world)
    world.next_slot()
    world.tick()
    assert spent(world)[len(before) :][:2] == [0.2, 0.015]


@pytest.mark.parametrize(
    ("text", "link"),
    [
        (TEXT, "https://example.org/a-post"),
        ("Use await asyncio.to_thread(func) for a call that blocks.", "asyncio.to"),  # as X reads it
    ],
)
def test_found_again(world, text, link):
    """An answer that is lost: the timeline shows t.co in the place of a link, seen by us or not; it is found."""
    world.texts.queue.append(text)  # past the gates, as a text of an earlier version
    world.x.on_post(fake_x.close(accept=True))
    world.x.view = lambda items: [
        {**item, "text": item["text"].replace(link, "https://t.co/a1B2c3D4e5")} for item in items
    ]
    world.tick()
    world.move(minutes=40)
    world.tick()
    assert [r["status"] for r in world.ours() if r["content"] == text] == ["posted"]
    assert not [r["content"] for r in world.rows() if "t.co" in r["content"]]
    assert spent(world)[-1] == 0.2
    world.check_promise()
