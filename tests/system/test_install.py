"""What `install --print` prints: a cron line that runs under cron's environment, and units that systemd takes."""

import json
import re
import subprocess
import time
from datetime import UTC, datetime

import pytest

from src import config
from src.commands.parser import build_parser
from src.config import ROOT
from src.upkeep import units
from tests.conftest import need
from tests.fake_x import FakeX
from tests.process.test_accounts import Machine
from tests.system.test_cron import as_root, own_crontab, private_cron  # noqa: F401 (a fixture among them)

EXPOSURE = 20  # tenths: what `systemd-analyze security` may say at most; 13 as a user of its own, 16 as root


@pytest.fixture
def machine(tmp_path):
    """A machine whose folders have every character that cron, the shell or systemd reads in a way of its own."""
    with FakeX() as x:
        folder = tmp_path / "it's 100% $HOME"
        folder.mkdir()
        made = Machine(folder, x)
        made.add("a", POST_INTERVAL_MINUTES="1440")
        yield made


def printed(machine, *arguments, **env):
    done = machine.cli("install", "--print", *arguments, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_cron_does(table, job):
    """Run one job of a crontab as cron does: its own few variables, those of the table, % ends the line, \\% is %."""
    own = dict(re.findall(r"^([A-Z]+)=(.*)$", table, re.MULTILINE))
    command = re.split(r"(?<!\\)%", job.split(maxsplit=5)[5])[0].replace(r"\%", "%")
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd="/",
        env={"HOME": "/", "LOGNAME": "root", "SHELL": "/bin/sh", **own},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def jobs(table):
    return [line for line in table.splitlines() if re.match(r"[\d,]+ ", line)]


def test_cron_line_runs(machine):
    """The line that is printed posts for its profile under cron's environment, and says nothing."""
    table = printed(machine, "--cron", "--profile", "a")
    post, maintain = jobs(table)
    done = as_cron_does(table, post)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(machine.tweets_of("a")) == 1
    assert re.match(
        r"\d+ \* \* \* \* cd \S.* timeout -k 60 600 /.*python\S* -m src\.twitter_manager --profile a$", post
    )
    assert re.match(r"\d+ 3 \* \* \* .* --profile a maintain$", maintain)
    assert as_cron_does(table, maintain).returncode == 0


def test_what_only_the_shell_knows(machine):
    """Settings of the printing shell come along; its secrets do not, and that is told."""
    table = printed(machine, "--cron", "--profile", "a", TWITTER_API_KEY="a-key-from-the-shell-1234567890")
    assert "a-key-from-the-shell" not in table
    assert "TWITTER_API_KEY: set in this shell only" in table
    assert "DATA_DIR=" in table
    unit = printed(
        machine,
        "--unit",
        "twitter_manager-a.service",
        "--profile",
        "a",
        TWITTER_API_KEY="a-key-from-the-shell-1234567890",
    )
    assert "a-key-from-the-shell" not in unit
    assert f'Environment="DATA_DIR={machine.folder}/data"'.replace("%", "%%") in unit


@pytest.mark.parametrize("minutes", [5, 10, 15, 20, 30, 60, 120, 1440])
def test_every_start_falls_into_a_slot_of_its_own(minutes):
    """Whatever the interval and the profile: each slot gets a start, and systemd's random delay stays inside of it."""
    for name in ("", *(f"profile{number}" for number in range(40))):
        settings = config.load({"POST_INTERVAL_MINUTES": str(minutes)}).model_copy(update={"profile": name})
        span = min(minutes, 60)
        starts = [int(m) for m in jobs(units.cron(settings))[0].split()[0].split(",")]
        assert [m // span for m in starts] == list(range(60 // span))
        unit = units.units(settings)[f"twitter_manager{'-' + name if name else ''}.timer"]
        delay = int(re.search(r"RandomizedDelaySec=(\d+)", unit)[1])
        assert all(0 < m % span and (m % span) * 60 + delay < span * 60 for m in starts)


def test_profiles_are_spread():
    """Twenty profiles do not start in the same minute."""
    minutes = [
        units.minute(config.load({}).model_copy(update={"profile": f"account-{number}"}))
        for number in range(20)
    ]
    assert len(set(minutes)) >= 12


def test_parts(machine):
    """Everything, one part, or one unit; JSON for programs; a unit that does not exist is refused with those that do."""
    everything = printed(machine)
    assert everything == printed(machine, "--cron") + "\n" + printed(machine, "--systemd")
    data = json.loads(printed(machine, "--json"))
    assert list(data["units"]) == [
        "twitter_manager.service",
        "twitter_manager.timer",
        "twitter_manager-maintain.service",
        "twitter_manager-maintain.timer",
    ]
    for name, text in data["units"].items():
        assert printed(machine, "--unit", name).strip() == text.strip()
    wrong = machine.cli("install", "--unit", "twitter.service")
    assert wrong.returncode == 2
    assert "twitter_manager.timer" in wrong.stderr


@pytest.fixture
def unit_files(machine, tmp_path):
    """The units of the plain account and of a profile, as files; a test can have no user of its own."""
    need("systemd-analyze", "systemd")
    folder = tmp_path / "units"
    folder.mkdir()
    for profile in ("", "a"):
        machine.env["DATA_DIR"] = (
            str(tmp_path / "it's here" / "data") if not profile else str(machine.folder / "data")
        )
        settings = config.load(machine.env, profile)
        for name, text in units.units(settings).items():
            (folder / name).write_text(text)
    return folder


def test_systemd_takes_the_units(unit_files):
    """`systemd-analyze verify` has nothing to say about any of them, and about a broken one it has."""
    files = sorted(unit_files.iterdir())
    assert len(files) == 8
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    files[0].write_text(files[0].read_text().replace("ProtectSystem=strict", "ProtectSystem=strictest"))
    assert (
        "strictest"
        in subprocess.run(
            ["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False
        ).stderr
    )


def test_the_services_are_shut_in(unit_files):
    """`systemd-analyze security` rates every service's exposure at 2.0 of 10 or lower."""
    for file in unit_files.glob("*.service"):
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", file],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-200:]


def test_what_a_service_says(unit_files):
    """A service starts this Python in this folder, gets its keys from systemd, and may write to its own folders only."""
    unit = (unit_files / "twitter_manager-a.service").read_text()
    for line in (
        f"WorkingDirectory={ROOT}",
        "Type=oneshot",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "PrivateTmp=yes",
        "LoadCredential=twitter_api_key:/etc/twitter_manager/a/twitter_api_key",
        "Environment=TWITTER_API_KEY_FILE=%d/twitter_api_key",
        "SystemCallFilter=@system-service",
        "OOMPolicy=continue",
    ):
        assert line in unit.splitlines(), line
    assert re.search(r"^ExecStart=/.*python\S* -m src\.twitter_manager --profile a$", unit, re.MULTILINE)
    writable = next(line for line in unit.splitlines() if line.startswith("ReadWritePaths="))
    assert writable.count("/profiles/a") == 1
    assert "models" not in writable
    plain = (unit_files / "twitter_manager.service").read_text()
    assert re.search(r'^ReadOnlyPaths=-"/.*/data/models"', plain, re.MULTILINE)
    assert "LoadCredential" not in (unit_files / "twitter_manager-maintain.service").read_text()
    assert "client_secret" not in plain
    secret = config.load({"TWITTER_CLIENT_ID": "id", "TWITTER_CLIENT_SECRET": "client-secret-0123456789"})
    assert "LoadCredential=twitter_client_secret:/etc/twitter_manager/twitter_client_secret" in "".join(
        units.units(secret).values()
    )
    timer = (unit_files / "twitter_manager-a.timer").read_text()
    assert "Persistent=true" in timer
    assert "RandomizedDelaySec=300" in timer


def test_folders_of_a_service_are_made_by_check(machine):
    """`check` makes every folder that the service needs: systemd refuses to start one whose folders are missing."""
    machine.cli("check", "--profile", "a")
    settings = config.load(machine.env, "a")
    unit = units.units(settings)["twitter_manager-a.service"]
    (line,) = re.findall(r"^ReadWritePaths=(.*)$", unit, re.MULTILINE)
    paths = [p.replace("%%", "%") for p in re.findall(r'"([^"]*)"', line)]
    assert len(paths) == 3
    for path in paths:
        assert (machine.folder / path).is_dir(), path


@pytest.mark.crash
def test_in_a_real_cron(machine, tmp_path, as_root):  # noqa: F811
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


def test_systemd_analyze_is_in_ci():
    """CI installs what these tests need."""
    needed = (ROOT / ".ci" / "run").read_text()
    assert all(word in needed for word in ("systemd", "zsh", "fish"))


def test_help():
    """The help says that nothing is changed."""
    parser = next(
        a for a in build_parser()._actions if isinstance(getattr(a, "choices", None), dict)
    ).choices["install"]
    assert "change nothing" in parser.format_help()
