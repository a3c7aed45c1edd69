"""Every command at every end, with and without --json: code, form and words."""

import json
import re
import sqlite3
import subprocess
import sys

import pytest

from src.commands import table
from src.config import ROOT
from tests import fake_x
from tests.support import forked_cli
from tests.support.world import World

# What each command is tried with; None where it has no word of its own.
LINES = [
    ["--dry-run"],
    ["alerts", "test"],
    ["check"],
    ["check", "--online"],
    ["completion", "bash"],
    ["drafts", "approve", "7"],
    ["drafts", "edit", "7", "A new text."],
    ["drafts", "generate", "-n", "1"],
    ["drafts", "list"],
    ["drafts", "reject", "7"],
    ["drafts", "show", "7"],
    ["evaluate", "-n", "1"],
    ["evaluate", "--against", "embedded"],
    ["evaluate", "--score", "sheet.jsonl"],
    ["history"],
    ["install"],
    ["install", "--unit", "nothing.service"],
    ["login"],
    ["maintain"],
    ["model", "rollback"],
    ["model", "show"],
    ["pause"],
    ["post", ""],
    ["queue"],
    ["queue", "add", "See https://example.com/."],
    ["queue", "approve", "7-9"],
    ["queue", "fill", "-n", "1"],
    ["queue", "move", "7", "--first"],
    ["queue", "review"],
    ["queue", "unreject", "7"],
    ["reconcile"],
    ["reconcile", "7", "--not-posted"],
    ["report"],
    ["restore", "nothing.db"],
    ["resume"],
    ["sources", "check"],
    ["sources", "hidden"],
    ["sources", "hide", "nothing"],
    ["sources", "topics"],
    ["status"],
    ["undo", "7", "--yes"],
    ["undo", "1"],
    [],
]
WRONG = [
    ["nothing"],
    ["--nothing"],
    ["drafts"],
    ["drafts", "add"],
    ["history", "-n", "0"],
    ["report", "--days", "many"],
    ["reconcile", "7"],
    ["--dry-run", "status"],
    ["--profile", "a", "status", "--profile", "b"],
    ["-q", "-v"],
]
WORLDS = ("new", "posted", "no-keys", "settings", "database")
INTERNAL = re.compile(r"nothing-due|Traceback|Errno|\w+Error\b|\bNone\b|Exit\.|<class|x-rate-limit|http-\d")
BIG = 2**53  # above it JavaScript and jq round
FEW = (ROOT / "data" / "library" / "git.jsonl").read_text().splitlines()[:20]


@pytest.fixture(scope="module", params=WORLDS)
def tried(request, tmp_path_factory):
    """What each line does in one kind of world: the process with --json and the one without."""
    folder = tmp_path_factory.mktemp(request.param)
    with fake_x.FakeX() as x:
        own = folder / "own.jsonl"
        own.write_text("\n".join(FEW))
        extra = {"POST_INTERVAL_MINUTES": "1440", "CANDIDATES": "0"}
        extra |= {"BUILTIN_LIBRARY": "false", "SOURCES": str(own)}
        world = World(folder, x, None, extra=extra)
        env = {"MODELS_DIR": str(folder / "models"), "HOME": str(folder)}
        if request.param in {"posted", "database"}:
            assert forked_cli.run([], world.env).returncode == 0
        if request.param == "no-keys":
            env |= {"TWITTER_API_KEY": ""}
        if request.param == "settings":
            env |= {"POST_INTERVAL_MINUTES": "soon"}
        if request.param == "database":
            with sqlite3.connect(world.database) as db:
                db.execute("PRAGMA user_version = 99")
        yield request.param, [(line, *both(world, line, env)) for line in LINES]


def both(world, line, env):
    """The end of one line with --json, then without it."""
    env = {"PATH": "/usr/bin:/bin", **world.env, **env}
    return forked_cli.run([*line, "--json"], env), forked_cli.run(line, env)


def numbers(value):
    """Every number within a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [n for item in value for n in numbers(item)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def times(value, name=""):
    """Every text that stands under a name of a time."""
    if isinstance(value, dict):
        return [t for key, item in value.items() for t in times(item, key)]
    if isinstance(value, list):
        return [t for item in value for t in times(item, name)]
    return (
        [value]
        if isinstance(value, str) and re.search(r"(^|_)(at|since|until|reset|begin|end)$", name)
        else []
    )


def one_object(done):
    """The one object on standard output, held to the form of all."""
    data = json.loads(done.stdout)
    assert isinstance(data, dict)
    assert done.stdout.count("\n") == 1
    assert data["exit_code"] == done.returncode
    assert all(abs(number) < BIG for number in numbers(data))
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", text) for text in times(data)), times(
        data
    )
    if done.returncode:
        assert isinstance(data["message"], str) and data["message"]
        assert isinstance(data["fix"], str) and data["fix"]
    return data


def test_every_line_ends_in_form(tried):
    """--json answers with one object with exit code, message and fix; people read the same without codes."""
    world, ends = tried
    for line, told, shown in ends:
        where = (world, line, told.returncode, told.stdout, told.stderr, shown.stdout, shown.stderr)
        try:
            data = one_object(told)
        except (AssertionError, KeyError, ValueError) as error:
            raise AssertionError(where) from error
        assert told.returncode != 70 and shown.returncode != 70, where
        assert not INTERNAL.search(shown.stderr), where
        if line != ["completion", "bash"]:
            assert not INTERNAL.search(shown.stdout), where
        if shown.returncode:
            assert shown.stdout or shown.stderr, where
            assert "fix: " in shown.stdout + shown.stderr, where
        if told.returncode and not told.stdout.startswith('{"parts'):
            assert data["message"] in told.stderr + shown.stderr + shown.stdout or line[:1] == ["check"], (
                where
            )


def test_every_command_is_tried():
    """A new command, and a new action of one, is added to the lines."""
    assert {line[0] for line in LINES if line and not line[0].startswith("-")} == set(table.names())


@pytest.mark.parametrize("line", WRONG, ids=" ".join)
def test_wrong_usage(line, tmp_path):
    """A command line that cannot be read is told in the same form, on standard error in words."""
    with fake_x.FakeX() as x:
        told, shown = both(World(tmp_path, x, None), line, {})
    assert one_object(told)["message"] in shown.stderr
    assert (told.returncode, shown.returncode, shown.stdout) == (2, 2, "")


@pytest.mark.parametrize("line", [["--version"], ["--help"], ["history", "--help"]], ids=" ".join)
def test_texts_of_the_parser(line, tmp_path):
    """The help and the version are one object, too."""
    with fake_x.FakeX() as x:
        told, shown = both(World(tmp_path, x, None), line, {})
    assert one_object(told)[line[-1].removeprefix("--")].strip() == shown.stdout.strip()


def test_a_wrong_profile(tmp_path):
    """A name that no profile can have is told like any other failure."""
    with fake_x.FakeX() as x:
        told, _ = both(World(tmp_path, x, None), ["--profile", "../x", "status"], {})
    assert one_object(told)["exit_code"] == 2


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("line", ["history", "undo 1", "drafts edit 1 -", "--help", "nothing --json"])
def test_closed_streams(tmp_path, closed, line):
    """With any stream closed every command ends as with it open: no bug, no hanging."""
    with fake_x.FakeX() as x:
        env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **World(tmp_path, x, None).env}
        done = subprocess.run(
            ["sh", "-c", f"{sys.executable} -m src.twitter_manager {line} {closed}"],
            cwd="/", env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode in {0, 2}, done
    assert "Traceback" not in done.stderr + done.stdout
