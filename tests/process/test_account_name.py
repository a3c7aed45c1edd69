"""The account's @name stands wherever an owner looks, once X has told it."""

import json

import pytest

from tests import fake_x
from tests.support.world import World

NAME = "@fake"


@pytest.fixture
def still(tmp_path):
    """A world in real time with slots of a day, whose texts need no model."""
    with fake_x.FakeX() as x:
        yield World(tmp_path, x, None, extra={"POST_INTERVAL_MINUTES": "1440", "CANDIDATES": "0"})


@pytest.fixture
def named(still: World) -> World:
    """A world in which the name was asked for once."""
    done = still.cli("check", "--online", "--json")
    row = next(row for row in json.loads(done.stdout)["parts"] if row["part"] == "account")
    assert NAME in row["says"]
    return still


def test_nobody_knows_it_before_it_is_asked(still):
    """`status` says who can tell it, and its JSON has none."""
    still.cli()
    assert NAME not in still.cli("status").stdout
    assert json.loads(still.cli("status", "--json").stdout)["account"] is None


def test_status(named):
    """In the text with the @, in the JSON without."""
    named.cli()
    assert NAME in named.cli("status").stdout
    assert json.loads(named.cli("status", "--json").stdout)["account"] == NAME.removeprefix("@")


def test_alerts(named, hook):
    """Each alert says which account it is about."""
    named.cli("alerts", "test", env={"ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook"})
    assert f"account: {NAME}" in json.loads(hook.seen[-1][1])["message"].splitlines()


def test_the_page(named, tmp_path):
    """The report names it at its head."""
    page = tmp_path / "report.html"
    assert named.cli("report", "--html", str(page)).returncode == 0
    assert NAME in page.read_text(encoding="utf-8")
