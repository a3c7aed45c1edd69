"""Bytecode that a full disk has cut off: told once, removed, and compiled anew by the next run."""

import subprocess
import sys

import pytest

from src.config import ROOT
from src.system import bytecode, machine


def run(folder, *words):
    return subprocess.run(
        [sys.executable, "-P", "-m", "src.twitter_manager", *words],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "PYTHONPYCACHEPREFIX": str(folder / "cache"),
            "DATA_DIR": str(folder / "data"),
            "LOG_DIR": str(folder / "logs"),
            "ENV_FILE": "/dev/null",
            "HOME": str(folder),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("module", ["config", "domain/runs", "x/claim", "commands/pause"])
def test_bytecode_cut_off(tmp_path, module):
    """A run that meets half of a module's bytecode ends with 74 and says so; the next run is as if nothing was."""
    words = ("pause", "--until", "2000-01-01")
    before = run(tmp_path, *words)
    (file,) = (tmp_path / "cache").rglob(f"src/{module}.*.pyc")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    cut = run(tmp_path, *words)
    assert (cut.returncode, "Traceback" in cut.stderr) == (74, False)
    assert f"{file} was incomplete, as a full disk leaves it; it is removed" in cut.stderr
    assert f"fix: {bytecode.FIX}" in cut.stderr
    after = run(tmp_path, *words)
    assert (after.returncode, after.stdout, after.stderr) == (before.returncode, before.stdout, before.stderr)
    assert file.read_bytes() == whole


def test_bytecode_that_cannot_be_removed(tmp_path):
    """Where the file cannot be removed, that is said with the reason."""
    folder = tmp_path / "cache.pyc"
    folder.mkdir()
    assert bytecode.remove(folder).endswith("and cannot be removed: Is a directory")


@pytest.mark.parametrize("error", [EOFError("x"), ValueError("bad marshal data"), TypeError("x")])
def test_other_errors_pass(error):
    """The same kinds of error from anywhere else are left as they are."""
    with pytest.raises(type(error)) as caught, machine.refusals():
        raise error
    assert caught.value is error
