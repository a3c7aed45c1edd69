"""The program killed or failed at its system calls by strace, and disks rebuilt from its log.

`traced` starts the real process as cron does, which is mostly Python's own start. `attached` runs the same `main` in a
fork that has everything imported, in a tenth of the time: with it every single call is walked.
"""

import contextlib
import ctypes
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from src import config, content_generator, twitter_manager
from tests.conftest import need
from tests.support import scenarios
from tests.support import world as world_module
from tests.support.scenarios import POSTS, Tally, heal, new_stage, quiet_tick

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


def real_now():
    """The time outside of the test's world."""
    travelling = time_machine.escape_hatch.is_travelling()
    return datetime.fromtimestamp(time_machine.escape_hatch.time.time() if travelling else time.time(), UTC)


@pytest.fixture
def stage(monkeypatch):
    """A stage whose clock is right, so that a real process fits in."""
    need("strace", "strace")
    monkeypatch.setattr(world_module, "START", real_now() - timedelta(hours=3))
    folder = Path(
        tempfile.mkdtemp(
            prefix="twitter_manager-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        )
    )
    with new_stage(
        folder,
        CANDIDATES="0",
        **SMALL_LIBRARY,
        RECONCILE_DELAYS_SECONDS="0.01,0.01,0.01",
        RETRY_WAIT_SECONDS="0.01",
    ) as made:
        yield made
    shutil.rmtree(folder, ignore_errors=True)


def environment(world):
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(config.ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        **world.env,
    }


def traced(stage, *options):
    """The real process under strace: its exit code, or minus the signal that killed it.

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


def attached(stage, *options):
    """The program from `main` on, in a fork to which strace attaches: its exit code, or minus the signal that killed it."""
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
        said = strace.stderr.readline()
        os.kill(pid, signal.SIGUSR1 if "attached" in said else signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        strace.stderr.read()
    assert "attached" in said, said
    return code


def fresh(stage, post, *, warm):
    world = stage.reset(warm=warm)
    world.traveller.move_to(real_now())
    world.x.on_post(POSTS[post]())
    return world


def calls(stage, post, *, warm, run=traced, others=0):
    """Every (name, n-th call of that name) that touches our files or the network; of the others every `others`-th.

    Of a real process only what follows its start, which ends with the lock.
    """
    world = fresh(stage, post, warm=warm)
    log = world.folder / "strace.log"
    assert run(stage, "-y", "-o", str(log), "-e", "trace=%file,%desc,%network") in {0, 76}
    counts, found, started, rest = {}, [], run is attached, 0
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


def kill_at(stage, tally, points, post, *, warm, run=traced):
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


def fail_at(stage, tally, points, error, *, warm, run=traced):
    """Let each of these calls fail, heal, judge. The program ends with one of its own exit codes, never with a bug."""
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


def report(capsys, tally, name):
    with capsys.disabled():
        print("\n" + tally.line(name), flush=True)
    assert tally.doubled == tally.unrecorded == 0


NAMES = {traced: "real process", attached: "fork"}


@pytest.mark.crash
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
        capsys,
        tally,
        f"kills at system calls, {NAMES[run]}, {post}, {'with a past' if warm else 'first run'}",
    )


@pytest.mark.crash
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
    report(capsys, tally, f"{error} at system calls, {NAMES[run]}, {'with a past' if warm else 'first run'}")


# ---- power loss ------------------------------------------------------------------------------------------------


@dataclass
class File:
    """What a disk would have of a file: what was synced, and the writes since, which may or may not be there."""

    durable: bytes = b""
    writes: list[tuple[int, bytes]] = field(default_factory=list)

    def apply(self, chosen):
        data = bytearray(self.durable)
        for offset, piece in chosen:
            if offset > len(data):
                data += bytes(offset - len(data))
            data[offset : offset + len(piece)] = piece
        return bytes(data)

    def sync(self):
        self.durable, self.writes = self.apply(self.writes), []


@dataclass
class Disk:
    """A folder as a sequence of system calls leaves it. Names reach the disk by a sync of the folder, or by luck."""

    names: dict[str, File]
    durable_names: dict[str, File] = field(default_factory=dict)
    name_changes: list[tuple[str, File | None]] = field(default_factory=list)
    offsets: dict[str, int] = field(default_factory=dict)

    def change_name(self, name, file):
        if file is None:
            self.names.pop(name, None)
        else:
            self.names[name] = file
        self.name_changes.append((name, file))

    def sync_folder(self):
        self.durable_names, self.name_changes = dict(self.names), []

    def survive(self, rng, pattern):
        """One way the power loss may leave the folder: {name: bytes}."""
        names = dict(self.durable_names)
        kept = {0: 0, 1: len(self.name_changes)}.get(pattern, rng.randint(0, len(self.name_changes)))
        for name, file in self.name_changes[:kept]:
            if file is None:
                names.pop(name, None)
            else:
                names[name] = file
        return {name: file.apply(self._chosen(file, rng, pattern)) for name, file in names.items()}

    def _chosen(self, file, rng, pattern):
        if pattern == 0:
            return []
        if pattern == 1:
            return file.writes
        if pattern % 3 == 0:
            return file.writes[: rng.randint(0, len(file.writes))]
        if pattern % 3 == 1:
            return [w for w in file.writes if rng.random() < 0.5]
        pieces = [(o + i, d[i : i + 512]) for o, d in file.writes for i in range(0, len(d), 512)]
        return [p for p in pieces if rng.random() < 0.6]


TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def unhex(text):
    return bytes.fromhex(text.replace("\\x", ""))


def replay(log, folder, start):
    """(disk, whether the post had left, whether the answer was there) after each call that changed the folder."""
    disk = Disk({name: File(data) for name, data in start.items()})
    disk.sync_folder()
    sent = False
    for line in log.read_text(encoding="utf-8").splitlines():
        match = CALL.match(line)
        if not match or " = -1 " in line:
            continue
        name, words = match.groups()
        if (
            name in {"sendto", "write"}
            and "TCP:" in words
            and b"POST /2/tweets" in unhex(TEXT.search(words)[1])
        ):
            sent = True
            yield disk, sent
            continue
        strings = [unhex(t) for t in TEXT.findall(words)]
        on = re.match(r"\d+<([^>]*)>", words)
        path = (
            Path(re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), on[1]))
            if on
            else Path(os.fsdecode(strings[0]))
            if strings
            else None
        )
        if path is None or (path.parent != folder and path != folder):
            continue
        if name == "openat":
            if "O_CREAT" in words and path.name not in disk.names:
                disk.change_name(path.name, File())
            if "O_TRUNC" in words:
                disk.names[path.name].durable, disk.names[path.name].writes = b"", []
        elif name == "pwrite64":
            offset = int(re.search(r", (\d+)\) += ", words)[1])
            disk.names[path.name].writes.append((offset, strings[0]))
        elif name in {"fsync", "fdatasync"}:
            disk.sync_folder() if path == folder else disk.names[path.name].sync()
        elif name == "unlink":
            disk.change_name(path.name, None)
        else:
            continue
        yield disk, sent


def lose_power(stage, tally, patterns, every, *, warm):
    """Record one run's calls; after each of them cut the power in several ways; heal; judge."""
    for post in ("ok", "lost answer"):
        world = fresh(stage, post, warm=warm)
        data = world.database.parent
        data.mkdir(exist_ok=True, mode=0o700)
        start = {p.name: p.read_bytes() for p in data.iterdir() if p.is_file()}
        log = world.folder / "power.log"
        assert (
            traced(
                stage,
                "-y",
                "-xx",
                "-s",
                "10000000",
                "-o",
                str(log),
                "-e",
                "trace=openat,pwrite64,write,fsync,fdatasync,unlink,ftruncate,rename,sendto",
            )
            == 0
        )
        made = [t for t in world.x.accepted if t.via == "api"][1 if warm else 0 :]
        assert len(made) == 1
        for step, (disk, sent) in enumerate(replay(log, data, start)):
            if step % every:
                continue
            for pattern in range(patterns):
                image = disk.survive(random.Random(step * 1000 + pattern), pattern)
                fresh(stage, "ok", warm=warm)
                world.x._faults["POST"].clear()
                shutil.rmtree(data, ignore_errors=True)
                data.mkdir(mode=0o700)
                for name, content in image.items():
                    (data / name).write_bytes(content)
                if sent:
                    world.x.accepted.append(scenarios.replace(made[0]))
                    world.x._last_id = made[0].id
                verdict = heal(stage, quiet_tick)
                tally.add(verdict)
                tally.other["set aside"] += bool(list(data.glob("*.damaged-*")))
                assert not (verdict.doubled or verdict.unrecorded or verdict.stuck), (
                    post,
                    step,
                    pattern,
                    sent,
                    verdict,
                    world.statuses(),
                )
        last = {p.name: file.apply(file.writes) for p, file in ((Path(n), f) for n, f in disk.names.items())}
        with contextlib.suppress(KeyError):
            assert last["twitter.db"][:16] == b"SQLite format 3\0"


def test_power_loss(stage):
    """Disks rebuilt after a sample of a run's writes, with what was not synced lost, kept, torn or out of order."""
    tally = Tally()
    lose_power(stage, tally, 4, 19, warm=True)
    assert tally.scenarios >= 40
    assert tally.other["set aside"] == 0


@pytest.mark.crash
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("warm", [True, False], ids=["with a past", "first run"])
def test_power_loss_after_every_write(stage, capsys, warm):
    """Twenty disks after every single change."""
    tally = Tally()
    lose_power(stage, tally, 20, 1 if warm else 4, warm=warm)
    report(capsys, tally, f"power loss, {'with a past' if warm else 'first run'}")
