"""The logs of the program: rotated, readable, and never a reason not to post."""

import json
import os
import pty
import re
import resource
import stat
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from src.config import ROOT
from src.system import log, log_rotation
from tests import fake_x
from tests.support.logs import NOW, lines, set_aside, written
from tests.support.world import World

WORDING = {"CANDIDATES": "0", "POST_INTERVAL_MINUTES": "1440"}


@pytest.fixture
def still(tmp_path):
    """A world in real time, which subprocesses share."""
    with fake_x.FakeX() as x:
        yield World(tmp_path, x, None, extra=dict(WORDING))


def test_many_rotate_at_once(tmp_path):
    """Twelve processes rotate and write at once, again and again: every line is there once, no file is overwritten."""
    rules = log_rotation.Rules(max_bytes=600, rotate_days=7, keep_days=60)
    pids = []
    for process in range(12):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for number in range(8):
                    log_rotation.rotate(tmp_path, rules, NOW)
                    assert log.set_up(tmp_path, "INFO", f"{process}", log.Redactor(())) == ""
                    log.logger.info("line", extra={"n": number})
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    assert {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids} == {0}
    seen = [
        (entry["run"], entry["n"])
        for file in tmp_path.glob("twitter_manager.log*")
        if file.suffix != ".lock"
        for entry in lines(file)
    ]
    dropped = 96 - len(seen)
    assert len(set(seen)) == len(seen)
    assert len(set_aside(tmp_path)) <= log_rotation.MOST_SET_ASIDE
    assert dropped == 0 or len(set_aside(tmp_path)) == log_rotation.MOST_SET_ASIDE


def test_a_run_rotates_its_logs(still):
    """The program sets a large file aside at its start and writes on in a new one, both private."""
    written(still.folder / "logs", size=300_000).chmod(0o600)
    assert still.cli(env={"LOG_MAX_MB": "0.2"}).returncode == 0
    assert len(set_aside(still.folder / "logs")) == 1
    assert "send" in [entry["event"] for entry in lines(still.folder / "logs" / log.ALL_FILE)]
    assert {stat.S_IMODE(f.stat().st_mode) for f in (still.folder / "logs").iterdir()} == {0o600}


def test_a_full_disk_under_the_logs_does_not_stop_a_post(still):
    """No file may grow beyond a size that the log has and the database has not: posted, exit 0, one line on stderr says so."""
    written(still.folder / "logs", size=1_500_000, at=datetime.now(UTC))
    done = still.cli(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)))
    assert done.returncode == 0
    assert re.fullmatch(
        r"twitter_manager: \d+ log lines could not be written: File too large\n  fix: make room: df -h \S+logs\n",
        done.stderr,
    )
    assert len(still.x.texts()) == 1
    still.check_promise()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a disk")
def test_a_full_disk_of_its_own_does_not_stop_a_post(still):
    """The same on a real disk without a free byte, and the early lines fit again once there is room."""
    logs = still.folder / "logs"
    logs.mkdir()
    script = (
        f"mount -t tmpfs -o size=64k none {logs} && dd if=/dev/zero of={logs}/fill bs=1k count=64 2>/dev/null; "
        f"{sys.executable} -m src.twitter_manager; echo exit $?; ls {logs}; rm {logs}/fill; {sys.executable} -m src.twitter_manager; wc -l < {logs}/twitter_manager.log"
    )
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", script],
        cwd=ROOT,
        env={"PATH": "/usr/sbin:/usr/bin:/bin", **still.env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(done.stderr)
    assert "exit 0" in done.stdout
    assert "No space left" in done.stderr
    assert int(done.stdout.split()[-1]) >= 1
    assert len(still.x.texts()) == 1


def test_unwritable_folder_and_closed_stderr(still):
    """Logs that cannot be opened and a closed stderr together: the post goes out."""
    (still.folder / "file").touch()
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m src.twitter_manager -v 2>&-"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **still.env, "LOG_DIR": str(still.folder / "file" / "logs")},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert len(still.x.texts()) == 1


def test_broken_settings_are_in_the_log_files(still):
    """Settings trouble is told on stderr and is in the log folder too, without the secrets that stand beside it."""
    key = still.x.credentials.api_key
    done = still.cli(env={"CANDIDATES": "many", "X_API_BASE_URL": f"ftp://{key}"})
    assert done.returncode == 78
    entry = lines(still.folder / "logs" / log.ERROR_FILE)[-1]
    assert (entry["event"], entry["exit_code"]) == ("trouble", 78)
    assert "CANDIDATES" in entry["message_text"]
    assert key not in (still.folder / "logs" / log.ERROR_FILE).read_text() + done.stderr
    assert "trouble" not in done.stderr.split("fix:")[0]


def test_verbose_and_quiet(still):
    """-v shows events as text on stderr, before or after the command; -q leaves even trouble to the files, as long as they take it."""
    done = still.cli("-v")
    assert done.returncode == 0
    assert re.search(r"^\d\d:\d\d:\d\d INFO +send .*outcome=posted", done.stderr, re.MULTILINE)
    assert "DEBUG" not in done.stderr
    assert "tick outcome=nothing-due:slot-used" in still.cli("-vv", "--json").stderr
    assert still.cli("status", "-v").returncode == still.cli("-v", "status").returncode == 0
    assert json.loads(still.cli("--json", "status").stdout)["healthy"]
    quiet = still.cli("-q", env={"TWITTER_API_KEY": ""})
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (78, "", "")
    assert "TWITTER_API_KEY" in (still.folder / "logs" / log.ERROR_FILE).read_text()
    (still.folder / "file").touch()
    assert (
        "TWITTER_API_KEY"
        in still.cli("-q", env={"TWITTER_API_KEY": "", "LOG_DIR": str(still.folder / "file" / "l")}).stderr
    )
    assert still.cli("-q", "-v").returncode == 2


def on_a_terminal(world, *arguments, **env):
    """What the program writes to a terminal."""
    master, slave = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "src.twitter_manager", *arguments],
        cwd=ROOT,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={"PATH": "/usr/bin:/bin", "TERM": "xterm", **world.env, **env},
    )
    os.close(slave)
    output = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:
            piece = b""
        if not piece:
            break
        output += piece
    os.close(master)
    done.wait(60)
    return output.decode()


def test_colours(still):
    """Colour only on a terminal that wants it: not with NO_COLOR, not on a dumb one, not into a pipe. Words stay the same."""
    plain = still.cli("-v", env={"TWITTER_API_KEY": ""}).stderr
    assert "\x1b" not in plain
    coloured = on_a_terminal(still, "-v", TWITTER_API_KEY="")
    assert "\x1b[1;31mtwitter_manager:\x1b[0m" in coloured
    assert "\x1b[31mERROR" in coloured
    without = on_a_terminal(still, "-v", TWITTER_API_KEY="", NO_COLOR="1")
    assert "\x1b" not in without
    assert "\x1b" not in on_a_terminal(still, TWITTER_API_KEY="", TERM="dumb")
    assert "\x1b" in on_a_terminal(still, TWITTER_API_KEY="", NO_COLOR="")
    assert (
        re.sub(r"\x1b\[[\d;]*m", "", coloured).splitlines()[1:]
        == without.splitlines()[1:]
        == plain.splitlines()[1:]
    )
