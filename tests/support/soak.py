"""Hours in which something goes wrong, and databases hurt at random."""

from __future__ import annotations

import random
import resource
from collections import Counter
from pathlib import Path

from tests import fake_x
from tests.support.scenarios import (
    POSTS,
    READS,
    TICK_NAMES,
    Stage,
    Tally,
    judge,
    killer,
    quiet_tick,
)


def no_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def live(stage: Stage, rng: random.Random, tally: Tally) -> tuple[str, bool]:
    """One hour in which something goes wrong: what, and whether X would have taken a post."""
    world, x = stage.world, stage.world.x
    kind = rng.choices(["x", "read", "kill", "network", "disk"], [50, 10, 20, 15, 5])[0]
    if kind == "x":
        name = rng.choice([n for n in POSTS if n != "ok"])
        fault = POSTS[name]()
        x.on_post(fault)
        quiet_tick(world)
        return name, fault.kind == "ok" or fault.accept
    if kind == "read":
        mode = rng.choice([m for m in READS if m != "normal"])
        stage.read(mode)
        x.on_post(fake_x.close(accept=True))
        quiet_tick(world)
        return f"lost answer, timeline {mode}", True
    if kind == "kill":
        name = rng.choice(TICK_NAMES)
        tally.kills += world.forked(first=killer(name)) == -9
        return f"killed at {name}", True
    if kind == "network":
        world.extra["X_API_BASE_URL"] = "http://127.0.0.1:9"
        quiet_tick(world)
        del world.extra["X_API_BASE_URL"]
        return "network down", False
    world.forked(first=no_disk)
    return "disk full", True


def soak(stage: Stage, hours: int, seed: int, share: float = 0.05) -> tuple[Tally, int, int, Counter[str]]:
    """(tally, slots in which X accepted writes, of these posted, causes of the misses)."""
    rng, tally = random.Random(seed), Tally()
    causes: Counter[str] = Counter()
    world = stage.reset(warm=True)
    willing = posted = 0
    for _ in range(hours):
        before, cause, accepting = len(world.x.texts()), "", True
        if rng.random() < share:
            cause, accepting = live(stage, rng, tally)
            tally.scenarios += 1
        else:
            code = quiet_tick(world)
            cause = "" if code == 0 else f"exit {code}"
        done = len(world.x.texts()) - before
        if accepting:
            willing += 1
            posted += done >= 1
        if not done:
            last = world.rows("SELECT outcome FROM runs WHERE finished IS NOT NULL ORDER BY id DESC LIMIT 1")
            causes[cause or last[0]["outcome"]] += 1
        for queue in world.x._faults.values():
            queue.clear()
        stage.read("normal")
        world.next_slot()
    for minutes in (17, 60, 25 * 60, 60):
        quiet_tick(world)
        world.move(minutes=minutes)
    verdict = judge(world)
    tally.accepted, tally.doubled, tally.unrecorded = verdict.accepted, verdict.doubled, verdict.unrecorded
    assert verdict.good, verdict
    return tally, willing, posted, causes


def hurt(path: Path, rng: random.Random) -> None:
    """Change the file at random: bytes, a page zeroed, two pages swapped, cut off, or grown."""
    data = bytearray(path.read_bytes())
    pages = len(data) // 4096
    match rng.randrange(6):
        case 0 | 1:
            for _ in range(rng.choice([1, 4, 64])):
                data[rng.randrange(len(data))] = rng.randrange(256)
        case 2:
            page = rng.randrange(pages)
            data[page * 4096 : (page + 1) * 4096] = bytes(4096)
        case 3:
            a, b = rng.randrange(pages), rng.randrange(pages)
            data[a * 4096 : (a + 1) * 4096], data[b * 4096 : (b + 1) * 4096] = (
                data[b * 4096 : (b + 1) * 4096],
                data[a * 4096 : (a + 1) * 4096],
            )
        case 4:
            del data[rng.randrange(len(data)) :]
        case _:
            data += rng.randbytes(rng.randrange(1, 9000))
    path.write_bytes(data)


def hurt_and_go_on(stage: Stage, count: int, seed: int) -> Tally:
    """After each post the database is hurt; the next run of the slot must not post again."""
    tally, rng = Tally(), random.Random(seed)
    for number in range(count):
        world = stage.reset(warm=True)
        quiet_tick(world)
        assert judge(world).accepted == 2
        hurt(world.database, rng)
        for minutes in (1, 21, 20):
            world.move(minutes=minutes)
            assert world.forked() in {0, 74, 75}, number
        tally.scenarios += 1
        made = [t for t in world.x.accepted if t.via == "api"]
        tally.accepted += len(made)
        assert len(made) == 2, f"hurt {number} made the slot post twice"
        tally.other["set aside"] += bool(list(world.database.parent.glob("*.damaged-*")))
    return tally
