"""The command login as a person types it, and kills while tokens are renewed."""

import json
import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from src import config
from src.domain.logins import PinLogin
from src.x import credentials
from tests import fake_x
from tests.support.logins import allow, app_keys_only, give_login, kept, secrets_shown

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)


@pytest.fixture
def still(tmp_path):
    """A world in real time, which subprocesses share; only the app's keys are in `.env`."""
    with app_keys_only(tmp_path) as world:
        yield world


def browser(world, *arguments, change=lambda address: address):
    """`login --oauth2` as a process, with an owner who copies addresses: (code, everything printed)."""
    bare = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(config.ROOT), **world.env}
    with subprocess.Popen(
        [sys.executable, "-m", "src.twitter_manager", "login", "--oauth2", *arguments],
        cwd="/",
        env=bare,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        told = ""
        for line in process.stdout:
            told += line
            if "/i/oauth2/authorize" in line:
                process.stdin.write(change(allow(line)) + "\n")
                process.stdin.close()
                break
        told += process.stdout.read() + process.stderr.read()
        return process.wait(timeout=30), told


def test_pin(still):
    """`login` prints an address, takes the PIN, keeps the tokens for the owner's eyes, and the next run posts with them."""
    done = still.cli("login", input="1234567\n")
    assert done.returncode == 0, done.stderr
    assert f"{still.x.url}/oauth/authorize?oauth_token=requestToken" in done.stdout
    file = still.folder / "data" / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    posted = still.cli()
    assert (posted.returncode, posted.stderr) == (0, "")
    assert len(still.x.texts()) == 1
    check = still.cli("check", "--online", "--json")
    rows = {row["part"]: row for row in json.loads(check.stdout)["parts"]}
    assert rows["account"]["ok"]
    assert "do not count" in rows["credentials"]["says"]
    assert not secrets_shown(still, done.stdout, done.stderr, check.stdout)


def test_pkce(still):
    """`login --oauth2` takes the address that the browser ended at; the next run posts with the token, and reads its own timeline."""
    code, told = browser(still)
    assert code == 0, told
    login = kept(still)
    assert (login.refresh, login.user_id) == ("refresh-1", still.x.credentials.user_id)
    assert set(login.scopes) == set(credentials.SCOPES)
    still.x.on_post(fake_x.close(accept=True))
    posted = still.cli(env={"RECONCILE_DELAYS_SECONDS": "0"})
    assert (posted.returncode, posted.stderr) == (0, "")
    assert len(still.x.texts()) == 1
    assert f"/2/users/{login.user_id}/tweets" in {r.path for r in still.x.requests}
    assert not secrets_shown(still, told)
    still.check_promise()


def test_state_of_another_login(still):
    """An address with another `state` is refused, and no code is sent anywhere."""
    code, told = browser(still, change=lambda a: re.sub("state=[^&]*", "state=forged", a))
    assert code == 77
    assert "state" in told
    assert still.x.oauth2.token_requests == 0
    assert kept(still) is None


@pytest.mark.parametrize(("missing", "oauth2"), [("TWITTER_API_SECRET", False), ("TWITTER_CLIENT_ID", True)])
def test_without_the_apps_keys(still, missing, oauth2):
    """Without the app's own keys: 78, which one, and where it is to be found."""
    done = still.cli("login", *["--oauth2"] * oauth2, env={missing: ""})
    assert (done.returncode, missing in done.stderr, "developer.x.com" in done.stderr) == (78, True, True)
    assert still.x.requests == []


def test_killed_after_saving(world):
    """Killed when the new tokens are on disk: the next run uses them, with no other renewal."""
    give_login(world, minutes=5)
    assert world.forked("tokens.saved:kill") == -9
    assert world.forked() == 0
    assert (world.x.oauth2.token_requests, len(world.x.texts())) == (1, 1)
    world.check_promise()


def test_killed_before_saving(world):
    """Killed between X's answer and the disk: the login is over; nothing is claimed or sent, 77."""
    give_login(world, minutes=5)
    assert world.forked("tokens.rotated:kill") == -9
    assert world.forked() == 77
    assert world.x.posts_seen() == 0
    assert world.ours() == []


def test_killed_between_writing_and_renaming(world):
    """Whole tokens that were not yet in place are put in place, and used."""
    give_login(world, minutes=5)
    file = world.folder / "data" / "credentials.json"
    before = file.read_bytes()
    assert world.forked("tokens.saved:kill") == -9
    file.rename(f"{file}.new")
    file.write_bytes(before)
    file.chmod(0o600)
    assert world.forked() == 0
    assert (world.x.oauth2.token_requests, len(world.x.texts())) == (1, 1)


def test_term_waits_for_the_disk(world):
    """SIGTERM while X renews is carried out when the new tokens are on disk."""
    give_login(world, minutes=5)
    pid = world.spawn("tokens.rotated:sleep=0.5")
    while world.x.oauth2.token_requests == 0:
        os.sched_yield()
    os.kill(pid, 15)
    assert world.join(pid) == -15
    assert kept(world).refresh == "refresh-1"
    assert world.forked() == 0
    assert world.x.oauth2.token_requests == 1


def test_an_open_file(still):
    """A file that others can read: 78 and the chmod; `login` itself still runs, and mends it."""
    file = still.folder / "data" / "credentials.json"
    credentials.reserve(file)
    credentials.save(file, PinLogin("1-a", "b", NOW))
    file.chmod(0o644)
    done = still.cli()
    assert (done.returncode, f"chmod 600 {file}" in done.stderr) == (78, True)
    assert still.cli("login", input="1234567\n").returncode == 0
    assert kept(still).token == still.x.credentials.access_token
