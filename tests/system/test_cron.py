"""Debian's own cron daemon runs the line of crontab.example: in a mount namespace of its own, so nobody's crontab is touched."""

import contextlib
import fcntl
import getpass
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from src.config import ROOT
from tests import fake_x
from tests.conftest import need
from tests.support.world import World

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
EXAMPLE = (ROOT / "crontab.example").read_text(encoding="utf-8")


@pytest.fixture
def as_root():
    """The words that make a command run as root, where that is allowed without asking."""
    need("cron", "cron")
    need("unshare", "util-linux")
    need("faketime", "faketime")
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if (prefix and not shutil.which("sudo")) or subprocess.run(
        [*prefix, "unshare", "-m", "true"], capture_output=True, check=False
    ).returncode:
        message = "a private cron needs root (or sudo without a password) and mount namespaces"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return prefix


def own_crontab():
    """The user's real crontab, and when the folder of all of them changed."""
    listed = subprocess.run(["crontab", "-l"], capture_output=True, check=False).stdout
    return (
        listed,
        Path("/var/spool/cron/crontabs").stat().st_mtime_ns,
        Path("/etc/crontab").read_bytes() if Path("/etc/crontab").exists() else b"",
    )


def example_lines(command):
    """crontab.example as the README says to install it, with the command's paths replaced."""
    lines = EXAMPLE.splitlines()
    job, *others = [line for line in lines if "src.twitter_manager" in line and not line.startswith("#")]
    schedule = " ".join(job.split()[:5])
    rest = [line for line in lines if line not in {job, *others}]
    return schedule, [*rest, command]


@contextlib.contextmanager
def private_cron(as_root, folder, table, start, speed, zone="UTC"):
    """A real cron daemon with one crontab, whose clock starts at `start` and runs `speed` times as fast."""
    spool, empty = folder / "crontabs", folder / "empty"
    spool.mkdir()
    empty.mkdir()
    file = folder / "table"
    file.write_text(table, encoding="utf-8")
    (folder / "nothing").touch()
    local = start.astimezone(__import__("zoneinfo").ZoneInfo(zone))
    script = f"""
        mount --bind {spool} /var/spool/cron/crontabs && chown root:crontab /var/spool/cron/crontabs && chmod 1730 /var/spool/cron/crontabs
        mount --bind {empty} /etc/cron.d && mount -t tmpfs tmpfs /run
        if [ -e /etc/crontab ]; then mount --bind {folder / "nothing"} /etc/crontab; fi
        crontab -u {getpass.getuser()} {file} || exit 9
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TZ={zone} LD_PRELOAD={FAKETIME} FAKETIME='@{local:%Y-%m-%d %H:%M:%S} x{speed}' /usr/sbin/cron -f
    """
    process = subprocess.Popen(
        [*as_root, "unshare", "-m", "sh", "-c", script],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "stderr").open("wb"),
    )
    try:
        yield process
        assert process.poll() is None, (folder / "stderr").read_text()
    finally:
        if as_root:
            subprocess.run([*as_root, "kill", "-KILL", f"-{process.pid}"], check=False)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def settings_file(world):
    """A `.env` of the world, closed to others, as a real one is."""
    file = world.folder / "real.env"
    file.touch(mode=0o600)
    file.write_text(
        "".join(f"{k}={v}\n" for k, v in {**world.env, "ENV_FILE": ""}.items() if v), encoding="utf-8"
    )
    return file


def finished_runs(world):
    """How many runs have ended; none before the database is made."""
    with contextlib.suppress(sqlite3.OperationalError):
        return len(world.rows("SELECT * FROM runs WHERE finished IS NOT NULL"))
    return 0


def wait_for_the_last_run(world):
    """Cron is gone; a run that it started may be under way. The lock tells."""
    with world.database.with_name("twitter.db.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def test_cron_posts_once(tmp_path, as_root):
    """cron starts the example's line each minute of ten; exactly one tweet reaches X, and nobody's crontab changes."""
    before = own_crontab()
    with fake_x.FakeX() as x:
        world = World(tmp_path, x, None, extra={"CANDIDATES": "0", "POST_INTERVAL_MINUTES": "1440"})
        command = f"cd {ROOT} && timeout -k 60 600 {shlex.quote(sys.executable)} -m src.twitter_manager 2>>{tmp_path / 'said'}"
        _, lines = example_lines(f"* * * * * {command}")
        table = f"ENV_FILE={settings_file(world)}\n" + "\n".join(lines) + "\n"
        with private_cron(as_root, tmp_path, table, datetime(2026, 11, 22, 14, 6, 50, tzinfo=UTC), 40):
            until = time.monotonic() + 120
            while finished_runs(world) < 4 and time.monotonic() < until:
                time.sleep(0.2)
        wait_for_the_last_run(world)
        assert (tmp_path / "said").read_text() == ""
        assert len(x.texts()) == 1
        assert [r["outcome"] for r in world.rows("SELECT outcome FROM runs ORDER BY id")][:2] == [
            "posted",
            "nothing-due:slot-used",
        ]
        world.check_promise()
    assert own_crontab() == before


WRAPPER = """
import os, sys, time
t0, start, speed, folder, python = float(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4], sys.argv[5]
now = start + (time.time() - t0) * speed
with open(folder + "/fired", "a") as file:
    file.write("%f\\n" % now)
env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ROOT, "ENV_FILE": folder + "/real.env", "TZ": "UTC", "LD_PRELOAD": PRELOAD,
       "FAKETIME": time.strftime("@%Y-%m-%d %H:%M:%S", time.gmtime(now))}
os.execve(python, [python, "-m", "src.twitter_manager"], env)
"""


@pytest.mark.crash
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", datetime(2026, 10, 24, 22, 50, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2027, 3, 27, 22, 50, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 13, 20, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2027, 4, 3, 13, 20, tzinfo=UTC)),
    ],
    ids=["Berlin autumn", "Berlin spring", "Lord Howe spring", "Lord Howe autumn"],
)
def test_cron_over_a_change_of_the_clock(tmp_path, as_root, capsys, zone, start):
    """Over a change of daylight saving time, every UTC hour in which cron fires gets one post, and only one."""
    before, speed = own_crontab(), 120
    with fake_x.FakeX() as x:
        world = World(
            tmp_path,
            x,
            None,
            extra={"CANDIDATES": "0", "CONNECT_TIMEOUT_SECONDS": "5", "READ_TIMEOUT_SECONDS": "20"},
        )
        settings_file(world)
        wrapper = tmp_path / "wrapper.py"
        wrapper.write_text(f"ROOT, PRELOAD = {str(ROOT)!r}, {str(FAKETIME)!r}\n" + WRAPPER)
        t0 = time.time()
        x.now = lambda: start.timestamp() + (time.time() - t0) * speed
        schedule, lines = example_lines("")
        job = f"{schedule} /usr/bin/env python3 {wrapper} {t0} {start.timestamp()} {speed} {tmp_path} {shlex.quote(sys.executable)} 2>>{tmp_path / 'said'}"
        job = job.replace("/usr/bin/env python3", shlex.quote(sys.executable))
        with private_cron(as_root, tmp_path, "\n".join([*lines, job]) + "\n", start, speed, zone):
            time.sleep(timedelta(hours=5).total_seconds() / speed)
        time.sleep(2)
        fired = [float(line) for line in (tmp_path / "fired").read_text().splitlines()]
        hours = {int(at // 3600) for at in fired}
        assert (tmp_path / "said").read_text() == ""
        assert len(fired) >= 4
        assert sorted(int(t.at // 3600) for t in x.accepted) == sorted(hours)
        world.check_promise()
        with capsys.disabled():
            print(
                f"\ncron, {zone}, {start:%F}: fired {len(fired)}, UTC hours {len(hours)}, accepted {len(x.texts())}, doubled 0, unrecorded 0",
                flush=True,
            )
    assert own_crontab() == before
