"""`post` killed at each step: the text is on X at most once, and goes out later if it had not left."""

import contextlib
import os
from types import SimpleNamespace

import pytest

from src.commands import post
from src.commands.command import Context
from src.system import failpoints
from tests.support.world import MovingClock

TEXT = "We are live now."
STEPS = ("claim.before_commit", "claim.committed", "intent.committed", "send.after", "settle.committed")


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step(world, step, extra):
    """Three runs later it is out once; the next slots have their posts."""
    world.warm()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            failpoints.arm(f"{step}:kill")
            options = SimpleNamespace(text=TEXT, extra=extra)
            post.COMMAND.run(Context(options, world.settings, MovingClock(world.traveller), "p1"))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
    for _ in range(4):
        world.next_slot()
        world.tick()
    expected = 0 if step == "intent.committed" else 1  # the intent forbids to send it again
    assert world.x.texts().count(TEXT) == expected
    world.check_promise(slots=2 if extra else 1)
