"""`check` looks at who may use the folders before a run stumbles over it."""

import os

import pytest

from src import config
from src.commands.check import check_folders
from src.domain.errors import StorageError
from src.system.lock import writer_lock
from tests import fake_x
from tests.support.world import World

NOBODY = 65534


@pytest.mark.parametrize(
    ("folder", "profile"), [("data", ""), ("logs", ""), ("data/profiles", "a"), ("data", "a")]
)
def test_check_refuses_open_folders(tmp_path, folder, profile):
    """Where everybody may replace the database or the logs, `check` ends with 78 and the command to type."""
    with fake_x.FakeX() as x:
        world = World(tmp_path, x, None)
        home = tmp_path / "data" / "profiles" / profile if profile else tmp_path / "data"
        home.mkdir(parents=True)
        (tmp_path / "logs").mkdir()
        if profile:
            (home / ".env").touch(mode=0o600)
            world.extra |= {"PROFILE": profile, "ENV_FILE": ""}
        (tmp_path / folder).chmod(0o777)
        done = world.cli("check")
        assert (done.returncode, f"chmod o-w {tmp_path / folder}" in done.stdout) == (78, True)
        (tmp_path / folder).chmod(0o775)
        assert "chmod o-w" not in world.cli("check").stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave files to another user")
@pytest.mark.parametrize(
    "name", ["data/twitter.db", "data/twitter.db.lock", "logs/twitter_manager.log", "data/backups/"]
)
def test_files_that_a_run_of_root_left(tmp_path, name):
    """The fix gives both folders to the user who runs the program; a chmod would change nothing."""
    settings = config.load({"DATA_DIR": str(tmp_path / "data"), "LOG_DIR": str(tmp_path / "logs")})
    tmp_path.chmod(0o711)
    for folder in ("data", "logs"):
        (tmp_path / folder).mkdir()
        os.chown(tmp_path / folder, NOBODY, NOBODY)
    left = tmp_path / name
    if name.endswith("/"):
        left.mkdir(mode=0o700)
    else:
        left.touch(mode=0o600)
    told = as_nobody(lambda: check_folders(settings))
    assert f"{left} belongs to another user (root)" in told
    assert f"sudo chown -R nobody {tmp_path / 'data'} {tmp_path / 'logs'}" in told
    os.chown(left, NOBODY, NOBODY)
    assert as_nobody(lambda: check_folders(settings)) == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave files to another user")
@pytest.mark.parametrize("name", ["twitter.db", "twitter.db.lock"])
def test_what_the_writer_lock_finds(tmp_path, name):
    """Whatever takes the writer lock says whose file the lock or the database is."""
    tmp_path.chmod(0o711)
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, NOBODY, NOBODY)
    (data / name).touch(mode=0o600)
    told = as_nobody(lambda: writer_lock(data / "twitter.db").__enter__())
    assert f"sudo chown -R nobody {data}" in told


def as_nobody(look):
    """What a look says in a process of the user nobody."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            look()
        except StorageError as error:
            os.write(into, f"{error}\n{error.fix.render()}".encode())
        os._exit(0)
    os.close(into)
    os.waitpid(child, 0)
    with os.fdopen(out, encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("folder", ["data", "logs"])
def test_a_run_refuses_open_folders(tmp_path, folder):
    """Nothing is posted from a folder that everybody may write to: 78 and the command to type, then it goes on."""
    with fake_x.FakeX() as x:
        world = World(tmp_path, x, None, extra={"CANDIDATES": "0"})
        for name in ("data", "logs"):
            (tmp_path / name).mkdir(mode=0o700)
        (tmp_path / folder).chmod(0o777)
        done = world.cli()
        assert (done.returncode, x.texts(), x.reads_seen()) == (78, [], 0)
        assert f"chmod o-w {tmp_path / folder}" in done.stderr
        (tmp_path / folder).chmod(0o775)
        assert (world.cli().returncode, len(x.texts())) == (0, 1)
