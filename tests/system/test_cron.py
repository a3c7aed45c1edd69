"""Debian's own cron daemon runs the line of crontab.example: in a mount namespace of its own, so nobody's crontab is touched."""

import shlex
import sys
import time
from datetime import UTC, datetime

import pytest

from src.config import ROOT
from tests import fake_x
from tests.support.cron import (
    example_lines,
    finished_runs,
    own_crontab,
    private_cron,
    settings_file,
    wait_for_the_last_run,
)
from tests.support.world import World


@pytest.mark.needs("cron")
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
