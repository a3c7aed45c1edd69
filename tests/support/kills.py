"""Many runs at once, files that may not grow, and the line that a long suite prints."""

from __future__ import annotations

import resource
from collections.abc import Callable

import pytest

from tests.support.scenarios import (
    POSTS,
    Stage,
    Tally,
    heal,
    without_lock,
)


def report(tally: Tally, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Print the one line of a suite past pytest's capture, and hold it to the promise."""
    with capsys.disabled():
        print("\n" + tally.line(name), flush=True)
    assert tally.doubled == tally.unrecorded == 0


SLEEPS = "tick.recovered:sleep={0},claim.committed:sleep={0},intent.committed:sleep={0},send.after:sleep={0}"


def overlap(
    stage: Stage, tally: Tally, *, count: int, lock: bool, post: str = "ok", pause: float = 0.02
) -> list[int]:
    """`count` runs at once, then the healing."""
    world = stage.reset(warm=True)
    world.x.on_post(POSTS[post]())
    pids = [world.spawn(SLEEPS.format(pause), first=None if lock else without_lock) for _ in range(count)]
    codes = [world.join(pid) for pid in pids]
    verdict = heal(stage)
    tally.add(verdict)
    tally.other["runs"] += count
    assert verdict.good, (verdict, codes, world.statuses())
    return codes


def small_files(kilobytes: int) -> Callable[[], None]:
    def set_up() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))

    return set_up


def full_disk(stage: Stage, tally: Tally, step: int) -> None:
    for warm in (True, False):
        for kilobytes in range(0, 161, step):
            world = stage.reset(warm=warm)
            world.x.on_post(POSTS[("ok", "lost answer", "503, made")[kilobytes % 3]]())
            assert world.forked(first=small_files(kilobytes)) in {0, 74, 76}
            verdict = heal(stage)
            tally.add(verdict)
            assert verdict.good, (kilobytes, warm, verdict, world.statuses())
