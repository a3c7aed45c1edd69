"""Alerts of the program as cron and people start it, and the commands alerts and undo."""

import json
from datetime import UTC, datetime

from src import config
from src.domain.runs import Exit, RunOutcome, TickResult
from src.watch import alerts
from src.watch.facts import Facts, Stock
from tests import fake_x
from tests.support.world import World

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
GOOD = TickResult(Exit.OK, RunOutcome.POSTED, "posted 1")


def test_a_library_that_runs_low(tmp_path, hook):
    """It is told once by its days at this owner's pace, and not called over by runs that had nothing to write."""
    library = tmp_path / "own.jsonl"
    record = {"topic": "Git", "reference": "git(1)"}
    library.write_text(
        "".join(
            json.dumps(
                {
                    "id": f"s-{n}",
                    "statement": f"git command number {n} does what its manual page says.",
                    **record,
                }
            )
            + "\n"
            for n in range(1, 11)
        ),
        encoding="utf-8",
    )
    with fake_x.FakeX() as x:
        world = World(
            tmp_path,
            x,
            None,
            extra={
                "CANDIDATES": "0",
                "BUILTIN_LIBRARY": "false",
                "SOURCES": str(library),
                "POST_INTERVAL_MINUTES": "1440",
                "ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook",
            },
        )
        assert world.cli().returncode == 0  # ten statements last ten days at one a day
        assert hook.seen == []
    settings = config.load(
        {"ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook", "DATA_DIR": str(tmp_path)}
    )
    alerts.watch(Facts(result=GOOD, library=Stock(4, 4.0)), settings, NOW)
    alerts.watch(Facts(result=GOOD), settings, NOW)
    assert [json.loads(body)["title"] for _, body in hook.seen] == ["twitter_manager: library"]
    alerts.watch(Facts(result=GOOD, library=Stock(800, None)), settings, NOW)
    assert json.loads(hook.seen[-1][1])["title"] == "twitter_manager: library is over"


def test_settings_that_cannot_be_used_are_told(tmp_path, hook):
    """A blocklist that cannot be read stops the run before anything is claimed: 78, an alert, and `status` says so too."""
    with fake_x.FakeX() as x:
        world = World(
            tmp_path,
            x,
            None,
            extra={
                "CANDIDATES": "0",
                "ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook",
                "BLOCKLIST_FILE": str(tmp_path / "none.txt"),
            },
        )
        done = world.cli()
        assert (done.returncode, x.texts(), world.ours()) == (78, [], [])
        assert "BLOCKLIST_FILE" in done.stderr
        assert "BLOCKLIST_FILE" in json.loads(hook.seen[-1][1])["message"]
        assert "settings: BLOCKLIST_FILE" in world.cli("status").stdout
        assert "BLOCKLIST_FILE" in world.cli("check").stdout
        (tmp_path / "none.txt").write_text("gizmo\n")
        assert world.cli().returncode == 0
        assert json.loads(hook.seen[-1][1])["title"] == "twitter_manager: settings is over"


def test_missing_keys_are_told_once(tmp_path, hook):
    """Without keys a run ends before it makes anything; the owner is told all the same, and not every hour."""
    with fake_x.FakeX() as x:
        world = World(
            tmp_path,
            x,
            None,
            extra={"TWITTER_API_KEY": "", "ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook"},
        )
        assert [world.cli().returncode for _ in range(2)] == [78, 78]
    assert [json.loads(body)["title"] for _, body in hook.seen] == ["twitter_manager: settings"]


def test_alerts_command(tmp_path, hook):
    """`alerts test` delivers, and says so when it cannot or when nothing is set."""
    with fake_x.FakeX() as x:
        world = World(tmp_path, x, None)
        assert world.cli("alerts", "test").returncode == 78
        world.extra |= {
            "ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook",
            "PING_URL": f"http://127.0.0.1:{hook.server_port}/ping",
        }
        done = world.cli("alerts", "test")
        assert done.returncode == 0
        assert {path for path, _ in hook.seen} == {"/hook", "/ping"}
        hook.status = 500
        assert world.cli("alerts", "test").returncode == 75


def test_undo(tmp_path):
    """`undo` deletes on X after asking, records it, and refuses what is not on X."""
    with fake_x.FakeX() as x:
        world = World(tmp_path, x, None, extra={"CANDIDATES": "0", "POST_INTERVAL_MINUTES": "1440"})
        world.cli()
        post_id = str(world.ours()[0]["id"])
        assert "nothing was deleted" in world.cli("undo", post_id, input="no\n").stdout
        assert not x.accepted[0].deleted
        x.on_delete(fake_x.refuse(401, title="Unauthorized"))
        assert world.cli("undo", post_id, "--yes").returncode == 77
        assert world.cli("undo", post_id, input="yes\n").returncode == 0
        assert x.accepted[0].deleted
        assert world.ours()[0]["vanished_at"]
        assert world.ours()[0]["status"] == "posted"
        assert world.cli("undo", "999", "--yes").returncode == 2
        assert world.cli().returncode == 0
        assert len(x.texts()) == 1
