"""`post`: an own text now, in the open slot or beside the slots, under the protocol of a run."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from src.commands import post
from src.commands.command import Context
from src.domain.errors import ProgramError, TemporaryError, UsageError
from src.watch import overview
from tests import fake_x
from tests.support.world import MovingClock

TEXT = "We are live now."


def send(world, text=TEXT, *, extra=False, run_id="p1"):
    options = SimpleNamespace(text=text, extra=extra)
    return post.COMMAND.run(Context(options, world.settings, MovingClock(world.traveller), run_id))


def test_an_own_text_takes_the_slot(world):
    """It goes out at once, and the run of this hour finds its slot used."""
    world.warm()
    told = send(world)
    assert (told.exit_code, told.data["outcome"]) == (0, "posted")
    assert told.text == f"posted {told.data['url']}"
    assert world.x.texts()[-1] == TEXT
    (row,) = world.rows("SELECT * FROM posts WHERE content = ?", TEXT)
    assert (row["status"], row["origin"], row["slot"], row["source_id"]) == (
        "posted", "person", "2026-11-22T17:00Z", None
    )  # fmt: skip
    assert world.tick().outcome == "nothing-due:slot-used"
    world.check_promise()


def test_a_used_slot_needs_extra(world):
    """Without --extra nothing is sent and the way is named; with it the text goes beside, and the next slot is free."""
    world.warm()
    assert world.tick().outcome == "posted"
    with pytest.raises(ProgramError, match="not now: this slot has a post") as raised:
        send(world)
    assert raised.value.exit_code == 75
    assert raised.value.fix.render() == (
        "`post --extra TEXT` sends it now beside the slots; `queue add TEXT` puts it in line"
    )
    world.move(minutes=50)
    assert send(world, extra=True).data["outcome"] == "posted"
    assert world.rows("SELECT slot FROM posts WHERE content = ?", TEXT)[0]["slot"][:16] == "2026-11-22T17:57"
    world.move(minutes=10)
    assert world.tick().outcome == "posted"
    seen, findings = overview.look(world.settings, datetime.now(UTC))
    assert (seen.rates["24h"].posted, seen.rates["24h"].share, findings) == (3, 1.0, ())
    world.check_promise(slots=2)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"POST_TIMES": "09:00,21:00"}, "not now: the next time to post is 2026-11-22 21:00 UTC"),
        ({"QUIET_HOURS": "16:30-18:00"}, "not now: quiet hours"),
    ],
)
def test_no_open_slot_needs_extra(world, extra, message):
    """Between wanted times and in the quiet hours an own text goes out only beside the slots."""
    world.warm()
    world.extra |= extra
    with pytest.raises(ProgramError, match=message):
        send(world)
    assert send(world, extra=True).exit_code == 0


def test_the_gates_judge_it(world):
    """A text that is refused is not kept."""
    world.warm()
    with pytest.raises(UsageError, match="this text is refused: .*setup.py"):
        send(world, "See setup.py for it.")
    assert world.rows("SELECT 1 FROM posts WHERE origin = 'person'") == []


@pytest.mark.parametrize(
    ("extra", "text", "message"),
    [
        (
            {"MAX_POSTS_PER_DAY": "1", "POST_TIMES": "15:00"},
            TEXT,
            "1 post in 24 hours, MAX_POSTS_PER_DAY is 1",
        ),
        ({"DAILY_BUDGET_USD": "0.02"}, TEXT, "DAILY_BUDGET_USD is 0.02"),
        ({"DAILY_BUDGET_USD": "0.1", "LINKS": "own"}, "Read https://example.org now.", "a post costs \\$0.2"),
    ],
)
def test_caps_and_budgets_hold_beside_the_slots(world, extra, text, message):
    """--extra is no way around them, and a link counts at its price."""
    world.warm()
    world.extra |= extra
    with pytest.raises(ProgramError, match=message):
        send(world, text, extra=True)
    assert len(world.x.accepted) == 2


def test_a_hold_holds(world):
    """While X refuses the account nothing is sent by hand either; the code is that of a run."""
    world.warm()
    world.x.on_post(fake_x.no_credits())
    assert world.tick().outcome == "blocked"
    with pytest.raises(ProgramError, match="not now: on hold") as raised:
        send(world, extra=True)
    assert raised.value.exit_code == 77


def test_a_new_database_reads_first(world):
    """Nothing is posted before the account's tweets were read."""
    with pytest.raises(TemporaryError, match="the first run reads the account's tweets"):
        send(world)


@pytest.mark.parametrize("extra", [False, True])
def test_a_text_that_could_not_be_sent_goes_out_later(world, extra):
    """It waits in the queue, before all that the program writes."""
    world.warm()
    url, world.extra["X_API_BASE_URL"] = world.x.url, "http://127.0.0.1:9"
    told = send(world, extra=extra)
    assert (told.exit_code, "waits in the queue" in told.text) == (75, True)
    world.extra["X_API_BASE_URL"] = url
    world.next_slot()
    assert world.tick().outcome == "posted"
    assert world.x.texts()[-1] == TEXT
    world.check_promise()


@pytest.mark.parametrize("extra", [False, True])
def test_a_lost_answer_is_looked_for(world, extra):
    """The tweet is found on the timeline, and never sent again."""
    world.warm()
    world.x.on_post(fake_x.close(accept=True))
    assert send(world, extra=extra).data["outcome"] == "posted"
    for _ in range(3):
        world.next_slot()
        world.tick()
    assert world.x.texts().count(TEXT) == 1
    world.check_promise()


def test_two_extras_of_one_minute(world):
    """Each second has a slot of its own."""
    world.warm()
    assert send(world, extra=True).exit_code == 0
    world.move(seconds=2)
    assert send(world, "And here is the room: two.", extra=True, run_id="p2").exit_code == 0
    assert len({row["slot"] for row in world.ours()}) == len(world.ours())
