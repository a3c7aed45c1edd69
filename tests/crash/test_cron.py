"""cron over changes of the clock."""

import shlex
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from src.config import ROOT
from tests import fake_x
from tests.support.cron import FAKETIME, example_lines, own_crontab, private_cron, settings_file
from tests.support.world import World


@pytest.mark.needs("cron")
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
