"""Killed, overlapped, out of disk, out of time: whatever happens, nothing doubled, nothing lost. The quick share is here.

Long forms are marked `crash` (`make crash-test`); each prints one line with what it did.
"""

import pytest

from tests.support.kills import full_disk, overlap, report
from tests.support.scenarios import (
    POSTS,
    READS,
    SLOW,
    TICK_NAMES,
    Tally,
    overtake,
    passed,
    play,
)

# ---- kill -9 at every named step -------------------------------------------------------------------------------


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("warm", [True, False], ids=["with a past", "first run"])
@pytest.mark.parametrize("read", READS)
def test_all_kills(stage, read, warm, capsys):
    """Every step, each of the first three times it is passed, times every behaviour of X and every look of its timeline."""
    tally = Tally()
    for post in POSTS:
        for run in (1, 2):
            scene = {"post": post, "read": read, "warm": warm, "run": run}
            for name, times in passed(stage, tally, **scene).items():
                for nth in range(1, 1 + min(times, 3 if name != "migrate.statement" else 1)):
                    play(stage, tally, name=name, nth=nth, **scene)
    report(tally, f"kills, timeline {read}, {'with a past' if warm else 'first run'}", capsys)


@pytest.mark.timeout(3600)
def test_all_kills_while_x_is_slow(stage, capsys):
    """The same while X hangs or dribbles, with and without having made the post."""
    tally = Tally()
    for post in SLOW:
        for name in TICK_NAMES:
            play(stage, tally, name=name, post=post)
    report(tally, "kills while X is slow", capsys)


# ---- many at once ----------------------------------------------------------------------------------------------


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


def test_disk_full_by_every_kilobyte(stage, capsys):
    """The same in steps of 1 kB."""
    tally = Tally()
    full_disk(stage, tally, 1)
    report(tally, "files limited to 0-160 kB", capsys)
