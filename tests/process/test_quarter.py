"""Days of a quarter at wanted times, spread, and hourly with a pause: each wanted time has exactly one tweet.

The whole quarter runs in the crash suite.
"""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from src.commands import pause
from src.commands.command import Context
from src.system.clock import Clock
from src.watch import overview
from tests.support.quarter import assigned, live, started_account, wall_times
from tests.support.world import new_world

BERLIN = "Europe/Berlin"
TIMES = ["09:00", "13:00", "18:00"]
FEW_DAYS = 9


def begin(world, text):
    """Set the clock of the world."""
    moment = datetime.fromisoformat(text + "+00:00")
    world.traveller.move_to(moment)
    started_account(world)
    return moment


def healthy(world):
    """The codes of what status finds, and the success of the last week."""
    seen, findings = overview.look(world.settings, datetime.now(UTC))
    return [f.code for f in findings], seen.rates["7d"]


@pytest.mark.parametrize("start", ["2026-03-25 05:00", "2026-10-21 05:00"])
def test_three_times_on_weekdays_over_a_change_of_the_clock(tmp_path, start):
    """Fifteen tweets a week, each within the minute, none at the weekend; status finds nothing wrong."""
    extra = {"POST_TIMES": ",".join(TIMES), "POST_DAYS": "mon-fri", "TIME_ZONE": BERLIN, "COOLDOWN_DAYS": "1"}
    with new_world(tmp_path, **extra) as world:
        first = begin(world, start)
        quarter = live(world, FEW_DAYS)
        end = datetime.now(UTC)
        wanted = [
            at for day, _, at in wall_times(first, end, BERLIN, TIMES) if day.weekday() < 5 and at > first
        ]
        given, surplus = assigned(quarter.tweets, wanted)
        assert surplus == []
        assert sorted(given) == wanted
        assert max(tweet - at for at, tweet in given.items()) < timedelta(minutes=1)
        assert quarter.failed == []
        codes, rate = healthy(world)
        assert "silence" not in codes and "not-running" not in codes
        assert (rate.share, rate.due) == (1.0, 15)


def test_five_a_day_spread(tmp_path):
    """At even distances over the waking hours, with a lost answer and an hour without network made up for."""
    extra = {"POSTS_PER_DAY": "5", "QUIET_HOURS": "23:00-08:00", "TIME_ZONE": "America/New_York"}
    times = ["09:30", "12:30", "15:30", "18:30", "21:30"]
    with new_world(tmp_path, **extra) as world:
        first = begin(world, "2026-10-30 06:00")
        quarter = live(world, 5, down=lambda at: at.day == 31 and at.hour == 16)  # 12:30 there
        wanted = [at for _, _, at in wall_times(first, datetime.now(UTC), "America/New_York", times)]
        wanted = [at for at in wanted if at > first + timedelta(hours=3)]
        given, surplus = assigned(quarter.tweets, wanted)
        assert surplus == []
        assert sorted(given) == wanted
        late = {at: tweet - at for at, tweet in given.items() if tweet - at > timedelta(minutes=1)}
        assert [(at.day, tweet // timedelta(hours=1)) for at, tweet in late.items()] == [(31, 1)]
        assert healthy(world)[1].share == 1.0


def test_hourly_with_a_pause(tmp_path):
    """Each hour has its tweet but those of the pause, which are neither missed nor made up for."""
    with new_world(tmp_path, TIME_ZONE=BERLIN) as world:
        first = begin(world, "2026-11-22 00:30")

        def sometimes_pause(at):
            if (at.day, at.hour) == (23, 10):
                options = SimpleNamespace(until="2026-11-24 12:00")
                pause.COMMAND.run(Context(options, world.settings, Clock(), "p"))

        quarter = live(world, 3, between=sometimes_pause)
        hours = [at.replace(minute=0) for at in quarter.runs]
        paused = [
            at
            for at in hours
            if first.replace(day=23, hour=10, minute=0) <= at < first.replace(day=24, hour=11, minute=0)
        ]
        posted = [tweet.replace(minute=0, second=0, microsecond=0) for tweet in quarter.tweets]
        assert posted == [at for at in hours if at not in paused]
        assert quarter.outcomes == {"posted": len(posted), "nothing-due:paused": len(paused)}
        codes, rate = healthy(world)
        assert "silence" not in codes
        assert (rate.share, rate.left_out) == (1.0, 1)  # the slot in which the pause began


def test_a_time_that_no_run_met_is_made_up_for_once(tmp_path):
    """Within ninety minutes the next run posts, one time a run; after that the time is missed and told so."""
    extra = {"POST_TIMES": "09:00,09:30,13:00", "TIME_ZONE": "UTC"}
    with new_world(tmp_path, **extra) as world:
        begin(world, "2026-11-22 23:00")
        quarter = live(
            world, 2, off=lambda at: (at.day, at.hour) == (23, 9) or (at.day == 24 and at.hour in {13, 14})
        )
        assert [f"{tweet:%d %H:%M}" for tweet in quarter.tweets] == [
            "23 10:00", "23 10:30", "23 13:00", "24 09:00", "24 09:30"
        ]  # fmt: skip
        rate = healthy(world)[1]
        assert (rate.posted, rate.due) == (5, 6)


def test_the_gap_holds_across_a_change_of_settings(tmp_path):
    """After an hourly post a wanted time waits for half its shortest distance; the past stays as it was."""
    with new_world(tmp_path) as world:
        world.warm()
        for hours in (0, 1, 1):
            world.move(hours=hours)
            assert world.tick().outcome == "posted"
        world.extra |= {"POST_TIMES": "19:30,21:30"}  # the last post went out at 19:07
        world.move(minutes=24)
        assert world.tick().outcome == "nothing-due:too-soon"
        world.move(minutes=37)
        assert world.tick().outcome == "posted"
        seen, findings = overview.look(world.settings, datetime.now(UTC))
        assert (seen.rates["24h"].share, findings) == (1.0, ())
        assert [row["slot"] for row in world.ours()][-2:] == ["2026-11-22T19:00Z", "2026-11-22T19:30Z"]
