"""What a run, a command or a test leaves never gets into a commit: git ignores it."""

import shutil
import subprocess

import pytest

from src.config import ROOT
from src.system.files import unfinished
from tests import fake_x
from tests.support.world import World

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")

LEFT = [
    ".env",
    ".env.bak",
    "data/.accounts/0123456789abcdef",
    "data/.twitter.db.old.42",
    "data/a-file-of-the-next-version",
    "data/alerts.json",
    "data/backups/twitter-2026-11-22.db",
    "data/credentials.json",
    "data/credentials.json.new",
    "data/model.lock",
    "data/models/embedded/config.json",
    "data/profiles/a/.env",
    "data/profiles/a/twitter.db",
    "data/twitter.db",
    "data/twitter.db-wal",
    "data/twitter.db.damaged-2026-11-22",
    "data/twitter.db.lock",
    "logs/a/twitter_manager.log",
    "logs/twitter_manager.log",
    "logs/twitter_manager.log.2026-11-22.gz",
    "src/__pycache__/config.cpython-311.pyc",
    ".hypothesis/examples/0",
    ".coverage.host.1",
    ".passed/0123",
    "wheels/torch.whl",
    "constraints.new",
]
SHIPPED = [
    ".env.example",
    "data/adapter/card.json",
    "data/blocklist.txt",
    "data/emoji-of-x.txt",
    "data/emoji.txt",
    "data/lessons/git.jsonl",
    "data/library/git.jsonl",
    "data/tlds.txt",
    "logs/.gitkeep",
    "src/config.py",
]


def git(folder, *arguments):
    """What git prints; exit status 1 of `check-ignore` says that it ignores none."""
    done = subprocess.run(
        ["git", "-c", "core.excludesFile=", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def checkout(tmp_path):
    """Make a repository that has nothing but our rules."""
    git(tmp_path, "init", "--quiet")
    shutil.copy(ROOT / ".gitignore", tmp_path)
    return tmp_path


def test_names(checkout):
    """Every name that is left behind is ignored, none that is shipped."""
    left = [*LEFT, str(unfinished(ROOT / "data" / "alerts.json").relative_to(ROOT))]
    assert git(checkout, "check-ignore", "--no-index", *left, *SHIPPED) == left


def test_what_a_run_leaves(checkout, hook):
    """After a run, an alert, drafts and a backup there is nothing to commit."""
    alerts = f"json://127.0.0.1:{hook.server_port}/hook"
    with fake_x.FakeX() as x:
        world = World(checkout, x, None, extra={"CANDIDATES": "0", "ALERT_URLS": alerts})
        assert world.cli(env={"TWITTER_API_KEY": ""}).returncode == 78  # which is worth an alert
        for arguments in (["drafts", "generate"], ["maintain"], ["check"]):
            world.cli(*arguments)
        assert (world.cli().returncode, len(x.texts())) == (0, 1)
    for name in ("data/alerts.json", "data/backups", "data/twitter.db", "logs/twitter_manager.log"):
        assert (checkout / name).exists(), name
    ours = ["?? .gitignore", f"?? {world.env_file.name}"]  # both made by this test
    assert git(checkout, "status", "--porcelain", "--untracked-files=all") == ours
