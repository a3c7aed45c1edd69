"""What `install --print` prints: a cron line that runs under cron's environment, and units that systemd takes."""

import json
import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from src import config
from src.commands.parser import build_parser
from src.config import ROOT
from src.upkeep import install, units
from tests.support.install import awkward_machine, jobs, printed

EXPOSURE = 20  # tenths: what `systemd-analyze security` may say at most; 13 as a user of its own, 16 as root


@pytest.fixture
def machine(tmp_path):
    """A machine whose folders are hard to quote."""
    with awkward_machine(tmp_path) as made:
        yield made


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
        every = config.load({"POST_INTERVAL_MINUTES": str(minutes)})  # not thinned out by the cap
        settings = every.model_copy(update={"profile": name, "max_posts_per_day": 288})
        span = min(minutes, 60)
        starts = [int(m) for m in jobs(units.cron(settings))[0].split()[0].split(",")]
        assert [m // span for m in starts] == list(range(60 // span))
        unit = units.units(settings)[f"twitter_manager{'-' + name if name else ''}.timer"]
        delay = int(re.search(r"RandomizedDelaySec=(\d+)", unit)[1])
        assert all(0 < m % span and (m % span) * 60 + delay < span * 60 for m in starts)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"])
@pytest.mark.parametrize("cron_zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
def test_every_wanted_time_has_its_start(zone, cron_zone, monkeypatch):
    """Whatever the zones of owner and machine, a run starts in the minute of each time, and an hour later again."""
    monkeypatch.setattr(units, "local_zone", lambda: ZoneInfo(cron_zone))
    settings = config.load({"POST_TIMES": "09:00,13:20,18:00", "TIME_ZONE": zone})
    minutes, hours = jobs(units.cron(settings))[0].split()[:2]
    assert hours == "*"
    starts = {int(minute) for minute in minutes.split(",")}
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for slot in settings.schedule.between(begin, begin + timedelta(days=365)):
        assert slot.start.astimezone(ZoneInfo(cron_zone)).minute in starts
    unit = units.units(settings)["twitter_manager.timer"]
    timed = {int(minute) for minute in re.search(r"\*:([\d,]+):00 UTC", unit)[1].split(",")}
    assert timed == set(units.start_minutes(settings))
    assert len(starts) <= 4


def test_many_minutes_are_every_fifth():
    """A line with more than twelve minutes would not be read by anybody: every fifth minute does."""
    assert len(units.start_minutes(config.load({"POSTS_PER_DAY": "50", "MAX_POSTS_PER_DAY": "50"}))) == 12


def test_profiles_at_one_time_are_spread():
    """Profiles that share their times start within five minutes of them, not all in one."""
    made = config.load({"POST_TIMES": "09:00"})
    starts = [units.start_minutes(made.model_copy(update={"profile": f"account-{n}"})) for n in range(20)]
    assert {minute for (minute,) in starts} == {0, 1, 2, 3, 4}
    assert units.start_minutes(made) == [0]


def test_profiles_are_spread():
    """Twenty profiles do not start in the same minute."""
    minutes = [
        units.start_minutes(config.load({}).model_copy(update={"profile": f"account-{number}"}))[0]
        for number in range(20)
    ]
    assert len(set(minutes)) >= 12


def test_no_unit_leaves_a_core_dump():
    """A crash of a service writes no copy of its memory, in which the keys are."""
    for of_user in (False, True):
        made = units.units(config.load({}), of_user=of_user)
        assert all("\nLimitCORE=0\n" in text for name, text in made.items() if name.endswith(".service"))


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


@pytest.mark.parametrize(
    ("folder", "address"),
    [
        ("/opt/bot", "file:///opt/bot/README.md"),
        ("/home/me/my bot", "file:///home/me/my%%20bot/README.md"),
        ('/srv/100% "it\'s" $me;\\x', "file:///srv/100%%25%%20%%22it%%27s%%22%%20%%24me%%3B%%5Cx/README.md"),
        ("/srv/böt", "file:///srv/b%%C3%%B6t/README.md"),
    ],
)
def test_the_address_of_the_documents(monkeypatch, folder, address):
    """It is one valid address, whatever the folder's name is: for systemd %% is one %."""
    monkeypatch.setattr(units, "ROOT", Path(folder))
    text = units.service(config.load({}), "post", "")
    assert f"\nDocumentation={address}\n" in text


@pytest.mark.needs("systemd")
def test_systemd_takes_the_address(monkeypatch, tmp_path):
    """`systemd-analyze verify` ignores no address of a folder with spaces and signs."""
    (root := tmp_path / "my 100% bot's").mkdir()
    monkeypatch.setattr(units, "ROOT", root)
    file = tmp_path / "bot.service"
    file.write_text(units.service(config.load({"DATA_DIR": str(tmp_path)}), "post", ""))
    done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)
    assert "Documentation" not in done.stderr
    assert "Invalid URL" not in done.stderr


@pytest.fixture
def unit_files(machine, tmp_path):
    """The units of the plain account and of a profile, as files; a test can have no user of its own."""
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


@pytest.mark.needs("systemd")
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


@pytest.mark.needs("systemd")
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


@pytest.mark.needs("systemd")
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


# ---- putting it in place ------------------------------------------------

CRONTAB = """\
#!/bin/sh
# A crontab that keeps its table in a file beside it, as Debian's prints and reads one.
table="$(dirname "$0")/table"
case "$1" in
-l) if [ -f "$table" ]; then cat "$table"; else echo "no crontab for me" >&2; exit 1; fi ;;
-) cat > "$table" ;;
*) exit 2 ;;
esac
"""
SYSTEMCTL = """\
#!/bin/sh
# A systemctl that notes what it is told.
echo "$@" >> "$(dirname "$0")/told"
"""


@pytest.fixture
def home(machine, tmp_path):
    """A home with a crontab and a systemctl of its own."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("crontab", CRONTAB), ("systemctl", SYSTEMCTL)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    machine.env |= {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path / "home")}
    return programs


def table_of(home):
    return (home / "table").read_text() if (home / "table").exists() else ""


OWN = "MAILTO=me\n\n5 4 * * * backup 'a b' % input\n# a remark without an end of line"


def test_apply_puts_cron_lines_in_place(machine, home):
    """The lines are between two comments, twice changes nothing, other lines keep every byte, and the job posts."""
    (home / "table").write_text(OWN)
    for _ in range(2):
        done = machine.cli("install", "--apply", "--yes", "--profile", "a")
        assert done.returncode == 0, done.stderr
    table = table_of(home)
    assert table.startswith(OWN + "\n# BEGIN twitter_manager (a) in ")
    assert table.count("# BEGIN") == table.count("# END") == 1
    assert "\nPATH=" not in table
    ours = table.partition("# BEGIN")[2]
    assert as_cron_does(ours, jobs(ours)[0]).returncode == 0
    assert len(machine.tweets_of("a")) == 1


def test_profiles_have_lines_of_their_own(machine, home):
    """Each profile has a block; taking out one leaves the other and what the owner wrote between them."""
    machine.add("b", POST_INTERVAL_MINUTES="1440")
    for name in ("a", "b"):
        assert machine.cli("install", "--apply", "--yes", "--profile", name).returncode == 0
        with (home / "table").open("a") as file:
            file.write(f"# written after {name}\n")
    done = machine.cli("install", "--remove", "--yes", "--profile", "a", "--json")
    assert json.loads(done.stdout) == {"removed": ["cron"], "exit_code": 0}
    table = table_of(home)
    assert "--profile a" not in table
    assert table.count("--profile b") == 2
    assert "# written after a\n" in table
    assert table.endswith("# written after b\n")
    assert json.loads(machine.cli("install", "--remove", "--yes", "--profile", "a", "--json").stdout) == {
        "removed": [],
        "exit_code": 0,
    }


def test_apply_asks_first(machine, home):
    """Without --yes and without an answer the plan is shown and nothing is changed."""
    done = machine.cli("install", "--apply", "--profile", "a")
    assert done.returncode == 0
    assert "# BEGIN twitter_manager (a)" in done.stdout
    assert done.stdout.endswith("nothing was changed\n")
    assert table_of(home) == ""
    assert not (home.parent / "home").exists()


def test_a_block_without_its_end(machine, home):
    """A block whose end was deleted is not guessed at: 2, and the table stays."""
    machine.cli("install", "--apply", "--yes")
    broken = table_of(home).replace("# END", "# end")
    (home / "table").write_text(broken)
    done = machine.cli("install", "--apply", "--yes")
    assert (done.returncode, "crontab -e" in done.stderr) == (2, True)
    assert table_of(home) == broken


def test_no_crontab_program(machine, tmp_path):
    """On a machine without cron that is said, and nothing is written."""
    machine.env |= {"PATH": "/nowhere", "HOME": str(tmp_path / "home")}
    done = machine.cli("install", "--apply", "--yes")
    assert (done.returncode, "crontab is not installed" in done.stderr) == (2, True)
    assert not (tmp_path / "home").exists()


def test_a_crontab_that_refuses(machine, home):
    """A crontab that does not take the table ends with 74 and its own words."""
    (home / "crontab").write_text(
        '#!/bin/sh\n[ "$1" = -l ] && exit 1\necho "you are not allowed" >&2\nexit 1\n'
    )
    done = machine.cli("install", "--apply", "--yes")
    assert (done.returncode, "you are not allowed" in done.stderr) == (74, True)


@pytest.mark.parametrize("root", [True, False])
def test_apply_puts_units_in_place(machine, home, monkeypatch, tmp_path, root):
    """Root's units go to the machine's systemd, a user's to the user's own; the timers are started and stopped."""
    folder = tmp_path / "home" / ".config" / "systemd" / "user" if not root else tmp_path / "system"
    monkeypatch.setattr(install.os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(install, "SYSTEM_UNITS", folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", machine.env["PATH"])
    settings = config.load(machine.env, "a")
    where = install.manager()
    assert install.put_units(settings, where) == install.put_units(settings, where)
    names = [
        f"twitter_manager-a{part}" for part in ("-maintain.service", "-maintain.timer", ".service", ".timer")
    ]
    assert sorted(file.name for file in folder.iterdir()) == names
    service = (folder / "twitter_manager-a.service").read_text()
    assert ("User=" in service, "ProtectSystem=strict" in service) == (root, root)
    assert "LoadCredential" not in service  # there are no key files on this machine
    user = [] if root else ["--user"]
    timers = ["twitter_manager-a.timer", "twitter_manager-a-maintain.timer"]
    started = [" ".join([*user, "daemon-reload"]), " ".join([*user, "enable", "--now", *timers])]
    assert (home / "told").read_text().splitlines() == started * 2
    assert install.remove_units(settings, where)
    assert not list(folder.iterdir())
    stopped = [" ".join([*user, "disable", "--now", *timers]), " ".join([*user, "daemon-reload"])]
    assert (home / "told").read_text().splitlines()[4:] == stopped
    assert not install.remove_units(settings, where)


@pytest.mark.needs("systemd")
def test_units_of_a_user_are_taken(machine, tmp_path):
    """`systemd-analyze verify --user` has nothing to say about a user's own units."""
    texts = units.units(config.load(machine.env, "a"), of_user=True)
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    files = [tmp_path / name for name in texts]
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", *files],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_launcher(machine, home, tmp_path):
    """The launcher runs the program from a folder that has a `src` and a `dotenv.py` of its own, and goes again."""
    machine.cli("install", "--apply", "--yes")
    launcher = tmp_path / "home" / ".local" / "bin" / "twitter_manager"
    foreign = tmp_path / "foreign"
    (foreign / "src").mkdir(parents=True)
    for name in ("src/__init__.py", "dotenv.py", "argparse.py"):
        (foreign / name).write_text("raise SystemExit('foreign code ran')")
    done = subprocess.run(
        [launcher, "install", "--print", "--cron", "--profile", "a"],
        cwd=foreign,
        env=machine.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--profile a maintain" in done.stdout
    assert json.loads(machine.cli("install", "--remove", "--yes", "--json").stdout)["removed"] == [
        "cron",
        "launcher",
    ]
    assert not launcher.exists()


def test_a_foreign_launcher_stays(machine, home, tmp_path):
    """A program of the same name that is not ours is neither replaced nor removed, and nothing else is changed."""
    file = tmp_path / "home" / ".local" / "bin" / "twitter_manager"
    file.parent.mkdir(parents=True)
    file.write_text("#!/bin/sh\necho mine\n")
    done = machine.cli("install", "--apply", "--yes")
    assert (done.returncode, "is not a launcher of this program" in done.stderr) == (2, True)
    assert table_of(home) == ""
    machine.cli("install", "--remove", "--yes")
    assert file.read_text() == "#!/bin/sh\necho mine\n"


@pytest.mark.parametrize(
    "arguments",
    [["--yes"], ["--apply", "--unit", "x.timer"], ["--apply", "--remove"], ["--print", "--apply"]],
)
def test_what_does_not_go_together(machine, arguments):
    """A combination of options that means nothing is a usage error."""
    assert machine.cli("install", *arguments).returncode == 2


@pytest.mark.parametrize(
    ("megabytes", "most"),
    [(135, "1024M"), (270, "1280M"), (800, "2304M"), (2000, "4608M"), (16000, "31488M")],
)
def test_memory_fits_the_model(megabytes, most):
    """A larger model gets more memory; the embedded one the gigabyte that it had."""
    assert units.memory_max(megabytes * 1_000_000) == most
    assert int(units.memory_max(megabytes * 1_000_000, "float32")[:-1]) > int(most[:-1])


def test_memory_of_the_chosen_model(tmp_path):
    """The unit's MemoryMax follows the size of the weights that MODEL names."""
    (tmp_path / "model.safetensors").touch()
    os.truncate(tmp_path / "model.safetensors", 2_000_000_000)
    large = units.units(config.load({"MODEL": str(tmp_path)}))["twitter_manager.service"]
    none = units.units(config.load({"DATA_DIR": str(tmp_path)}))["twitter_manager.service"]
    assert ("MemoryMax=4608M" in large, "MemoryMax=1024M" in none) == (True, True)


def test_no_timeout_program(monkeypatch):
    """Where the machine has no `timeout`, the line does without."""
    settings = config.load({})
    assert "timeout -k 60" in units.cron(settings)
    monkeypatch.setattr(units, "CRON_PATH", "/nowhere")
    assert "timeout" not in units.cron(settings)
    assert " -m src.twitter_manager\n" in units.cron(settings)


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
