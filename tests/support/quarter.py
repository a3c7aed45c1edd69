"""A simulated quarter: runs as the printed cron line starts them, against the fake X, judged by another clock.

The judge knows nothing of `Schedule`: it walks through the minutes of UTC, reads the wall clock of the zone, and
notes when a wanted time is reached for the first time on its day, or was skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from src.upkeep import units
from tests import fake_x
from tests.support.world import World

MINUTE = timedelta(minutes=1)
LATE = timedelta(minutes=90)


@dataclass
class Quarter:
    """What became of a quarter: the tweets, the runs, and their outcomes."""

    tweets: list[datetime] = field(default_factory=list)
    runs: list[datetime] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    failed: list[datetime] = field(default_factory=list)


def wall_times(
    begin: datetime, end: datetime, zone: str, times: Iterable[str]
) -> Iterator[tuple[date, str, datetime]]:
    """Yield (day, time, moment) for each wanted time of each day, by walking through the minutes."""
    wanted, reached, at = sorted(times), {}, begin
    local_zone = ZoneInfo(zone)
    while at < end:
        local = at.astimezone(local_zone)
        now = f"{local:%H:%M}"
        for time in wanted:
            if now >= time and (local.date(), time) not in reached:
                reached[local.date(), time] = at
                yield local.date(), time, at
        at += MINUTE


def live(
    world: World,
    days: int,
    *,
    off: Callable[[datetime], bool] = lambda _: False,
    down: Callable[[datetime], bool] = lambda _: False,
    between: Callable[[datetime], None] = lambda _: None,
) -> Quarter:
    """Start a run at each minute of the printed line for so many days; `off`: the machine, `down`: the network."""
    quarter = Quarter()
    now = datetime.fromtimestamp(world.x.now(), UTC)
    end = now + timedelta(days=days)
    minutes = set(units.start_minutes(world.settings))
    at = now.replace(second=0, microsecond=0)
    while at < end:
        at += MINUTE
        if at.minute not in minutes:
            continue
        world.move(seconds=(at - datetime.fromtimestamp(world.x.now(), UTC)).total_seconds() + 1)
        between(at)
        if off(at):
            continue
        world.extra.pop("X_API_BASE_URL", None)
        if down(at):
            world.extra["X_API_BASE_URL"] = "http://127.0.0.1:9"
        before = len(world.x.accepted)
        result = world.tick()
        quarter.runs.append(at)
        quarter.outcomes[str(result.outcome)] += 1
        if result.exit_code:
            quarter.failed.append(at)
        quarter.tweets += [datetime.fromtimestamp(t.at, UTC) for t in world.x.accepted[before:]]
    return quarter


def started_account(world: World) -> None:
    """Give the account a past, so that there is a canary."""
    world.x.tweet_by_hand("An old tweet from before.")
    world.move(minutes=1)


def assigned(
    tweets: list[datetime], wanted: list[datetime]
) -> tuple[dict[datetime, datetime], list[datetime]]:
    """Give each tweet the oldest wanted time that is open and free; return those, and the tweets too many."""
    given: dict[datetime, datetime] = {}
    surplus = []
    for tweet in tweets:
        free = [at for at in wanted if at <= tweet < at + LATE and at not in given]
        if free:
            given[free[0]] = tweet
        else:
            surplus.append(tweet)
    return given, surplus


def met(runs: list[datetime], wanted: list[datetime], gap: timedelta) -> set[datetime]:
    """Return the wanted times that these runs can meet: one a run, the oldest first, `gap` apart.

    A run that makes up for a time may take the place of the next one, which is then missed if no later run
    comes within its ninety minutes.
    """
    taken: set[datetime] = set()
    last: datetime | None = None
    for run in runs:
        free = [at for at in wanted if at <= run < at + LATE and at not in taken]
        if free and (last is None or run - last >= gap):
            taken.add(free[0])
            last = run
    return taken


def shortest_distance(times: Iterable[str]) -> timedelta:
    """Return the shortest distance between two times of the day, also over midnight."""
    minutes = sorted(int(at[:2]) * 60 + int(at[3:]) for at in times)
    following = [*minutes[1:], minutes[0] + 1440]
    return min(b - a for a, b in zip(minutes, following, strict=True)) * MINUTE


def lost_answer(world: World) -> None:
    """Let X lose its next answer to a post that it carries out."""
    world.x.on_post(fake_x.close(accept=True))
