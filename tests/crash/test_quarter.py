"""A whole quarter as the owner set it: at wanted times, spread, hourly with a pause, with what goes wrong in one."""

import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from src.commands import pause
from src.commands.command import Context
from src.system.clock import Clock
from tests.support.quarter import (
    LATE,
    assigned,
    live,
    lost_answer,
    met,
    shortest_distance,
    started_account,
    wall_times,
)
from tests.support.world import new_world

DAYS = 91
HOUR = timedelta(hours=1)


def told(capsys, name, quarter, wanted, given):
    with capsys.disabled():
        print(
            f"\n{name}: {len(quarter.runs)} runs, {len(wanted)} wanted times, {len(given)} with their tweet,"
            f" {sum(tweet - at > 5 * timedelta(minutes=1) for at, tweet in given.items())} of them made up for"
        )


@pytest.mark.parametrize(
    ("name", "zone", "times", "days", "extra"),
    [
        (
            "three times on weekdays",
            "Europe/Berlin",
            ["09:00", "13:00", "18:00"],
            5,
            {"POST_TIMES": "09:00,13:00,18:00", "POST_DAYS": "mon-fri"},
        ),
        (
            "five a day, spread",
            "America/New_York",
            ["09:30", "12:30", "15:30", "18:30", "21:30"],
            7,
            {"POSTS_PER_DAY": "5", "QUIET_HOURS": "23:00-08:00"},
        ),
        (
            "at night",
            "Europe/Berlin",
            ["00:30", "01:30", "02:30", "03:30"],
            7,
            {"POST_TIMES": "00:30,01:30,02:30,03:30"},
        ),
    ],
)
@pytest.mark.parametrize("start", ["2026-01-15 00:01", "2026-09-01 00:01"])
def test_a_quarter_of_wanted_times(tmp_path, capsys, name, zone, times, days, extra, start):
    """Each time that a run can meet within ninety minutes, one a run, has its tweet, and no other goes out."""
    rng = random.Random(name + start)
    off = {rng.randrange(DAYS * 24): rng.randrange(1, 6) for _ in range(20)}
    down = {rng.randrange(DAYS * 24): 1 for _ in range(20)}
    with new_world(tmp_path, TIME_ZONE=zone, COOLDOWN_DAYS="1", **extra) as world:
        first = datetime.fromisoformat(start + "+00:00")
        world.traveller.move_to(first)
        started_account(world)
        hours = {h + n for h, length in off.items() for n in range(length)}

        def sometimes_lose(at):
            if rng.random() < 0.01:
                lost_answer(world)

        quarter = live(
            world,
            DAYS,
            off=lambda at: (at - first) // HOUR in hours,
            down=lambda at: (at - first) // HOUR in down,
            between=sometimes_lose,
        )
        good = [at for at in quarter.runs if at not in quarter.failed or (at - first) // HOUR not in down]
        end = datetime.now(UTC)
        moments = wall_times(first, end, zone, times)
        wanted = [at for day, _, at in moments if day.weekday() < days and first + HOUR < at < end - LATE]
        given, surplus = assigned(quarter.tweets, wanted)
        told(capsys, f"{name}, from {start[:10]}", quarter, wanted, given)
        early = [tweet for tweet in surplus if tweet > wanted[0] and tweet < wanted[-1]]
        assert early == []
        assert set(given) == met(good, wanted, shortest_distance(times) / 2)
        texts = [tweet.text for tweet in world.x.accepted if tweet.via == "api"]
        assert len(texts) == len(set(texts))


def test_a_quarter_of_hours_with_a_pause(tmp_path, capsys):
    """Each hour has its tweet but those of a pause of two weeks."""
    with new_world(tmp_path, TIME_ZONE="Europe/Berlin") as world:
        world.traveller.move_to(datetime(2026, 8, 31, 23, 1, tzinfo=UTC))
        started_account(world)  # in the hour before: the owner's own tweet fills the slot that it is in
        world.traveller.move_to(datetime(2026, 9, 1, 0, 1, tzinfo=UTC))

        def go_on_holiday(at):
            if at.date() == datetime(2026, 10, 20).date() and at.hour == 10:
                options = SimpleNamespace(until="2026-11-03")
                pause.COMMAND.run(Context(options, world.settings, Clock(), "p"))

        quarter = live(world, DAYS, between=go_on_holiday)
        begin, over = datetime(2026, 10, 20, 10, tzinfo=UTC), datetime(2026, 11, 2, 23, tzinfo=UTC)
        hours = [run.replace(minute=0) for run in quarter.runs if not begin <= run < over]
        assert [t.replace(minute=0, second=0, microsecond=0) for t in quarter.tweets] == hours
        assert set(quarter.outcomes) == {"posted", "nothing-due:paused"}
        told(capsys, "hourly with a pause", quarter, hours, dict(zip(hours, hours, strict=True)))
