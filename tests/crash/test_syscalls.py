"""The program killed or failed at its system calls by strace, and disks rebuilt from its log.

`traced` starts the real process as cron does, which is mostly Python's own start. `attached` runs the same `main` in a
fork that has everything imported, in a tenth of the time: with it every single call is walked.
"""

import pytest

from tests.support.disks import lose_power
from tests.support.kills import report
from tests.support.scenarios import Tally
from tests.support.syscalls import FAILING, attached, calls, fail_at, kill_at, new_traced_stage, traced

pytestmark = pytest.mark.needs("strace")


@pytest.fixture
def stage(monkeypatch):
    """A stage whose clock is right, so that a real process fits in."""
    with new_traced_stage(monkeypatch) as made:
        yield made


NAMES = {traced: "real process", attached: "fork"}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("run", "post", "warm"),
    [
        (traced, "lost answer", True),
        (attached, "lost answer", True),
        (attached, "lost answer", False),
        (attached, "ok", True),
        (attached, "503, made", True),
    ],
)
def test_killed_at_every_system_call(stage, capsys, run, post, warm):
    """kill -9 at every call that touches our files or the network, and at every fortieth other one."""
    tally = Tally()
    kill_at(stage, tally, calls(stage, post, warm=warm, run=run, others=40), post, warm=warm, run=run)
    report(
        tally,
        f"kills at system calls, {NAMES[run]}, {post}, {'with a past' if warm else 'first run'}",
        capsys,
    )


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("run", "error", "warm"),
    [
        (traced, "ENOSPC", True),
        (attached, "ENOSPC", True),
        (attached, "ENOSPC", False),
        (attached, "EIO", True),
        (attached, "EIO", False),
    ],
)
def test_every_system_call_fails(stage, capsys, run, error, warm):
    """Every open, write, sync, unlink and read of ours fails once, with ENOSPC and with EIO."""
    tally = Tally()
    points = [c for c in calls(stage, "ok", warm=warm, run=run) if c[0] in FAILING]
    fail_at(stage, tally, points, error, warm=warm, run=run)
    report(
        tally,
        f"{error} at system calls, {NAMES[run]}, {'with a past' if warm else 'first run'}",
        capsys,
    )


# ---- power loss ------------------------------------------------------------------------------------------------


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("warm", [True, False], ids=["with a past", "first run"])
def test_power_loss_after_every_write(stage, capsys, warm):
    """Twenty disks after every single change."""
    tally = Tally()
    lose_power(stage, tally, 20, 1 if warm else 4, warm=warm)
    report(tally, f"power loss, {'with a past' if warm else 'first run'}", capsys)
