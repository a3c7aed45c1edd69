"""Debian's own cron daemon in a mount namespace of its own."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from src.config import ROOT
from tests.support.world import World

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


EXAMPLE = (ROOT / "crontab.example").read_text(encoding="utf-8")


def own_crontab() -> tuple[bytes, int, bytes]:
    """Return the user's real crontab, and when the folder of all of them changed."""
    listed = subprocess.run(["crontab", "-l"], capture_output=True, check=False).stdout
    return (
        listed,
        Path("/var/spool/cron/crontabs").stat().st_mtime_ns,
        Path("/etc/crontab").read_bytes() if Path("/etc/crontab").exists() else b"",
    )


def example_lines(command: str) -> tuple[str, list[str]]:
    """crontab.example as the README says to install it, with the command's paths replaced."""
    lines = EXAMPLE.splitlines()
    job, *others = [line for line in lines if "src.twitter_manager" in line and not line.startswith("#")]
    schedule = " ".join(job.split()[:5])
    rest = [line for line in lines if line not in {job, *others}]
    return schedule, [*rest, command]


@contextlib.contextmanager
def private_cron(
    as_root: list[str], folder: Path, table: str, start: datetime, speed: int, zone: str = "UTC"
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a real cron daemon with one crontab. Its clock starts at `start` and runs `speed` times as fast."""
    spool, empty = folder / "crontabs", folder / "empty"
    spool.mkdir()
    empty.mkdir()
    file = folder / "table"
    file.write_text(table, encoding="utf-8")
    (folder / "nothing").touch()
    local = start.astimezone(ZoneInfo(zone))
    script = f"""
        mount --bind {spool} /var/spool/cron/crontabs
        chown root:crontab /var/spool/cron/crontabs && chmod 1730 /var/spool/cron/crontabs
        mount --bind {empty} /etc/cron.d && mount -t tmpfs tmpfs /run
        if [ -e /etc/crontab ]; then mount --bind {folder / "nothing"} /etc/crontab; fi
        crontab -u {getpass.getuser()} {file} || exit 9
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TZ={zone} LD_PRELOAD={FAKETIME} \\
            FAKETIME='@{local:%Y-%m-%d %H:%M:%S} x{speed}' /usr/sbin/cron -f
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


def settings_file(world: World) -> Path:
    """Write a `.env` of the world, closed to others, as a real one is."""
    file = world.folder / "real.env"
    file.touch(mode=0o600)
    file.write_text(
        "".join(f"{k}={v}\n" for k, v in {**world.env, "ENV_FILE": ""}.items() if v), encoding="utf-8"
    )
    return file


def finished_runs(world: World) -> int:
    """How many runs have ended; none before the database is made."""
    with contextlib.suppress(sqlite3.OperationalError):
        return len(world.rows("SELECT * FROM runs WHERE finished IS NOT NULL"))
    return 0


def wait_for_the_last_run(world: World) -> None:
    """Cron is gone; a run that it started may be under way. The lock tells."""
    with world.database.with_name("twitter.db.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
