"""Stories for the crash tests: how X behaves and its timeline looks, places to die, and the oracle."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from src.domain.errors import ProgramError
from src.store import connection
from src.system import failpoints, lock
from tests import fake_x
from tests.fake_x import Fault
from tests.fake_x.memory import Stored
from tests.support.world import World, new_world

# Those that an ordinary tick passes; the others have kills of their own, or need settings of their own.
APART = (
    "tokens.",
    "migrate.",
    "model.",
    "maintain.",
    "restore.",
    "feed.",
    "results.",
    "statement.",
    "ahead.",
)
TICK_NAMES = tuple(n for n in failpoints.NAMES if not n.startswith(APART))
MIGRATION_NAMES = tuple(n for n in failpoints.NAMES if n.startswith("migrate."))

# What X does with a post. The first six are the quick share.
POSTS: dict[str, Callable[[], Fault]] = {
    "ok": fake_x.ok,
    "lost answer": lambda: fake_x.close(accept=True),
    "reset, not made": lambda: fake_x.reset(accept=False),
    "503, made": lambda: fake_x.server_error(503, accept=True),
    "duplicate, not made": fake_x.duplicate,
    "401": fake_x.unauthorized,
    "closed, not made": lambda: fake_x.close(accept=False),
    "reset, made": lambda: fake_x.reset(accept=True),
    "truncated": fake_x.truncated,
    "half a status line": lambda: fake_x.half_status(accept=True),
    "half a status line, not made": lambda: fake_x.half_status(accept=False),
    "html": lambda: fake_x.html_200(accept=True),
    "html, not made": lambda: fake_x.html_200(accept=False),
    "empty": lambda: fake_x.empty_201(accept=True),
    "no id": lambda: fake_x.no_id_201(accept=True),
    "bad id": lambda: fake_x.bad_id_201(accept=True),
    "garbage": lambda: fake_x.garbage_201(accept=True),
    "500, not made": lambda: fake_x.server_error(500, accept=False),
    "502, made": lambda: fake_x.server_error(502, accept=True, body="<html>Bad Gateway"),
    "504, not made": lambda: fake_x.server_error(504, accept=False),
    "503, made a minute later": lambda: fake_x.server_error(503, accept=False, late=60),
    "503, made half an hour later": lambda: fake_x.server_error(503, accept=False, late=1800),
    "307, made": lambda: fake_x.redirect(307, accept=True),
    "308, not made": lambda: fake_x.redirect(308),
    "duplicate, made": lambda: fake_x.duplicate(accept=True),
    "text refused": fake_x.bad_text,
    "invalid request": fake_x.invalid_request,
    "402": fake_x.no_credits,
    "403": fake_x.suspended,
    "429": lambda: fake_x.rate_limited(None),
    "400, made": lambda: replace(fake_x.invalid_request(), accept=True),
    "401, made": lambda: replace(fake_x.unauthorized(), accept=True),
    "429, made": lambda: replace(fake_x.rate_limited(None), accept=True),
}
SLOW: dict[str, Callable[[], Fault]] = {
    "hang, made": lambda: fake_x.hang(accept=True),
    "hang, not made": lambda: fake_x.hang(accept=False),
    "dribble, made": lambda: fake_x.dribble(accept=True),
}
READS: dict[str, dict[str, Any]] = {
    "normal": {},
    "stale": {"always_get": fake_x.stale()},
    "gone": {"always_get": fake_x.not_found()},
    "late": {"read_lag": 1200.0},
}

LEAST_MEMORY = 200_000_000  # bytes free on the disk in memory


@dataclass
class Tally:
    """What a suite did. `doubled` and `unrecorded` are the promise."""

    scenarios: int = 0
    kills: int = 0
    accepted: int = 0
    doubled: int = 0
    unrecorded: int = 0
    other: Counter[str] = field(default_factory=Counter)

    def add(self, verdict: Verdict) -> None:
        self.scenarios += 1
        self.accepted += verdict.accepted
        self.doubled += verdict.doubled
        self.unrecorded += verdict.unrecorded

    def line(self, name: str) -> str:
        more = "".join(f", {key} {count}" for key, count in sorted(self.other.items()))
        return (
            f"{name}: scenarios {self.scenarios}, kills {self.kills}, accepted {self.accepted}, "
            f"doubled {self.doubled}, unrecorded {self.unrecorded}{more}"
        )


@dataclass(frozen=True)
class Verdict:
    """The oracle's word on a world: only what X holds and what the file says count."""

    accepted: int
    doubled: int
    unrecorded: int
    invented: int
    sound: bool
    stuck: int

    @property
    def good(self) -> bool:
        return not (self.doubled or self.unrecorded or self.invented or self.stuck) and self.sound


def judge(world: World) -> Verdict:
    """Count what was accepted, doubled (a text or an hour), not recorded or invented; check the file."""
    made = [t for t in world.x.accepted if t.via == "api"]
    rows = world.rows()
    recorded = {row["tweet_id"] for row in rows if row["status"] == "posted" and row["tweet_id"]}
    return Verdict(
        accepted=len(made),
        doubled=_doubled(made, recorded, lambda t: t.text)
        + _doubled(made, recorded, lambda t: int(t.asked // 3600)),
        unrecorded=sum(t.id not in recorded for t in made if not t.deleted),
        invented=len(recorded - {t.id for t in world.x.accepted})
        + sum(row["status"] == "posted" and not row["tweet_id"] and row["origin"] != "seed" for row in rows),
        sound=not rows or world.rows("PRAGMA integrity_check")[0][0] == "ok",
        stuck=sum(row["status"] == "sending" for row in rows),
    )


def _doubled(made: Iterable[Stored], recorded: set[int], key: Callable[[Stored], object]) -> int:
    """Count the tweets made while an equal one was on X, or on record.

    One that a person deletes before any read has shown it leaves no trace: nobody can know that it was made.
    """
    earlier: dict[object, list[Stored]] = {}
    count = 0
    for tweet in made:
        equal = earlier.setdefault(key(tweet), [])
        count += any(before.deleted_at > tweet.at or before.id in recorded for before in equal)
        equal.append(tweet)
    return count


class Plan(dict[str, str]):
    """A failpoint plan that acts at the n-th time a place is reached, and remembers what was reached."""

    def __init__(self, name: str = "", act: Callable[[], object] = lambda: None, nth: int = 1) -> None:
        super().__init__()
        self.name, self.act, self.left = name, act, nth
        self.reached: list[str] = []
        self.tell: Callable[[str], object] = self.reached.append

    def clear(self) -> None:
        """`arm` must not forget us."""

    def get(self, name: str, default: Any = "") -> Any:
        self.tell(name)
        if name == self.name:
            self.left -= 1
            if self.left == 0:
                self.act()
        return default


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killer(name: str, nth: int = 1) -> Callable[[], None]:
    """For a fork: die at the n-th time a failpoint is reached."""

    def set_up() -> None:
        failpoints._plan = Plan(name, die, nth)

    return set_up


def without_lock() -> None:
    """For a fork: the lock lets everybody in."""

    @contextlib.contextmanager
    def open_door(path: Path) -> Iterator[bool]:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield True

    lock.writer_lock = open_door


class Halt:
    """A run in a fork, without the lock, that stands still at a failpoint until it is told to go on."""

    def __init__(self, world: World, name: str) -> None:
        self._stands, self._go_on = os.pipe(), os.pipe()

        def stand_still() -> None:
            os.write(self._stands[1], b".")
            os.read(self._go_on[0], 1)

        def set_up() -> None:
            without_lock()
            connection.PRAGMAS["busy_timeout"] = 50  # the other one may stand inside a transaction
            failpoints._plan = Plan(name, stand_still)

        self._pid = world.spawn(first=set_up)
        os.close(self._stands[1])  # so that the end of the run ends the waiting, too
        self.there = bool(os.read(self._stands[0], 1))

    def go_on(self) -> int:
        """Let it go on to its end; its exit code."""
        os.write(self._go_on[1], b".")
        for end in (self._stands[0], *self._go_on):
            os.close(end)
        return World.join(self._pid)


def overtake(
    stage: Stage, tally: Tally, *, first: str, second: str = "", posts: tuple[str, str] = ("ok", "ok")
) -> tuple[int, int]:
    """Let a run stand still at a step while another goes to a step or its end; end the first, then both.

    The lock is disabled: the database alone has to prevent a second tweet. Returns the two exit codes.
    """
    world = stage.reset(warm=True)
    world.x.on_post(*(POSTS[post]() for post in posts))
    slow, quick = Halt(world, first), Halt(world, second)
    tally.other["met"] += slow.there and (quick.there or not second)
    codes = (slow.go_on(), quick.go_on())
    verdict = heal(stage)
    tally.add(verdict)
    assert verdict.good, (first, second, posts, codes, verdict, world.statuses())
    return codes


class Stage:
    """One fake X and one clock for many scenarios; `reset` makes the account new, cold or with a past."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.warm()
        self.warm_folder = world.folder / "warm"
        shutil.copytree(world.folder / "data", self.warm_folder)
        self.past = list(world.x.accepted)
        self.warm_time = world.x.now()
        self.by_hand = [t for t in self.past if t.via == "hand"]

    def reset(self, *, warm: bool) -> World:
        x, world = self.world.x, self.world
        world.skew = 0.0
        world.traveller.move_to(self.warm_time)
        shutil.rmtree(world.folder / "data", ignore_errors=True)
        if warm:
            shutil.copytree(self.warm_folder, world.folder / "data")
        x.accepted = [replace(t) for t in (self.past if warm else self.by_hand)]
        x._last_id = max(t.id for t in x.accepted)
        x.requests.clear()
        x._nonces.clear()
        for queue in x._faults.values():
            queue.clear()
        self.read("normal")
        x.always_post = None
        return world

    def read(self, mode: str) -> None:
        self.world.x.always_get, self.world.x.read_lag = None, 0.0
        for name, value in READS[mode].items():
            setattr(self.world.x, name, value)


@contextlib.contextmanager
def memory_folder() -> Iterator[Path]:
    """Make a folder on a disk in memory, if there is one: the kernel keeps it whatever kills a process."""
    memory = Path("/dev/shm")  # only 64 MB in a container, unless it is told otherwise
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > LEAST_MEMORY
    folder = Path(tempfile.mkdtemp(prefix="twitter_manager-", dir=memory if roomy else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def new_stage(folder: Path, **extra: str) -> Iterator[Stage]:
    """Make a stage; its folder is best on a disk in memory."""
    with new_world(folder, LOG_LEVEL="ERROR", **extra) as world:
        yield Stage(world)


def quiet_tick(world: World) -> int:
    """Run a tick in this process; return its exit code."""
    try:
        return int(world.tick().exit_code)
    except ProgramError as trouble:
        return int(trouble.exit_code)


def heal(stage: Stage, tick: Callable[[World], int] = quiet_tick) -> Verdict:
    """Let time pass, in the slot and after it, then a day with a healthy timeline; return the verdict."""
    world = stage.world
    for minutes in (1, 17, 42, 60):
        world.move(minutes=minutes)
        tick(world)
    stage.read("normal")
    for minutes in (60, 25 * 60, 60):
        world.move(minutes=minutes)
        tick(world)
    return judge(world)


def set_the_scene(stage: Stage, *, post: str, read: str = "normal", warm: bool = True, run: int = 1) -> World:
    """Reset the account, set X's behaviour, and make `run` - 1 runs."""
    world = stage.reset(warm=warm)
    world.x.on_post({**POSTS, **SLOW}[post]())
    stage.read(read)
    for _ in range(run - 1):
        world.forked()
        world.move(minutes=2)
    if post in SLOW:
        world.extra["READ_TIMEOUT_SECONDS"] = "0.3"
    return world


def ends_well(stage: Stage, tally: Tally, *what: object) -> Verdict:
    """Heal, and return the verdict, which must be good."""
    stage.world.extra.pop("READ_TIMEOUT_SECONDS", None)
    verdict = heal(stage)
    tally.add(verdict)
    assert verdict.good, (*what, verdict, stage.world.statuses())
    return verdict


def play(stage: Stage, tally: Tally, *, name: str, nth: int = 1, **scene: Any) -> Verdict:
    """Let a run die at a failpoint (or at none) while X behaves in a way; heal; return the verdict."""
    world = set_the_scene(stage, **scene)
    tally.kills += world.forked(first=killer(name, nth)) == -signal.SIGKILL
    return ends_well(stage, tally, name, nth, scene)


def passed(stage: Stage, tally: Tally, **scene: Any) -> Counter[str]:
    """Run without a death; return how often each failpoint is passed."""
    world = set_the_scene(stage, **scene)
    read, write = os.pipe()

    def tell() -> None:
        failpoints._plan = plan = Plan()
        plan.tell = lambda name: os.write(write, f"{name}\n".encode())

    world.forked(first=tell)
    os.close(write)
    with os.fdopen(read) as pipe:
        names = Counter(pipe.read().split())
    ends_well(stage, tally, scene)
    return names
