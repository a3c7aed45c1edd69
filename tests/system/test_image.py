"""The image, really built and run, without a daemon: Debian's buildah builds it, namespaces and a root of its own run it.

`make image-test`, as root on Linux x86-64 with Python 3.11; `apt-get install buildah debootstrap` installs what it needs.
It takes some 3 GB below the temporary folder for as long as it runs. crun is not used: it refuses machines that have
both versions of cgroups. A pid namespace makes the entry point process 1, `pivot_root` gives it the image as its root.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from src.config import ROOT
from tests.fake_x import FakeX

pytestmark = [pytest.mark.image, pytest.mark.needs("image")]

# Arguments: root file system, folder for /data, "ro" or "rw", the command.
ENTER = """
set -e
root=$1 data=$2 mode=$3; shift 3
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t tmpfs tmpfs tmp
mount --bind /dev dev
mount --bind "$data" data
mount -o "remount,bind,$mode" .
pivot_root . .
umount -l .
cd "$WORKING_DIR"
exec setpriv --reuid=10001 --regid=10001 --clear-groups "$@"
"""
NO_RIGHTS = ("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")
BASE = "FROM scratch\nADD base.tar /\n"


class Image:
    """A built image, mounted: `run` starts its entry point as process 1 of a pid namespace."""

    def __init__(self, root, config):
        self.root, self.config = root, config
        assert config["User"] == "10001:10001"
        assert list(config["Volumes"]) == ["/data"]

    def start(self, data, *command, x=None, locked=False, entry=None):
        """Start a command in the image; with `locked` its root file system is read-only and it has no rights."""
        entry = self.config["Entrypoint"] if entry is None else entry
        env = (
            dict(pair.split("=", 1) for pair in self.config["Env"])
            | (keys(x) if x else {})
            | {"WORKING_DIR": self.config["WorkingDir"]}
        )
        enter = [
            "sh",
            "-c",
            ENTER,
            "enter",
            self.root,
            data,
            "ro" if locked else "rw",
            *(NO_RIGHTS if locked else ()),
        ]
        line = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--ipc",
            "--uts",
            *enter,
            *entry,
            *command,
        ]
        return subprocess.Popen(
            line,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, data, *command, **options):
        """Run a command in the image to its end; its exit code and its output."""
        process = self.start(data, *command, **options)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output


def keys(x):
    """Return the settings that point the program to the fake X."""
    c = x.credentials
    return {
        "X_API_BASE_URL": x.url,
        "TWITTER_API_KEY": c.api_key,
        "TWITTER_API_SECRET": c.api_secret,
        "TWITTER_ACCESS_TOKEN": c.access_token,
        "TWITTER_ACCESS_TOKEN_SECRET": c.access_token_secret,
    }


def quiet(*command, **options):
    """Run a step of the build; a failing one shows the end of its output."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout[-4000:]}"


@pytest.fixture(scope="module")
def image():
    """Build the image on a Debian base of its own, from wheels, and mount it."""
    if os.geteuid() != 0:
        pytest.skip("mounts and chroot isolation need root")
    folder = Path(tempfile.mkdtemp(prefix="twitter_manager-image-"))
    buildah = [
        "buildah",
        "--root",
        f"{folder}/store",
        "--runroot",
        f"{folder}/run",
        "--storage-driver",
        "vfs",
    ]
    build = [*buildah, "bud", "--isolation", "chroot", "--format", "docker", "--quiet"]
    try:
        quiet("make", "--old-file", f"{sys.prefix}/.installed", f"VENV={sys.prefix}", "wheels", cwd=ROOT)
        quiet(
            "debootstrap", "--variant=minbase", "--include=python3,python3-venv", "bookworm", folder / "base"
        )
        (folder / "context").mkdir()
        (folder / "context" / "Dockerfile").write_text(BASE)
        quiet("tar", "-C", folder / "base", "-cf", folder / "context" / "base.tar", ".")
        shutil.rmtree(folder / "base")
        quiet(*build, "--tag", "base", folder / "context")
        arguments = [
            "--build-context",
            f"wheels={ROOT}/wheels",
            "--build-arg",
            "BASE=localhost/base",
            "--build-arg",
            "PIP_NO_INDEX=1",
        ]
        quiet(*build, *arguments, "--file", "deploy/Dockerfile", "--tag", "twitter-manager", ".", cwd=ROOT)
        container = subprocess.check_output(
            [*buildah, "from", "--pull-never", "localhost/twitter-manager"], text=True
        ).strip()
        root = subprocess.check_output([*buildah, "mount", container], text=True).strip()
        described = json.loads(
            subprocess.check_output([*buildah, "inspect", "--type", "image", "localhost/twitter-manager"])
        )
        yield Image(root, described["Docker"]["config"])
    finally:
        with contextlib.suppress(FileNotFoundError):
            subprocess.run([*buildah, "umount", "--all"], stdout=subprocess.DEVNULL, check=False)
        shutil.rmtree(folder)


@pytest.fixture
def data(tmp_path):
    """An empty folder for /data that belongs to the image's user."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    os.chown(folder, 10001, 10001)
    return folder


def test_dry_run(image, data):
    """The model is in the image: a dry run writes and judges a tweet without keys."""
    code, output = image.run(data, "--dry-run")
    assert code == 0, output
    assert "Nothing was posted: this is a dry run." in output


@pytest.mark.parametrize("locked", [False, True], ids=["writable", "locked"])
def test_a_run_posts(image, data, locked):
    """A run posts one tweet and writes below /data only; also with a read-only root file system and without rights."""
    with FakeX() as x:
        code, output = image.run(data, x=x, locked=locked)
        assert code == 0, output
        assert len(x.texts()) == 1
    assert {"twitter.db", "logs"} <= {path.name for path in data.iterdir()}
    assert {path.stat().st_uid for path in data.rglob("*")} == {10001}


def test_locked_means_locked(image, data):
    """The run without rights has none: no capability, no new privileges, nothing to write to but /data and /tmp."""
    look = "grep -E '^(Cap|NoNewPrivs|Uid)' /proc/self/status; touch /data/a /tmp/b; touch /app/c /var/tmp/d; ls /app/.venv/bin/pytest"
    _, output = image.run(data, "-c", look, entry=["sh"], locked=True)
    rights = dict(line.split(":\t") for line in output.splitlines() if ":\t" in line)
    assert {
        name: int(value, 16) for name, value in rights.items() if name.startswith("Cap")
    } == dict.fromkeys(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"], 0)
    assert (rights["NoNewPrivs"], rights["Uid"].split()) == ("1", ["10001"] * 4)
    assert output.count("Read-only file system") == 2
    assert "cannot access '/app/.venv/bin/pytest'" in output


def process_one(process):
    """Return the process that is number 1 in the namespace."""
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(child)


def test_term_ends_process_one(image, data):
    """TERM to process 1 before a text is claimed ends the run within a second, nothing is posted, and the next run posts."""
    with FakeX() as x:
        process = image.start(data, x=x, locked=True)
        limit = time.monotonic() + 30
        while not (data / "twitter.db").exists():
            assert time.monotonic() < limit
            time.sleep(0.01)
        first = process_one(process)
        status = Path(f"/proc/{first}/status").read_text()
        assert next(line for line in status.splitlines() if line.startswith("NSpid")).split()[-1] == "1"
        sent = time.monotonic()
        os.kill(first, signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        took = time.monotonic() - sent
        assert (process.returncode, x.texts()) == (128 + signal.SIGTERM, []), output
        assert took < 1
        code, output = image.run(data, x=x, locked=True)
        assert (code, len(x.texts())) == (0, 1), output
