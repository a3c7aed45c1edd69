"""The program under strace: killed or failed at its system calls, and disks rebuilt from its log."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from src import config, content_generator, twitter_manager
from tests.support import world as world_module
from tests.support.scenarios import POSTS, Stage, Tally, heal, memory_folder, new_stage
from tests.support.world import World

CALL = re.compile(r"(?:\d+ +)?(\w+)\((.*)$")


FAILING = {
    "openat",
    "pwrite64",
    "fdatasync",
    "fsync",
    "write",
    "unlink",
    "pread64",
    "flock",
    "mkdir",
    "ftruncate",
    "connect",
    "sendto",
    "socket",
}


SMALL_LIBRARY = {
    "BUILTIN_LIBRARY": "false",
    "SOURCES": str(config.ROOT / "data" / "library" / "typescript.jsonl"),
}


Run = Callable[..., int]


def real_now() -> datetime:
    """Return the time outside of the test's world."""
    travelling = time_machine.escape_hatch.is_travelling()
    return datetime.fromtimestamp(time_machine.escape_hatch.time.time() if travelling else time.time(), UTC)


@contextlib.contextmanager
def new_traced_stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Make a stage whose clock is right, so that a real process fits in."""
    monkeypatch.setattr(world_module, "START", real_now() - timedelta(hours=3))
    quick = {"RECONCILE_DELAYS_SECONDS": "0.01,0.01,0.01", "RETRY_WAIT_SECONDS": "0.01"}
    with memory_folder() as folder, new_stage(folder, CANDIDATES="0", **SMALL_LIBRARY, **quick) as made:
        yield made


def environment(world: World) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(config.ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        **world.env,
    }


def traced(stage: Stage, *options: str) -> int:
    """Run the real process under strace; return its exit code, or minus the signal that killed it.

    Without --seccomp-bpf, with which strace injects nothing.
    """
    done = subprocess.run(
        ["strace", "-f", "-qq", *options, sys.executable, "-m", "src.twitter_manager"],
        cwd="/",
        env=environment(stage.world),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode


PR_SET_PTRACER = 0x59616D61


def attached(stage: Stage, *options: str) -> int:
    """Run `main` in a fork under strace; return its exit code, or minus the signal that killed it."""
    environ, libc = environment(stage.world), ctypes.CDLL(None)
    go_on = {signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, go_on)
    pid = os.fork()
    if pid == 0:
        code = 70
        with contextlib.suppress(BaseException):
            libc.prctl(PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)  # a sibling may trace us
            os.environ.clear()
            os.environ.update(environ)
            assert content_generator  # imported before, as all else
            signal.sigwait(go_on)
            code = twitter_manager.main([])
        os._exit(code)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, go_on)
    with subprocess.Popen(["strace", "-p", str(pid), *options], stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr
        said = strace.stderr.readline()
        os.kill(pid, signal.SIGUSR1 if "attached" in said else signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        strace.stderr.read()
    assert "attached" in said, said
    return code


def fresh(stage: Stage, post: str, *, warm: bool) -> World:
    world = stage.reset(warm=warm)
    world.traveller.move_to(real_now())
    world.x.on_post(POSTS[post]())
    return world


def calls(
    stage: Stage, post: str, *, warm: bool, run: Run = traced, others: int = 0
) -> list[tuple[str, int]]:
    """Return each (name, n-th call of it) that touches our files or the network, and some of the others.

    Of the others every `others`-th; of a real process only what follows its start, which ends with the lock.
    """
    world = fresh(stage, post, warm=warm)
    log = world.folder / "strace.log"
    assert run(stage, "-y", "-o", str(log), "-e", "trace=%file,%desc,%network") in {0, 76}
    counts: dict[str, int] = {}
    found, started, rest = [], run is attached, 0
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        match = CALL.match(line)
        if not match:
            continue
        name, words = match.groups()
        counts[name] = counts.get(name, 0) + 1
        started = started or "twitter.db.lock" in words
        if not started:
            continue
        if str(world.folder) in words or "TCP:" in words or "AF_INET" in words:
            found.append((name, counts[name]))
        else:
            rest += 1
            if others and rest % others == 0:
                found.append((name, counts[name]))
    return found


def kill_at(
    stage: Stage, tally: Tally, points: list[tuple[str, int]], post: str, *, warm: bool, run: Run = traced
) -> None:
    """Kill the program at each of these calls, heal, judge."""
    for name, number in points:
        world = fresh(stage, post, warm=warm)
        code = run(
            stage, "-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}"
        )
        tally.kills += code == -signal.SIGKILL
        verdict = heal(stage)
        tally.add(verdict)
        assert verdict.good, (name, number, post, warm, verdict, world.statuses())
    # The last few calls may not be reached: runs differ by some reads of a socket.
    assert tally.kills >= 0.9 * len(points), "the calls were not met"


def fail_at(
    stage: Stage, tally: Tally, points: list[tuple[str, int]], error: str, *, warm: bool, run: Run = traced
) -> None:
    """Let each of these calls fail, heal, judge. The program ends with a code of its own, never a bug."""
    for name, number in points:
        world = fresh(stage, "ok", warm=warm)
        code = run(
            stage,
            "-o",
            "/dev/null",
            "-e",
            f"trace={name}",
            "-e",
            f"inject={name}:error={error}:when={number}",
        )
        tally.other[f"exit {code}"] += 1
        assert code in {0, 74, 75, 76, 78}, (name, number, error, code)
        verdict = heal(stage)
        tally.add(verdict)
        assert verdict.good, (name, number, error, verdict, world.statuses())
