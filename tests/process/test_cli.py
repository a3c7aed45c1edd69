"""The program as people and cron run it: real subprocesses, a bare environment, any working directory."""

import json
import os
import sqlite3
import subprocess
import sys

import pytest

from src.commands.parser import build_parser
from src.config import ROOT
from tests import fake_x
from tests.support.world import World


@pytest.fixture
def still(tmp_path):
    """A world in real time, which subprocesses share; slots of a day, so that no test straddles two."""
    with fake_x.FakeX() as x:
        yield World(tmp_path, x, None, extra={"POST_INTERVAL_MINUTES": "1440"})


WORDING = {"CANDIDATES": "0"}


def test_a_cron_run_posts_and_is_silent(still):
    """Under cron's environment one run posts one tweet and prints nothing; the next in the slot does nothing."""
    first = still.cli(env=WORDING)
    assert (first.returncode, first.stdout, first.stderr) == (0, "", "")
    assert len(still.x.texts()) == 1
    again = still.cli(env=WORDING)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert len(still.x.texts()) == 1
    still.check_promise()


@pytest.mark.parametrize(
    ("arguments", "env", "code"),
    [
        ([], {"TWITTER_API_KEY": ""}, 78),
        (["drafts", "show", "999"], {}, 2),
        (["history"], {"QUIET_HOURS": "22-7"}, 78),
        (["restore", "/nowhere/backup.db"], {}, 2),
        (["alerts", "test"], {}, 78),
    ],
)
def test_errors_as_json(still, arguments, env, code):
    """With --json every end is one object with message, fix and exit code; the person's words stay on standard error."""
    done = still.cli(*arguments, "--json", env=env)
    data = json.loads(done.stdout)
    assert (done.returncode, data["exit_code"]) == (code, code)
    assert data["message"] in done.stderr
    assert data["fix"]


def test_result_as_json(still):
    """--json prints the tick's result for programs."""
    data = json.loads(still.cli("--json", env=WORDING).stdout)
    assert data["outcome"] == "posted"
    assert data["tweet_id"] == str(still.x.accepted[0].id)
    assert json.loads(still.cli("--json", env=WORDING).stdout)["outcome"] == "nothing-due:slot-used"


def test_dry_run_leaves_the_database_as_it_was(still):
    """A dry run shows the tweet, posts nothing, and the database keeps every byte; a used slot does not matter."""
    still.cli(env=WORDING)
    before = still.database.read_bytes()
    done = still.cli("--dry-run", env=WORDING)
    assert done.returncode == 0
    for words in ("of 280", "cost", "$0.015", "checks", "Nothing was posted"):
        assert words in done.stdout
    data = json.loads(still.cli("--dry-run", "--json", env=WORDING).stdout)
    assert data["weighted_length"] <= 280
    assert data["content"] not in still.x.texts()
    assert still.database.read_bytes() == before
    assert len(still.x.texts()) == 1
    assert sorted(p.name for p in still.database.parent.iterdir()) == sorted(
        ["twitter.db", "twitter.db.in-use", "twitter.db.lock"]
    )


def test_dry_run_needs_nothing(tmp_path):
    """Without credentials, .env, HOME or a database the dry run still previews."""
    bare = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "DATA_DIR": str(tmp_path / "d"),
        "LOG_DIR": str(tmp_path / "l"),
        "CANDIDATES": "0",
    }
    done = subprocess.run(
        [sys.executable, "-m", "src.twitter_manager", "--dry-run"],
        cwd="/",
        env=bare,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Nothing was posted" in done.stdout
    assert not (tmp_path / "d" / "twitter.db").exists()


@pytest.mark.parametrize(
    "missing", [["TWITTER_API_KEY"], ["TWITTER_ACCESS_TOKEN", "TWITTER_ACCESS_TOKEN_SECRET"]]
)
def test_missing_credentials(still, missing):
    """Missing keys end the run with 78 and are named; nothing is posted."""
    done = still.cli(env={**dict.fromkeys(missing, ""), **WORDING})
    assert done.returncode == 78
    assert all(name in done.stderr for name in missing)
    assert ".env.example" in done.stderr
    assert still.x.requests == []


def test_read_only_token(still):
    """A token that may only read: 77, and the portal setting to change."""
    still.x.access_level = "read"
    done = still.cli(env=WORDING)
    assert done.returncode == 77
    assert "Read and write" in done.stderr
    online = still.cli("check", "--online", env=WORDING)
    assert online.returncode == 77
    assert "may only read" in online.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["statu"], "did you mean 'status'?"),
        (["--dryrun"], "did you mean '--dry-run'?"),
        (["history", "-n", "zero"], "not a whole number, at least 1"),
        (["reconcile", "--posted", "5"], "need the ID"),
        (["reconcile", "5"], "say --posted TWEET_ID, --not-posted or --take-back"),
        (["model"], "ACTION"),
        (["--dry-run", "status"], "goes with a tick"),
        (["frobnicate"], "invalid choice"),
        (["undo", "9223372036854775808"], "not a number from 1"),
        (["report", "--days", "99999"], "from 1 to 3660"),
        (["model", "tune", "--epochs", "nan"], "not a number above 0"),
    ],
)
def test_usage(still, arguments, words):
    """An unknown option or command gets usage and the nearest match, exit 2."""
    done = still.cli(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "usage:" in done.stderr
    assert done.stdout == ""


def test_bad_settings_are_listed_at_once(still):
    """Several wrong settings: one exit 78, all of them named."""
    done = still.cli(env={"CANDIDATES": "many", "LOG_LEVEL": "loud", "POST_INTERVAL_MINUTES": "7"})
    assert done.returncode == 78
    assert all(name in done.stderr for name in ("CANDIDATES", "LOG_LEVEL", "POST_INTERVAL_MINUTES"))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX")
def test_unwritable_folder(still, tmp_path):
    """A data folder that cannot be made is told with the chmod to type, exit 74."""
    blocker = tmp_path / "file"
    blocker.write_text("")
    done = still.cli(env={"DATA_DIR": str(blocker / "data"), **WORDING})
    assert done.returncode == 74
    assert "chmod" in done.stderr


def test_unwritable_logs_do_not_stop_a_post(still, tmp_path):
    """Logs that cannot be written cost a line on stderr, not the tweet."""
    blocker = tmp_path / "file"
    blocker.write_text("")
    done = still.cli(env={"LOG_DIR": str(blocker / "logs"), **WORDING})
    assert done.returncode == 0
    assert "cannot write logs" in done.stderr
    assert len(still.x.texts()) == 1


def test_closed_stderr_and_stdout(still):
    """Closed standard streams are no reason to fail."""
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m src.twitter_manager >&- 2>&-"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **still.env, **WORDING},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert len(still.x.texts()) == 1


def test_another_run_in_progress(still):
    """While another run holds the lock: exit 0, silence, one log line."""
    from src.system.lock import writer_lock

    with writer_lock(still.database) as ours:
        assert ours
        done = still.cli(env=WORDING)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tick.busy" in (still.folder / "logs" / "twitter_manager.log").read_text()
    assert still.x.posts_seen() == 0


def test_newer_database_is_refused_untouched(still):
    """A database of a newer program is left alone: 74 and what to do."""
    still.cli(env=WORDING)
    with sqlite3.connect(still.database) as db:
        db.execute("PRAGMA user_version=99")
    before = still.database.read_bytes()
    done = still.cli(env=WORDING)
    assert done.returncode == 74
    assert "update this one" in done.stderr
    assert still.database.read_bytes() == before


def test_corrupt_database_is_set_aside(still):
    """A damaged file is set aside whole, exit 74; the next runs read the timeline first and post in a later slot only."""
    still.cli(env=WORDING)
    damaged = b"not a database" * 1000
    still.database.write_bytes(damaged)
    done = still.cli(env=WORDING)
    assert done.returncode == 74
    assert "set aside" in done.stderr
    aside = next(still.database.parent.glob("twitter.db.damaged-*"))
    assert aside.read_bytes() == damaged
    assert still.cli(env=WORDING).returncode == 0
    assert len(still.x.texts()) == 1
    assert still.rows()[0]["tweet_id"] == still.x.accepted[0].id


def test_check(still):
    """check names every part, and fails with the code of the first thing wrong."""
    done = still.cli("check", "--online", "--json", env={"DATA_DIR": str(still.folder / "data")})
    rows = {row["part"]: row for row in json.loads(done.stdout)["parts"]}
    assert rows["credentials"]["ok"]
    assert rows["database"]["ok"]
    assert rows["account"]["ok"]
    assert rows["cost"]["says"].startswith("1 post a day costs about $0.45 a month, $6.00 if each has a link")
    model = rows["model"]
    assert (model["ok"], model["fix"], done.returncode) == (False, "type: make model", 69)


@pytest.mark.parametrize("setting", ["CANDIDATES=0", "OPENINGS=vetted"])
def test_a_model_that_is_left_out(still, setting):
    """`check`, `status` and the preview say that the model is left out and by which setting; none is missed."""
    env = dict([setting.split("=")])
    done = still.cli("check", "--json", env={**env, "DATA_DIR": str(still.folder / "data")})
    (row,) = [row for row in json.loads(done.stdout)["parts"] if row["part"] == "model"]
    assert (row["ok"], row["says"]) == (True, f"the model is left out ({setting}); vetted openings lead")
    preview = still.cli("--dry-run", env=env)
    assert f"mode     the model is left out ({setting})" in preview.stdout
    assert json.loads(still.cli("--dry-run", "--json", env=env).stdout)["model_left_out"] == setting
    assert still.cli(env=env).returncode == 0
    assert f"model embedded is left out ({setting})" in still.cli("status", env=env).stdout
    assert json.loads(still.cli("status", "--json", env=env).stdout)["model_left_out"] == setting


def test_folders_that_cannot_be_made(still):
    """A data or models folder below a file is told with what to do, by `check` and by `model install`."""
    (still.folder / "file").touch()
    done = still.cli("check", env={**WORDING, "DATA_DIR": str(still.folder / "file" / "data")})
    assert "cannot be made: Not a directory" in done.stdout
    assert done.returncode == 74
    done = still.cli("model", "install", env={**WORDING, "MODELS_DIR": str(still.folder / "file" / "models")})
    assert "the models folder cannot be used" in done.stderr
    assert done.returncode == 74


def test_status_and_history(still):
    """status and history show the last post, in words and as JSON, before and after there is one."""
    unused = still.cli("status")
    assert (unused.returncode, "nothing has run" in unused.stdout) == (75, True)
    assert still.cli("history").stdout == "no posts yet\n"
    still.cli(env=WORDING)
    status = still.cli("status")
    assert status.returncode == 0
    assert status.stdout.startswith("healthy")
    assert str(still.x.accepted[0].id) in status.stdout
    data = json.loads(still.cli("history", "-n", "1", "--json").stdout)
    assert data["posts"][0]["status"] == "posted"
    assert data["posts"][0]["content"] == still.x.texts()[0]
    assert json.loads(still.cli("status", "--json").stdout)["healthy"] is True


def test_settle_by_hand(still):
    """An unknown post can be settled by the operator, only once, and only if it is open."""
    still.x.always_get = fake_x.not_found()
    still.x.on_get(fake_x.ok())
    still.x.on_post(fake_x.close(accept=True))
    done = still.cli(env={**WORDING, "RECONCILE_DELAYS_SECONDS": "0"})
    assert done.returncode == 76
    assert "not sent again" in done.stderr
    assert still.cli("status").returncode == 76
    post_id = str(still.ours()[0]["id"])
    settled = still.cli("reconcile", post_id, "--posted", str(still.x.accepted[0].id))
    assert (settled.returncode, "posted" in settled.stdout) == (0, True)
    assert still.cli("reconcile", post_id, "--not-posted").returncode == 2
    assert still.cli("reconcile", "999", "--not-posted").returncode == 2
    still.check_promise()


def test_reconcile_command_finds_the_tweet(still):
    """`reconcile` looks on the timeline and settles what it finds."""
    still.x.on_post(fake_x.close(accept=True))
    still.x.on_get(fake_x.ok(), fake_x.not_found())
    assert still.cli(env={**WORDING, "RECONCILE_DELAYS_SECONDS": "0"}).returncode == 76
    done = still.cli("reconcile", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["open"] == []
    still.check_promise()


def test_help_starts_with_a_verb():
    """Every command's help begins with a verb, as does the program's."""
    parser = build_parser()
    verbs = {
        "test",
        "post",
        "end",
        "delete",
        "check",
        "send",
        "show",
        "list",
        "look",
        "install",
        "write",
        "convert",
        "put",
        "log",
        "print",
    }
    groups = [a for a in parser._actions if hasattr(a, "choices") and isinstance(a.choices, dict)]
    assert parser.description.split()[0].lower() in verbs
    for action in groups[0]._choices_actions:
        assert action.help.split()[0].strip(",") in verbs, action.help


HEAVY = "torch transformers tweepy requests rapidfuzz tenacity tokenizers numpy regex jinja2 pygal prometheus_client"


def loaded(still, **env):
    """Run the program; return its exit code and which of the heavy packages it loaded."""
    code = (
        "import sys, runpy\n"
        "try: runpy.run_module('src.twitter_manager', run_name='__main__')\n"
        "except SystemExit as e: print(e.code)\n"
        f"print(*sorted({{m.partition('.')[0] for m in sys.modules}} & set('{HEAVY}'.split())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **still.env, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    exit_code, packages = done.stdout.splitlines()
    return int(exit_code), packages.split()


def test_idle_tick_imports_nothing_heavy(still):
    """A run with nothing to do never imports tweepy, requests, torch or the library of statements."""
    still.cli(env=WORDING)
    assert loaded(still, **WORDING) == (0, [])


def test_a_run_that_posts_from_the_queue_starts_no_model(still):
    """What was written ahead goes out without the model's packages, though the model is not left out."""
    still.cli("queue", "fill", "-n", "2", env=WORDING)
    exit_code, packages = loaded(still)
    assert (exit_code, len(still.x.accepted)) == (0, 1)
    assert set(packages) == {"tweepy", "requests", "tenacity", "rapidfuzz", "regex"}


def test_idle_tick_in_counts(still):
    """A tick with nothing due imports few modules and runs few SQL statements: counts, so that this cannot flake."""
    still.cli(env=WORDING)
    code = (
        "import sys, sqlite3\nseen = []\nreal = sqlite3.connect\n"
        "def connect(*a, **k):\n c = real(*a, **k)\n"
        " c.set_trace_callback(None if a[0] == ':memory:' else seen.append)\n return c\n"
        "sqlite3.connect = connect\n"
        "from src.twitter_manager import main\ncode = main([])\n"
        "print(code, len(sys.modules), sum(not s.startswith('PRAGMA') for s in seen))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **still.env, **WORDING},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    code, modules, statements = map(int, done.stdout.split())
    assert code == 0, done.stderr
    assert modules <= 420
    assert statements <= 40
