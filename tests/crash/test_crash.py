"""Killed, overlapped, out of disk, out of time: whatever happens, nothing doubled, nothing lost. The quick share is here.

Long forms are marked `crash` (`make crash-test`); each prints one line with what it did.
"""

import os
import resource
import shutil
import tempfile
from pathlib import Path

import pytest

from src.system import failpoints
from tests import fake_x
from tests.support.scenarios import (
    MIGRATION_NAMES,
    POSTS,
    READS,
    SAID_NO_BUT_MADE,
    SLOW,
    TICK_NAMES,
    Plan,
    Tally,
    heal,
    new_stage,
    overtake,
    passed,
    play,
    without_lock,
)

QUICK_POSTS = tuple(POSTS)[:6]


@pytest.fixture(scope="module")
def fast_folder():
    """A folder on a disk in memory, if there is one: the kernel keeps it whatever kills a process."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="twitter_manager-", dir=base))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def stage(fast_folder, tmp_path):
    """One fake X for many scenarios."""
    folder = fast_folder / tmp_path.name
    folder.mkdir()
    with new_stage(folder) as made:
        yield made
    shutil.rmtree(folder, ignore_errors=True)


def report(tally, name, capsys):
    """Print the one line of a suite past pytest's capture, and hold it to the promise."""
    with capsys.disabled():
        print("\n" + tally.line(name), flush=True)
    assert tally.doubled == tally.unrecorded == 0


# ---- kill -9 at every named step -------------------------------------------------------------------------------


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


@pytest.mark.crash
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("warm", [True, False], ids=["with a past", "first run"])
@pytest.mark.parametrize("read", READS)
def test_all_kills(stage, read, warm, capsys):
    """Every step, each of the first three times it is passed, times every behaviour of X and every look of its timeline."""
    tally = Tally()
    for post in POSTS:
        if post in SAID_NO_BUT_MADE and read == "late":
            continue  # X says no, makes it, and hides it for twenty minutes: nobody can know
        for run in (1, 2):
            scene = {"post": post, "read": read, "warm": warm, "run": run}
            for name, times in passed(stage, tally, **scene).items():
                for nth in range(1, 1 + min(times, 3 if name != "migrate.statement" else 1)):
                    play(stage, tally, name=name, nth=nth, **scene)
    report(tally, f"kills, timeline {read}, {'with a past' if warm else 'first run'}", capsys)


@pytest.mark.crash
@pytest.mark.timeout(3600)
def test_all_kills_while_x_is_slow(stage, capsys):
    """The same while X hangs or dribbles, with and without having made the post."""
    tally = Tally()
    for post in SLOW:
        for name in TICK_NAMES:
            play(stage, tally, name=name, post=post)
    report(tally, "kills while X is slow", capsys)


# ---- many at once ----------------------------------------------------------------------------------------------


SLEEPS = "tick.recovered:sleep={0},claim.committed:sleep={0},intent.committed:sleep={0},send.after:sleep={0}"


def overlap(stage, tally, *, count, lock, post="ok", pause=0.02):
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


@pytest.mark.crash
@pytest.mark.timeout(3600)
def test_overtaken_at_every_pair_of_steps(stage, capsys):
    """Two runs without the lock, each standing at every step in turn, while X behaves in several ways to both."""
    tally = Tally()
    for posts in (
        ("ok", "ok"),
        ("lost answer", "ok"),
        ("503, made", "lost answer"),
        ("duplicate, not made", "ok"),
        ("reset, not made", "503, made"),
    ):
        for first in TICK_NAMES:
            for second in ("", *TICK_NAMES):
                assert 70 not in overtake(stage, tally, first=first, second=second, posts=posts), (
                    posts,
                    first,
                    second,
                )
    report(tally, "two runs without the lock, step by step", capsys)


@pytest.mark.crash
@pytest.mark.timeout(1800)
def test_fifty_runs_at_once(stage, capsys):
    """Fifty runs at once, with the lock and without, with different gaps between their steps, while X behaves and does not."""
    tally = Tally()
    for lock in (True, False):
        for post in POSTS:
            for pause in (0, 0.01, 0.05):
                overlap(stage, tally, count=50, lock=lock, post=post, pause=pause)
    report(tally, "fifty runs at once, lock on and off", capsys)


# ---- no room left ----------------------------------------------------------------------------------------------


def small_files(kilobytes):
    def set_up():
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))

    return set_up


def full_disk(stage, tally, step):
    for warm in (True, False):
        for kilobytes in range(0, 161, step):
            world = stage.reset(warm=warm)
            world.x.on_post(POSTS[("ok", "lost answer", "503, made")[kilobytes % 3]]())
            assert world.forked(first=small_files(kilobytes)) in {0, 74, 76}
            verdict = heal(stage)
            tally.add(verdict)
            assert verdict.good, (kilobytes, warm, verdict, world.statuses())


def test_disk_full_by_size(stage):
    """No file may grow beyond a size, in steps of 16 kB: exit 74 or a post, never both lost and made."""
    full_disk(stage, Tally(), 16)


@pytest.mark.crash
def test_disk_full_by_every_kilobyte(stage, capsys):
    """The same in steps of 1 kB."""
    tally = Tally()
    full_disk(stage, tally, 1)
    report(tally, "files limited to 0-160 kB", capsys)
