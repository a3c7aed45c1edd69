"""A machine that cannot run the program is told so in one sentence."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from src.config import ROOT
from src.domain.runs import Exit
from src.system import requirements
from src.system.requirements import unsupported

FINE = ("linux", (3, 11, 0), (3, 27, 0))


@pytest.mark.parametrize(
    ("platform", "python", "sqlite", "words"),
    [
        ("win32", (3, 13, 1), (3, 45, 0), "Windows is not supported"),
        ("cygwin", (3, 13, 1), (3, 45, 0), "Windows is not supported"),
        ("linux", (3, 10, 13), (3, 45, 0), "Python 3.11 or newer is needed, this is 3.10.13"),
        ("darwin", (3, 8, 0), (3, 45, 0), "Python 3.11 or newer is needed, this is 3.8.0"),
        ("linux", (3, 11, 0), (3, 26, 0), "SQLite 3.27 or newer is needed, this Python has 3.26.0"),
        ("linux", (3, 11, 0), (), "this Python was built without it"),
    ],
)
def test_one_sentence(platform, python, sqlite, words):
    """What is missing is named with the version that is there, in one line that ends in what to do."""
    said = unsupported(platform, python, sqlite)
    assert words in said
    assert said.count("\n") == 0
    assert said.endswith(".")


@pytest.mark.parametrize("platform", ["linux", "darwin", "freebsd14"])
def test_what_is_supported(platform):
    """The lowest versions will do, on every system that is not Windows."""
    assert unsupported(platform, *FINE[1:]) == ""


def test_exit_code(monkeypatch, capsys):
    """The program ends with the code for configuration."""
    monkeypatch.setattr(requirements, "sqlite_version", lambda: (3, 7, 17))
    with pytest.raises(SystemExit) as ended:
        requirements.refuse_unsupported()
    assert ended.value.code == requirements.CONFIGURATION == Exit.CONFIG
    assert capsys.readouterr().err.count("\n") == 1


def test_it_comes_first():
    """The program asks before it imports anything else, and an old Python can read what it imports until then."""
    texts = {
        name: (ROOT / "src" / name).read_text()
        for name in ("__init__.py", "twitter_manager.py", "system/__init__.py", "system/requirements.py")
    }
    for text in texts.values():
        ast.parse(text, feature_version=(3, 8))
    first, asks, *_ = ast.parse(texts["twitter_manager.py"]).body[2:]
    assert ast.unparse(first) == "from src.system import requirements"
    assert ast.unparse(asks) == "requirements.refuse_unsupported()"


def old_pythons():
    """The older Pythons that this machine has, on PATH or where pyenv puts them."""
    for minor in range(8, 11):
        placed = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python"))
        candidates = [*placed, *filter(None, [shutil.which(f"python3.{minor}")])]
        for candidate in candidates:
            asked = subprocess.run([candidate, "-c", ""], capture_output=True, check=False)
            if asked.returncode == 0:
                yield candidate
                break


def test_real_old_pythons():
    """Each older Python of this machine ends with 78 and the sentence, not with a traceback."""
    found = list(old_pythons())
    if not found:
        pytest.skip("no Python 3.8 to 3.10 is installed")
    for python in found:
        done = subprocess.run(
            [python, "-m", "src.twitter_manager"],
            cwd=ROOT,
            env=dict(os.environ),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 78, done.stderr
        assert done.stderr.startswith("twitter_manager: Python 3.11 or newer is needed, this is 3.")
        assert done.stderr.count("\n") == 1


def test_this_python_will_do():
    """The Python that runs the tests is not refused."""
    assert unsupported(sys.platform, sys.version_info[:3], requirements.sqlite_version()) == ""
