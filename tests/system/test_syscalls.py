"""The program killed or failed at some of its system calls by strace, and some disks rebuilt from its log."""

import pytest

from tests.support.disks import lose_power
from tests.support.scenarios import Tally
from tests.support.syscalls import FAILING, attached, calls, fail_at, kill_at, new_traced_stage, traced

pytestmark = pytest.mark.needs("strace")


@pytest.fixture
def stage(monkeypatch):
    """A stage whose clock is right, so that a real process fits in."""
    with new_traced_stage(monkeypatch) as made:
        yield made


def test_killed_at_some_system_calls(stage):
    """kill -9 at a sample of the calls that touch our files or the network: nothing doubled, nothing lost."""
    for run, points in (
        (traced, calls(stage, "lost answer", warm=True)[5::150]),
        (attached, calls(stage, "lost answer", warm=True, run=attached)[3::30]),
    ):
        assert len(points) >= 5
        kill_at(stage, Tally(), points, "lost answer", warm=True, run=run)


def test_some_system_calls_fail(stage):
    """A sample of writes, syncs and opens fails with ENOSPC: an exit code of ours, nothing doubled, nothing lost."""
    for run, every in ((traced, 150), (attached, 20)):
        tally = Tally()
        points = [c for c in calls(stage, "ok", warm=True, run=run) if c[0] in FAILING]
        some = points[3::every] + [c for c in points if c[0] == "flock"]
        fail_at(stage, tally, some, "ENOSPC", warm=True, run=run)
        assert tally.other["exit 0"] < len(some), "nothing failed"


def test_power_loss(stage):
    """Disks rebuilt after a sample of a run's writes, with what was not synced lost, kept, torn or out of order."""
    tally = Tally()
    lose_power(stage, tally, 4, 19, warm=True)
    assert tally.scenarios >= 40
    assert tally.other["set aside"] == 0
