"""Killed, overlapped, out of disk: a share of tests/crash/test_kills.py, nothing doubled, nothing lost."""

import pytest

from src.system import failpoints
from tests import fake_x
from tests.support.kills import full_disk, overlap
from tests.support.scenarios import (
    MIGRATION_NAMES,
    POSTS,
    READS,
    TICK_NAMES,
    Plan,
    Tally,
    overtake,
    play,
)

QUICK_POSTS = tuple(POSTS)[:4]


def test_every_step_has_a_failpoint_that_a_run_passes(stage):
    """Every name in failpoints.NAMES that belongs to a run is passed by one: a new step without a test fails here."""
    seen = []
    plan, real = Plan(), failpoints._plan
    failpoints._plan = plan
    try:
        world = stage.reset(warm=False)
        world.tick()
        world.x.on_post(fake_x.close(accept=True))
        world.next_slot()
        stage.read("gone")
        world.tick()
        stage.read("normal")
        world.next_slot()
        world.tick()
        seen = plan.reached
    finally:
        failpoints._plan = real
    assert set(seen) == {*MIGRATION_NAMES, *TICK_NAMES}


@pytest.mark.parametrize("post", QUICK_POSTS)
def test_killed_at_every_step(stage, post):
    """kill -9 at each named step, while X behaves in one way and its timeline in two: nothing doubled, nothing lost."""
    tally = Tally()
    for name in TICK_NAMES:
        for read in ("normal", "stale"):
            play(stage, tally, name=name, post=post, read=read)
    assert tally.kills >= len(TICK_NAMES)


def test_killed_at_every_step_of_the_first_run(stage):
    """The same for the very first run, which makes the database and reads the account."""
    tally = Tally()
    for name in (*MIGRATION_NAMES, *TICK_NAMES):
        play(stage, tally, name=name, post="lost answer", warm=False)
    assert tally.kills >= len(TICK_NAMES) - 2


def test_killed_while_settling(stage):
    """A second run that dies while it finds out what became of the first one's post changes nothing."""
    tally = Tally()
    for name in ("tick.recovered", "reconcile.read", "reconcile.settled"):
        for read in READS:
            play(stage, tally, name=name, post="503, made", read=read, run=2)
    assert tally.kills >= 4


@pytest.mark.parametrize("lock", [True, False], ids=["lock", "no lock"])
def test_twenty_runs_at_once(stage, lock):
    """Twenty runs at once post once, with the lock, and with the lock disabled by the database alone."""
    for post in ("ok", "lost answer", "503, made"):
        codes = overlap(stage, Tally(), count=20, lock=lock, post=post)
        assert not lock or set(codes) <= {0, 76}
        assert 70 not in codes


@pytest.mark.parametrize("post", ["ok", "lost answer"])
def test_overtaken_at_every_step(stage, post):
    """A run stands still at a step while another one passes it, the lock disabled: the database alone prevents a second tweet."""
    tally = Tally()
    for name in TICK_NAMES:
        for pair in ((name, ""), ("claim.committed", name)):
            assert 70 not in overtake(stage, tally, first=pair[0], second=pair[1], posts=(post, "ok")), pair
    assert tally.other["met"] >= len(TICK_NAMES)


def test_disk_full_by_size(stage):
    """No file may grow beyond a size, in steps of 16 kB: exit 74 or a post, never both lost and made."""
    full_disk(stage, Tally(), 16)
