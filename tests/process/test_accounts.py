"""Several accounts on one machine: each profile has its own .env, database, logs and lock, under one model store."""

import contextlib
import json
import multiprocessing
import os
import subprocess
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

import pytest
import time_machine

from src import config
from src.commands.parser import build_parser, parse
from src.config import ROOT
from src.domain.errors import ConfigError, ModelError, UsageError
from src.domain.fixes import Fix, command, env_file
from src.domain.posts import Post, Status
from src.model import client
from src.model.choose import Model
from src.system import log
from src.system.lock import model_turn, writer_lock
from src.twitter_manager import run_tick
from src.watch import alerts
from src.watch.facts import Facts
from src.x.claim import claim_account, fix_text
from tests import fake_x
from tests.fake_x import FakeX
from tests.support.accounts import Machine
from tests.support.world import START, MovingClock, Texts, World

NAMES = [f"p{number:02}" for number in range(20)]


@pytest.fixture
def machine(tmp_path):
    """Real time, one day long slots, so that no test straddles two."""
    with FakeX() as x:
        yield Machine(tmp_path, x)


def in_a_fork(machine, traveller, name, hour):
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        settings = machine.settings(name)
        log.set_up(settings.log_dir, "DEBUG", f"{name}-{hour}", log.Redactor(settings.secret_values()))
        code = int(run_tick(settings, MovingClock(traveller), f"{name}-{hour}", Texts()).exit_code)
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def what_failed(machine, codes):
    """The profiles that ended with another code than 0, each with the errors of its log."""
    return {
        name: (found, [line for line in machine.log_lines(name) if line["level"] in ("WARNING", "ERROR")])
        for name, found in codes.items()
        if found != {0} and name != "p03"
    }


def test_twenty_profiles_at_the_same_time(tmp_path):
    """Twenty accounts, three hours, all in the same minute, each twice at once: each account gets exactly its own tweets.

    One account's keys are refused: that holds back this one and no other. The forks are those of a process of
    its own, which has nothing of the tests before.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(play_twenty_profiles, tmp_path, hours=3).result()


def play_twenty_profiles(tmp_path, hours):
    with time_machine.travel(START, tick=True) as traveller, FakeX() as x:
        x.now = lambda: time.time()
        machine = Machine(tmp_path, x)
        shared = {"ACCOUNTS_APART_DAYS": "0"}  # the texts of this test are all of one statement
        for name in NAMES:
            machine.add(name, **shared)
        machine.add("p03", TWITTER_API_SECRET="wrong-secret-0123456789", **shared)
        for hour in range(hours):
            processes = {in_a_fork(machine, traveller, name, hour): name for name in NAMES for _ in range(2)}
            codes = {name: set() for name in NAMES}
            for pid, name in processes.items():
                codes[name].add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            failed = what_failed(machine, codes)
            assert not failed, failed
            assert codes["p03"] <= {0, 77}
            traveller.shift(3600)
        assert machine.tweets_of("p03") == []
        assert len(x.texts()) == len(set(x.texts())) == (len(NAMES) - 1) * hours
        for name in set(NAMES) - {"p03"}:
            tweets = machine.tweets_of(name)
            assert [(row["tweet_id"], row["content"]) for row in machine.rows(name)] == [
                (t.id, t.text) for t in tweets
            ], name
            assert [int(t.at // 3600) for t in tweets] == [
                int(START.timestamp() // 3600) + hour for hour in range(hours)
            ]
        for name in NAMES:
            assert {line["run"] for line in machine.log_lines(name)} == {
                f"{name}-{hour}" for hour in range(hours)
            }
            assert {
                row["run_id"].partition("-")[0] for row in machine.rows(name, "SELECT run_id FROM runs")
            } == {name}
        assert not (tmp_path / "data" / "twitter.db").exists()
        assert sorted(p.name for p in (tmp_path / "logs").iterdir()) == NAMES


def test_real_runs_side_by_side(machine):
    """Real processes of four profiles at once: each posts on its account, and a second run finds its slot used."""
    names = ["anna", "bert-2", "c_3", "4d"]
    for name in names:
        machine.add(name, POST_INTERVAL_MINUTES="1440")
    for _ in range(2):
        runs = [machine.start("--profile", name) for name in names[:2]] + [
            machine.start(PROFILE=name) for name in names[2:]
        ]
        assert [(*run.communicate(timeout=60), run.returncode) for run in runs] == [("", "", 0)] * 4
    for name in names:
        (tweet,) = machine.tweets_of(name)
        (row,) = machine.rows(name)
        assert (row["status"], row["tweet_id"]) == ("posted", tweet.id)
        story = json.dumps(machine.log_lines(name))
        assert str(tweet.id) in story
        assert not any(str(other.id) in story for other in machine.x.accepted if other is not tweet)
        for folder in (machine.folder / "data" / "profiles" / name, machine.folder / "logs" / name):
            assert folder.stat().st_mode & 0o077 == 0
    assert sorted(p.name for p in (machine.folder / "data" / "profiles" / "anna").iterdir()) == [
        ".env",
        "twitter.db",
        "twitter.db.in-use",
        "twitter.db.lock",
    ]


def test_a_lock_holds_one_profile_only(machine):
    """While one profile is at work, its second run does nothing and another profile's run posts."""
    machine.add("a")
    machine.add("b")
    with writer_lock(machine.settings("a").database) as ours:
        assert ours
        assert machine.cli("--profile", "a").returncode == 0
        assert machine.cli("--profile", "b").returncode == 0
    assert (len(machine.tweets_of("a")), len(machine.tweets_of("b"))) == (0, 1)
    assert "tweet" not in json.dumps(machine.log_lines("a"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--profile", "a", "status"],
        ["status", "--profile", "a"],
        ["--profile=a", "drafts", "list"],
        ["drafts", "--profile", "a", "list"],
        ["drafts", "list", "--profile", "a"],
        ["--profile", "a"],
    ],
)
def test_before_and_after_the_command(arguments):
    """--profile is read wherever it stands, as is --json."""
    assert parse(arguments).profile == "a"
    assert parse([*arguments, "--json"]).json is parse(["--json", *arguments]).json is True


def test_help_names_the_way():
    """--help tells of profiles."""
    assert "data/profiles/NAME" in build_parser().format_help()


def test_two_profiles_at_once(capsys):
    """A line that names two accounts is refused: one of them would be the wrong one."""
    with pytest.raises(SystemExit, match="2"):
        parse(["--profile", "a", "undo", "3", "--profile", "b"])
    assert "two profiles at once" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "A", "../a", "a/b", ".accounts", "-a", "a b", "ä", "a" * 33, "a\n"])
def test_names(machine, name):
    """A profile's name is a plain word: nothing that leaves the folder, hides in it or looks like an option."""
    machine.add("a")
    if name:
        with pytest.raises(UsageError, match="name of a profile"):
            config.load(machine.env, name)
    assert config.load(machine.env, "a").profile == "a"


def test_bad_name_on_the_command_line(machine):
    """The program says what a name may be, exit 2, and makes nothing."""
    for run in (machine.cli("--profile", "../x", "status"), machine.cli("status", PROFILE="../x")):
        assert run.returncode == 2
        assert "small letters" in run.stderr
    assert not machine.folder.joinpath("data").exists()


def test_a_profile_that_is_not_there(machine):
    """A mistyped profile is no new account: 78, the file to create, and the name that was meant; nothing is made."""
    machine.add("main-account")
    done = machine.cli("--profile", "main-acount")
    assert done.returncode == 78
    file = machine.folder / "data" / "profiles" / "main-acount" / ".env"
    assert f"{file} does not exist; did you mean main-account?" in done.stderr
    assert f"install -m 600 {ROOT}/.env.example {file}" in done.stderr
    assert not file.parent.exists()
    (fix,) = [
        line.partition("type: ")[2].partition(", then")[0]
        for line in done.stderr.splitlines()
        if "fix:" in line
    ]
    subprocess.run(["sh", "-c", fix], check=True)
    missing = machine.cli("--profile", "main-acount")
    assert missing.returncode == 78
    assert "TWITTER_API_KEY" in missing.stderr
    assert f"copy .env.example to {file}, chmod 600 {file}" in missing.stderr


def test_folders(machine):
    """Database and logs are the profile's; the models are shared, wherever they are."""
    machine.add("a")
    data = machine.folder / "data"
    a, default = machine.settings("a"), config.load(machine.env)
    assert (a.database, a.log_dir, a.models_dir) == (
        data / "profiles" / "a" / "twitter.db",
        machine.folder / "logs" / "a",
        data / "models",
    )
    assert (default.database, default.models_dir) == (data / "twitter.db", data / "models")
    machine.env["MODELS_DIR"] = "/somewhere/models"
    assert str(machine.settings("a").models_dir) == "/somewhere/models"


def test_env_file_and_a_profile(machine):
    """ENV_FILE would give every profile one account's keys: both together are refused."""
    machine.add("a")
    with pytest.raises(UsageError, match="each name"):
        config.load({**machine.env, "ENV_FILE": "/x"}, "a")


def test_profile_in_an_env_file(machine):
    """A .env cannot choose the profile: it is itself a profile's."""
    machine.add("a", PROFILE="b")
    with pytest.raises(ConfigError, match="PROFILE: cannot be set"):
        machine.settings("a")


# ---- one profile for each account ------------------------------------------------------------------------------


def test_two_profiles_with_the_same_keys(machine):
    """Two databases never post to one account: the second profile is refused before anything is asked of X."""
    machine.add("a")
    machine.add("copy", keys_of="a")
    assert machine.cli("--profile", "a").returncode == 0
    asked = len(machine.x.requests)
    done = machine.cli("--profile", "copy")
    assert done.returncode == 78
    assert "profile a already posts to the account" in done.stderr
    mark = done.stderr.rpartition("type: rm ")[2].strip()
    assert os.readlink(mark) == "../a"
    assert str(machine.folder / "data" / "profiles" / "copy" / ".env") in done.stderr
    checked = json.loads(machine.cli("check", "--profile", "copy", "--json").stdout)["parts"]
    assert not checked[0]["ok"]
    assert len(machine.x.requests) == asked
    assert machine.cli("--profile", "a").returncode == 0


def test_a_renamed_profile_keeps_its_account(machine):
    """The mark of a profile that is gone holds nobody up."""
    machine.add("old")
    claim_account(machine.settings("old"))
    (machine.folder / "data" / "profiles" / "old").rename(machine.folder / "data" / "profiles" / "new")
    claim_account(machine.settings("new"))
    machine.add("old")
    with pytest.raises(ConfigError, match="profile new already posts"):
        claim_account(machine.settings("old"))


def test_the_account_without_a_profile(machine):
    """The account of the plain .env counts as well."""
    machine.add("a")
    keys = machine.credentials("a")
    plain = {**machine.env, "TWITTER_ACCESS_TOKEN": keys.access_token}
    claim_account(config.load(plain))
    with pytest.raises(ConfigError, match="the account without a profile already posts"):
        claim_account(machine.settings("a"))


def test_claims_in_a_race(machine):
    """Of twenty profiles with one account that start together, one gets it."""
    for name in NAMES:
        machine.add(name, keys_of="a")
    pids = []
    for name in NAMES:
        pid = os.fork()
        if pid == 0:
            code = 1
            with contextlib.suppress(ConfigError):
                claim_account(machine.settings(name))
                code = 0
            os._exit(code)
        pids.append(pid)
    assert sorted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids) == [0] + [1] * 19


def test_one_account_needs_no_marks(tmp_path):
    """Without profiles nothing is made for them."""
    with FakeX() as x:
        world = World(tmp_path, x, None)
        claim_account(world.settings)
        assert not (tmp_path / "data").exists()


# ---- one model at a time ---------------------------------------------------------------------------------------


def test_one_model_at_a_time(tmp_path):
    """While one process has the model in memory another one waits, and after its patience goes without."""
    with model_turn(tmp_path, 5) as first, model_turn(tmp_path, 0.05) as second:
        assert (first, second) == (True, False)
    with model_turn(tmp_path, 0.05) as third:
        assert third
    assert list(tmp_path.iterdir()) == []
    with model_turn(tmp_path / "none", 0.05) as nowhere:
        assert nowhere


def test_a_turn_that_does_not_come_costs_the_opening_only(machine):
    """A model that others keep busy is one that wrote nothing, told with the way out."""
    machine.add("a", MODE="hook")
    settings = machine.settings("a")
    settings.models_dir.mkdir(parents=True)
    with (
        model_turn(settings.models_dir, 5),
        pytest.raises(ModelError, match="other accounts kept the model busy") as caught,
    ):
        client.write(settings, Model(settings.models_dir, "m"), [("s", "text")], seconds=0.1, seed=1)
    assert "install --print" in caught.value.fix.render()


# ---- words -----------------------------------------------------------------------------------------------------


def test_a_fix_names_the_settings_of_the_profile():
    """The settings file of a fix is the profile's own, as a person types it in the program's folder."""
    fix = Fix("copy .env.example to ", env_file(), ", then ", command("check"))
    assert fix_text(fix, "a") == "copy .env.example to data/profiles/a/.env, then `check --profile a`"
    assert fix_text(fix, "") == "copy .env.example to .env, then `check`"


def test_messages_name_the_profile(machine):
    """What a person reads of a profile in trouble names the profile: the tick, the commands, JSON, and the log."""
    machine.add("a")
    machine.x.on_post(fake_x.close(accept=True))
    machine.x.always_get = fake_x.not_found()
    machine.x.on_get(fake_x.ok())
    tick = machine.cli("--profile", "a", RECONCILE_DELAYS_SECONDS="0")
    assert tick.returncode == 76
    assert tick.stderr.startswith("twitter_manager (a): ")
    assert "history" in machine.cli("reconcile", "999", "--not-posted", "--profile", "a").stderr
    assert (
        "python -m src.twitter_manager --profile a history"
        in machine.cli("reconcile", "999", "--not-posted", "--profile", "a").stderr
    )
    assert "`drafts generate -n 10 --profile a`" in machine.cli("drafts", "list", "--profile", "a").stdout
    assert "--profile a history" in json.dumps(machine.log_lines("a"))
    broken = machine.folder / "broken.jsonl"
    broken.write_text("{}\n")
    rows = {
        row["part"]: row
        for row in json.loads(
            machine.cli(
                "check", "--profile", "a", "--json", SOURCES=str(broken), BUILTIN_LIBRARY="false"
            ).stdout
        )["parts"]
    }
    assert rows["library"]["fix"] == "type: python -m src.twitter_manager --profile a sources check"
    preview = machine.cli("--dry-run", "--profile", "a", SOURCES=str(broken), BUILTIN_LIBRARY="false")
    assert "--profile a`" in preview.stderr, preview.stderr


def test_a_blocked_profile_in_status(machine):
    """The file that status names after a refusal is the profile's own."""
    machine.add("a")
    machine.x.on_post(fake_x.unauthorized())
    done = machine.cli("--profile", "a")
    assert done.returncode == 77
    file = str(machine.folder / "data" / "profiles" / "a" / ".env")
    assert file in done.stderr
    assert file in machine.cli("status", "--profile", "a").stdout


def test_alerts_name_the_profile(machine, hook):
    """An owner of twenty accounts sees in the subject which one it is, and in the text what to type for it."""
    url = f"json://127.0.0.1:{hook.server_address[1]}/"
    machine.add("a", ALERT_URLS=url)
    machine.add("b", ALERT_URLS=url)
    settings = machine.settings("a")
    lost = Post(7, "A text.", Status.UNKNOWN, sent_at=START)
    alerts.watch(Facts(unknown=(lost,)), settings, START.replace(hour=23))
    ((_, body),) = hook.seen
    assert json.loads(body)["title"] == "twitter_manager (a): unknown"
    assert "`reconcile 7 --posted TWEET_ID --profile a`" in json.loads(body)["message"]
    assert (settings.data_dir / "alerts.json").exists()
    assert not (machine.settings("b").data_dir / "alerts.json").exists()
