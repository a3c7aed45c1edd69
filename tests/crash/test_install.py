"""The printed cron line in a real cron."""

import time
from datetime import UTC, datetime

import pytest

from tests.support.cron import own_crontab, private_cron
from tests.support.install import awkward_machine, jobs, printed


@pytest.fixture
def machine(tmp_path):
    """A machine whose folders are hard to quote."""
    with awkward_machine(tmp_path) as made:
        yield made


@pytest.mark.needs("cron")
def test_in_a_real_cron(machine, tmp_path, as_root):
    """Debian's cron, given the printed lines with each minute for a schedule, posts once for the profile."""
    before = own_crontab()
    table = printed(machine, "--cron", "--profile", "a")
    post = jobs(table)[0]
    table = table.replace(post, "* * * * * " + post.split(maxsplit=5)[5]).replace(jobs(table)[1], "")
    with private_cron(as_root, tmp_path, table, datetime(2026, 11, 22, 14, 6, 50, tzinfo=UTC), 40):
        until = time.monotonic() + 60
        while not machine.tweets_of("a") and time.monotonic() < until:
            time.sleep(0.2)
        time.sleep(3)
    assert len(machine.tweets_of("a")) == 1
    assert own_crontab() == before
