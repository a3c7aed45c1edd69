"""What commands say: true, in plain words, with the next step and the code for it."""

import json
import re
import time
from datetime import UTC, datetime

import pytest

from tests import fake_x
from tests.support.world import World


@pytest.fixture
def still(tmp_path):
    """A world in real time with slots of a day, whose texts need no model."""
    with fake_x.FakeX() as x:
        yield World(tmp_path, x, None, extra={"POST_INTERVAL_MINUTES": "1440", "CANDIDATES": "0"})


def account(done):
    """The row of `check --online --json` about the account."""
    return next(row for row in json.loads(done.stdout)["parts"] if row["part"] == "account")


def test_check_online_without_keys(still):
    """X is not asked: the account is skipped, and the missing keys alone are the failure."""
    done = still.cli("check", "--online", "--json", env={"TWITTER_API_KEY": ""})
    row = account(done)
    assert (row["says"], row["exit_code"]) == ("skipped: X was not asked, there are no keys yet", 0)
    assert still.x.requests == []
    assert done.returncode == 78


def test_check_online_without_a_network(still):
    """An X that cannot be reached is temporary, and no answer of X."""
    row = account(still.cli("check", "--online", "--json", env={"X_API_BASE_URL": "http://127.0.0.1:9"}))
    assert (row["says"].startswith("X could not be reached: "), row["exit_code"]) == (True, 75)


def test_check_online_with_a_broken_answer(still):
    """A connection that ends in the middle is told as no answer, with the command to repeat."""
    still.x.always_get = fake_x.close(accept=False)
    row = account(still.cli("check", "--online", "--json"))
    assert (row["says"].startswith("X gave no answer: "), row["exit_code"]) == (True, 75)
    assert row["fix"] == "type the same again in a few minutes"


def test_posts_are_posts(still):
    """`check` counts drafts apart from posts, one of each in the singular."""
    still.cli("drafts", "generate", "-n", "1")
    assert "0 posts, 1 draft that waits" in still.cli("check").stdout
    still.cli()
    assert "1 post, 1 draft that waits" in still.cli("check").stdout


def test_generate_counts_what_waits(still, tmp_path):
    """What was written and what waits are told apart; none written is 69, as for a run."""
    own = {"id": "own-1", "topic": "Git", "reference": "git-stash(1)"}
    own["statement"] = "git stash keeps changes for later use."
    (tmp_path / "own.jsonl").write_text(json.dumps(own))
    still.extra |= {"BUILTIN_LIBRARY": "false", "SOURCES": str(tmp_path / "own.jsonl")}
    first = still.cli("drafts", "generate", "-n", "1")
    assert (first.returncode, "1 written, 1 waits: " in first.stdout) == (0, True), first.stderr
    again = still.cli("drafts", "generate", "-n", "1")
    assert (again.returncode, "0 written, 1 waits: " in again.stdout) == (69, True)


def test_a_rejected_draft(still):
    """It is called a draft, and what can still be done is named."""
    still.cli("drafts", "generate", "-n", "1")
    still.cli("drafts", "reject", "1")
    done = still.cli("drafts", "approve", "1", "--json")
    data = json.loads(done.stdout)
    assert (data["message"], done.returncode) == ("draft 1 was rejected", 2)
    assert data["fix"] == "`queue unreject 1` makes it a draft again"


def test_an_approved_draft(still):
    """A second approval names what takes the first back."""
    still.cli("drafts", "generate", "-n", "1")
    still.cli("drafts", "approve", "1")
    data = json.loads(still.cli("drafts", "approve", "1", "--json").stdout)
    assert (data["message"], data["fix"]) == ("draft 1 was approved", "`queue reject 1` takes it back")


def test_a_refused_text(still):
    """Each reason is a sentence with what it is about."""
    still.cli("drafts", "generate", "-n", "1")
    data = json.loads(still.cli("drafts", "edit", "1", "build " * 66 + "text", "--json").stdout)
    assert data["message"] == "this text is refused: it is too long: 400 of 280"
    data = json.loads(still.cli("drafts", "edit", "1", "See docs.python.org for it.", "--json").stdout)
    assert data["message"] == "this text is refused: X makes a link of this: docs.python.org"
    assert data["fix"] == "change the text where the reason says so"


def test_a_text_of_ones_own(still):
    """It is the owner's: no statement and no topic count as posted by it."""
    still.cli("drafts", "generate", "-n", "1")
    still.cli("drafts", "edit", "1", "My own words about a build.")
    still.cli("drafts", "approve", "1")
    assert "source   a text of yours" in still.cli("--dry-run").stdout
    still.cli()
    row = still.ours()[-1]
    assert (row["status"], row["source_id"], row["topic"]) == ("posted", None, None)


def test_a_dry_run_says_what_holds_a_post_back(still):
    """The first line says that this text is not due now and why; the data say so too."""
    assert still.cli("--dry-run").stdout.startswith("This would be posted now:\n")
    asked = still.cli("--dry-run", env={"REQUIRE_APPROVAL": "true"}).stdout
    assert asked.startswith("Not now: no draft is approved, 0 wait for you. The next post would be:\n")
    still.cli()
    used = still.cli("--dry-run").stdout
    assert re.match(
        r"Not now: this slot has a post; nothing is due until [-\d]+ 00:00 UTC\. The next post would be:\n",
        used,
    )
    data = json.loads(still.cli("--dry-run", "--json").stdout)
    assert (data["due"], data["outcome"]) == (False, "nothing-due:slot-used")


def test_a_dry_run_logs_no_send(still):
    """Nothing was sent, so the log tells of no send."""
    still.cli("--dry-run")
    file = still.folder / "logs" / "twitter_manager.log"
    text = file.read_text() if file.exists() else ""
    assert '"event": "send"' not in text
    still.cli()
    assert '"event": "send"' in file.read_text()


def test_status_before_anything_ran(still):
    """Missing keys and a cron that was never set up are told, with the fix, with and without a database."""
    data = json.loads(still.cli("status", "--json", env={"TWITTER_API_KEY": ""}).stdout)
    assert [r["name"] for r in data["reasons"]] == ["credentials", "not-running"]
    assert (data["healthy"], data["exit_code"]) == (False, 78)
    still.cli("drafts", "generate", "-n", "1")
    done = still.cli("status")
    assert done.returncode == 75
    assert "not-running: nothing has run yet\n    fix: python -m src.twitter_manager check" in done.stdout


@pytest.mark.parametrize(
    ("command", "actions"),
    [
        ("drafts", "generate, list, show, approve, edit, reject"),
        ("model", "install, update, show, rollback, tune"),
        ("alerts", "test"),
    ],
)
def test_a_missing_action(still, command, actions):
    """The usage error lists the actions."""
    done = still.cli(command)
    assert (done.returncode, f"say which action: {actions}\n" in done.stderr) == (2, True)


def test_a_wrong_action(still):
    """The nearest action is named."""
    assert "did you mean 'approve'?" in still.cli("drafts", "aprove").stderr


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "many"])
def test_a_wrong_number(still, number):
    """The bound that matters is named, not the largest number of the database."""
    done = still.cli(
        "history", f"-n={number}" if number == "-1" else "-n", *([] if number == "-1" else [number])
    )
    assert (done.returncode, "is not a whole number, at least 1" in done.stderr) == (2, True)


def test_the_whole_word_yes(still):
    """A y is not enough, and that is said."""
    still.cli()
    done = still.cli("undo", "1", input="y\n")
    assert done.stdout.endswith("nothing was deleted: only the whole word yes deletes\n")
    assert still.x.texts() == [still.ours()[0]["content"]]


def test_a_deleted_tweet(still):
    """It is called deleted, with the time, everywhere; a second `undo` says that it is gone and asks nothing of X."""
    still.cli()
    assert still.cli("undo", "1", "--yes").returncode == 0
    asked = len(still.x.requests)
    post = json.loads(still.cli("history", "--json").stdout)["posts"][0]
    status = json.loads(still.cli("status", "--json").stdout)
    assert post["deleted_at"][:19] == status["last_post"]["deleted_at"][:19]
    assert "  deleted by you on 20" in still.cli("history").stdout
    assert ", deleted by you on 20" in next(
        line for line in still.cli("status").stdout.splitlines() if line.startswith("last post")
    )
    assert "  deleted by you\n" in still.cli("report").stdout
    again = still.cli("undo", "1", "--yes")
    assert again.stdout.startswith("post 1 is gone already: it was deleted at 20")
    assert (again.returncode, len(still.x.requests)) == (0, asked)


@pytest.mark.parametrize(
    ("extra", "code", "words"),
    [
        ({"SOURCES": "/nowhere/own.jsonl"}, 78, "/nowhere/own.jsonl: cannot be read: it does not exist"),
        ({"BUILTIN_LIBRARY": "false"}, 69, "the library is empty"),
    ],
)
def test_a_library_that_cannot_be_used(still, extra, code, words):
    """A file that is not there is a setting (78), an empty library has no content (69); neither is a bug."""
    row = next(
        r
        for r in json.loads(still.cli("check", "--json", env=extra).stdout)["parts"]
        if r["part"] == "library"
    )
    assert (row["exit_code"], row["says"]) == (code, words)
    assert still.cli("sources", "check", env=extra).returncode == code


def test_an_open_post(still):
    """`reconcile` says which post is open, why, and until when it is looked for."""
    still.x.always_get = fake_x.not_found()
    still.x.on_get(fake_x.ok())
    still.x.on_post(fake_x.close(accept=False))
    assert still.cli(env={"RECONCILE_DELAYS_SECONDS": "0"}).returncode == 76
    done = still.cli("reconcile")
    assert "post 1 is open: sent at 20" in done.stdout
    assert "not seen on the timeline yet; each run looks again until 20" in done.stdout
    assert "fix: wait for the next runs; or `reconcile 1 --posted TWEET_ID` or " in done.stdout
    assert done.returncode == 76


def test_a_typo_is_no_error_of_the_program(still):
    """What a person typed wrong is not in error.log."""
    assert still.cli("drafts", "show", "2").returncode == 2
    file = still.folder / "logs" / "error.log"
    assert not file.exists() or "there is no draft" not in file.read_text()


def test_a_limit_of_x(still):
    """The run says until when it waits and that nothing is to be done; `status` shows the limit and its end."""
    reset = int(time.time()) + 5400
    still.x.on_post(fake_x.rate_limited(reset))
    done = still.cli()
    until = datetime.fromtimestamp(reset, UTC).strftime("%F %R UTC")
    assert done.returncode == 75
    assert done.stderr.splitlines() == [
        f"twitter_manager: X's limit is used up until {until} (too many requests)",
        "  fix: nothing to do: the first run after that time asks X again",
    ]
    assert f"0 of 100 left until {until}" in still.cli("status").stdout
    (limit,) = json.loads(still.cli("status", "--json").stdout)["rate_limits"]
    assert (limit["limit"], limit["remaining"]) == (100, 0)


def test_one_rounding_in_a_line(still):
    """The spending of a day is not more than that of its month."""
    still.cli()
    assert "$0.015 in 24 hours of $100; $0.015 this month of $1000, forecast $" in still.cli("status").stdout
