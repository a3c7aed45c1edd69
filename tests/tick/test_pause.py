"""A pause of the owner, and the ends of the wait after refusals."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from src.commands import check, pause, resume
from src.commands.command import Context
from src.domain.errors import UsageError
from src.system.clock import Clock
from src.watch import overview, status
from tests import fake_x


def command(module, world, **options):
    """Run a command of the owner's."""
    return module.COMMAND.run(Context(SimpleNamespace(**options), world.settings, Clock(), "c"))


def screen(world):
    now = datetime.now(UTC)
    seen, findings = overview.look(world.settings, now)
    return SimpleNamespace(
        text=status.as_text(seen, findings, world.settings, now),
        data=status.as_data(seen, findings, world.settings),
        seen=seen,
    )


def test_a_pause_posts_nothing_and_is_no_failure(world):
    """Runs go on and end with 0; no slot is missed, nothing is silent; after its end a post goes out."""
    world.warm()
    until = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(hours=20)
    told = command(pause, world, until=f"{until:%F %R}")
    assert told.text.startswith(f"paused until {until:%F %R} UTC: nothing is posted")
    assert told.data["paused"]["until"] == f"{until:%FT%R}:00+00:00"
    for _ in range(19):
        result = world.tick()
        assert (result.outcome, result.exit_code) == ("nothing-due:paused", 0)
        world.next_slot()
    shown = screen(world)
    assert shown.text.startswith(f"healthy, paused until {until:%F %R} UTC")
    assert (shown.data["healthy"], shown.data["paused"]) == (True, told.data["paused"])
    assert shown.data["success"]["24h"] == {"share": 1.0, "posted": 1, "due": 1, "left_out": 1}
    assert shown.seen.wait.until == until
    world.next_slot()
    assert world.tick().outcome == "posted"
    assert screen(world).data["paused"] is None


def test_resume_ends_a_pause(world):
    """A pause without an end lasts until resume, which says when the next post is due."""
    world.warm()
    assert command(pause, world, until=None).data["paused"]["until"] is None
    assert world.tick().message == "paused by you"
    assert screen(world).seen.wait.until is None
    world.next_slot()
    ended = command(resume, world)
    assert (
        ended.text == "the pause is over; the next post is due with the first run from 2026-11-22 18:07 UTC"
    )
    assert world.tick().outcome == "posted"
    assert command(resume, world).text.startswith("there was no pause and no wait after refusals")


def test_a_second_pause_changes_the_end_of_the_first(world):
    """The beginning stays, so that no slot of it becomes a missed one."""
    world.warm()
    first = command(pause, world, until=None).data["paused"]
    world.next_slot()
    second = command(pause, world, until="2026-12-27").data["paused"]
    assert second == {"since": first["since"], "until": "2026-12-27T00:00:00+00:00"}
    assert len(world.rows("SELECT 1 FROM meta WHERE key = 'pauses'")) == 1


def test_dates_are_those_of_the_owner(world):
    """A date begins at midnight in TIME_ZONE."""
    world.extra["TIME_ZONE"] = "Europe/Berlin"
    told = command(pause, world, until="2026-12-27")
    assert told.text.startswith("paused until 2026-12-27 00:00 CET")
    assert told.data["paused"]["until"] == "2026-12-26T23:00:00+00:00"


@pytest.mark.parametrize(
    ("until", "message"),
    [("tomorrow", "'tomorrow' is not a date or a time; write 2026-12-24"), ("2026-11-22", "is over already")],
)
def test_a_date_that_cannot_be(world, until, message):
    """No date, or one that is over, changes nothing."""
    with pytest.raises(UsageError, match=message):
        command(pause, world, until=until)
    assert not world.database.exists()


# ---- the wait after refusals -----------------------------------------------------------------------------------


def refused(world):
    """X refuses the account three times in a row: the breaker opens for six slots."""
    world.warm()
    world.x.on_post(*[fake_x.unauthorized()] * 3)
    for _ in range(3):
        assert world.tick().outcome == "blocked"
        world.next_slot()
    assert world.tick().outcome == "nothing-due:hold"


def test_resume_ends_the_wait_after_refusals(world):
    """An owner who has put the cause right need not wait for six slots."""
    refused(world)
    assert (
        "the wait after 3 refusals of X (it does not accept the keys) is over" in command(resume, world).text
    )
    assert world.tick().outcome == "posted"


def test_changed_keys_end_the_wait(world):
    """The refusals were those of other keys; the same keys go on waiting."""
    refused(world)
    world.next_slot()
    assert world.tick().outcome == "nothing-due:hold"
    world.x.credentials = replace(world.x.credentials, api_key="anotherKeyOfTheSameApp")
    world.x.accounts = {world.x.credentials.access_token: world.x.credentials}
    assert world.tick().outcome == "posted"


def test_a_good_check_ends_the_wait(world):
    """X accepts the keys again, so the next run may try."""
    refused(world)
    shown = command(check, world, online=True)
    assert any("the wait after 3 refusals is over" in row["says"] for row in shown.data["parts"])
    assert world.tick().outcome == "posted"
