"""`--resume`: a long suite that was broken off goes on where it stopped, and a change of the tree starts it over."""

import shutil
import subprocess
import sys

import pytest

from src.config import ROOT
from tests.support import resume

SUITE = """
import os
import pytest

def test_first():
    print("ran first")

@pytest.mark.parametrize("n", [1, 2])
def test_many(n):
    print("ran", n)
    if n == 2 and os.environ.get("BREAK") == "kill":
        os.kill(os.getpid(), 9)
    assert n == 1 or os.environ.get("BREAK") != "fail"

@pytest.fixture
def hurt():
    yield
    assert os.environ.get("BREAK") != "teardown"

def test_last(hurt):
    print("ran last")
"""


@pytest.fixture
def run(tmp_path):
    """A project of three files with the plugin: `run(BREAK)` answers with exit status and output."""
    (tmp_path / "tests" / "support").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "support" / "resume.py", tmp_path / "tests" / "support")
    (tmp_path / "tests" / "test_suite.py").write_text(SUITE)

    def run(broken=""):
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-s",
            "-p",
            "tests.support.resume",
            "--resume",
            "passed/share",
            "tests",
        ]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={"BREAK": broken, "PATH": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return (
            done.returncode,
            [word for word in ("first", "1", "2", "last") if f"ran {word}\n" in done.stdout],
            done.stdout,
        )

    return run


@pytest.mark.parametrize(
    ("broken", "again"), [("fail", ["2"]), ("kill", ["2", "last"]), ("teardown", ["last"])]
)
def test_goes_on_where_it_stopped(run, broken, again):
    """Only what did not pass runs again: a failed test, one whose teardown failed, and what a kill left undone."""
    assert run(broken)[0] != 0
    assert run()[:2] == (0, again)


def test_nothing_is_left(run):
    """When all passed, the next run does nothing, says so and ends well."""
    assert run()[:2] == (0, ["first", "1", "2", "last"])
    status, ran, output = run()
    assert (status, ran) == (0, [])
    assert "4 tests passed on this tree before" in output


def test_a_change_starts_over(run, tmp_path):
    """A changed file of the tree makes every test run again."""
    run()
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "new.py").write_text("")
    assert run()[:2] == (0, ["first", "1", "2", "last"])


def test_the_tree_is_there():
    """Each path of the hashed tree exists, so that a moved one is noticed."""
    assert [name for name in resume.TREE if not (ROOT / name).exists()] == []
