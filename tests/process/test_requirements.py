"""The pins agree with each other and with what is installed; make refuses what cannot run, and prefers the CPU build of torch."""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from src.config import ROOT
from src.system import requirements

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"


def pins(name):
    """Return what a requirement file pins, as name: version; a line that is no exact pin fails."""
    lines = [
        line
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "-r "))
    ]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[\w.]+", line) for line in lines), name
    return {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in lines}


def variable(name):
    (value,) = re.findall(rf"^{name} [:?]?= (\S+)$", MAKEFILE, re.MULTILINE)
    return value


RUNTIME, TOOLS, CONSTRAINTS = pins("requirements.txt"), pins("requirements-dev.txt"), pins("constraints.txt")
EMBEDDED = dict([variable("EMBEDDED_MODEL").split("==")])


def with_dependencies(names):
    """Return the names and all they need on this machine, the extras that are asked for included."""
    seen, left = set(), [(canonicalize_name(name), "") for name in names]
    while left:
        name, extra = left.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for need in map(Requirement, importlib.metadata.requires(name) or []):
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                left += [(canonicalize_name(need.name), wanted) for wanted in ("", *need.extras)]
    return {name for name, _ in seen}


def installed(name):
    """Return the installed version without the part that names a build (`+cpu`), or None."""
    try:
        return Version(importlib.metadata.version(name)).public
    except importlib.metadata.PackageNotFoundError:
        return None


def test_pins_agree():
    """Each direct pin stands in constraints.txt with the same version; the tools repeat nothing of the runtime."""
    assert {**CONSTRAINTS, **RUNTIME, **TOOLS, **EMBEDDED} == CONSTRAINTS
    assert not RUNTIME.keys() & TOOLS.keys()
    assert "-r requirements.txt" in (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()


def test_constraints_are_what_is_installed():
    """On Linux x86-64 with Python 3.11, constraints.txt holds every installed package with its version, and nothing else."""
    if (sys.platform, platform.machine(), sys.version_info[:2]) != ("linux", "x86_64", (3, 11)):
        pytest.skip("constraints.txt describes Linux x86-64 with Python 3.11")
    missing = [name for name in TOOLS if installed(name) is None]
    if missing and not os.environ.get("CI"):
        pytest.skip("not installed; type: pip install -r requirements-dev.txt -c constraints.txt")
    expected = with_dependencies({**RUNTIME, **TOOLS}) | EMBEDDED.keys()
    assert {name: installed(name) for name in expected} == CONSTRAINTS


def test_versions_agree():
    """The lowest versions of the Makefile are those of the project and of the program."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == f">={variable('LOWEST_PYTHON')}"
    lowest = (requirements.LOWEST_PYTHON, requirements.LOWEST_SQLITE)
    assert [variable("LOWEST_PYTHON"), variable("LOWEST_SQLITE")] == [".".join(map(str, v)) for v in lowest]


def make(*arguments, **env):
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env={**os.environ, "MAKEFLAGS": "", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_supported_machine_passes():
    """The Python that runs the tests is not refused."""
    done = make("supported", f"PYTHON={sys.executable}")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("sys.platform = 'win32'", r"does not run on Windows"),
        ("sys.version_info = (3, 10, 9)", r"needs Python 3\.11 or newer, and \S+ is 3\.10"),
        (
            "import sqlite3; sqlite3.sqlite_version_info, sqlite3.sqlite_version = (3, 26, 0), '3.26.0'",
            r"needs SQLite 3\.27 or newer, and \S+ is linked to 3\.26\.0",
        ),
        ("sys.modules['sqlite3'] = None", r"needs a Python with the module sqlite3"),
    ],
)
def test_make_refuses(tmp_path, change, sentence):
    """An unsupported platform, an old Python and an old SQLite are refused in one sentence before anything is installed."""
    python = script(
        tmp_path / "python",
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; {change}; exec(sys.argv[2])" "$@"\n',
    )
    done = make(f"PYTHON={python}", f"VENV={tmp_path}/venv", f"{tmp_path}/venv/.installed")
    assert done.returncode != 0
    assert re.search(sentence, done.stdout)
    assert len(done.stdout.splitlines()) == 1
    assert not (tmp_path / "venv").exists()


def test_the_check_reads_on_an_old_python(tmp_path):
    """The oldest Python that is installed understands the check and gets the sentence."""
    names = ("python2", "python3.6", "python3.7", "python3.8", "python3.9", "python3.10")
    old = next(
        (
            name
            for name in names
            if shutil.which(name)
            and subprocess.run([name, "-c", ""], capture_output=True, check=False).returncode == 0
        ),
        None,
    )
    if old is None:
        pytest.skip("no Python older than 3.11 is installed")
    done = make("supported", f"PYTHON={old}")
    assert done.returncode != 0
    assert re.match(r"twitter_manager needs Python 3\.11 or newer[^\n]*\n$", done.stdout)


def test_no_python():
    """A Python that is not there is told in one sentence."""
    done = make("supported", "PYTHON=no-such-python")
    assert done.returncode != 0
    assert done.stdout == "There is no no-such-python: install Python 3.11 or newer.\n"


@pytest.fixture
def installs(tmp_path):
    """`installs(status, ...)`: make with a pip that notes its calls and, asked for an index, ends with the status."""
    pip = f"""#!/bin/sh
case "$*" in
    "-m venv "*) mkdir -p {tmp_path}/venv/bin && cp "$0" {tmp_path}/venv/bin/python ;;
    *--index-url*) echo "$*" >>{tmp_path}/calls; exit $STATUS ;;
    *" pip "*) echo "$*" >>{tmp_path}/calls ;;
esac
"""
    python = script(tmp_path / "python", pip)

    def installs(status, *arguments, **env):
        done = make(
            f"PYTHON={python}",
            f"VENV={tmp_path}/venv",
            f"{tmp_path}/venv/.installed",
            *arguments,
            STATUS=str(status),
            **env,
        )
        assert done.returncode == 0, done.stderr
        return [
            call.partition("install ")[2] for call in (tmp_path / "calls").read_text().splitlines()
        ], done.stdout

    return installs


REST = ["-r requirements-dev.txt -c constraints.txt", f"--no-deps {variable('EMBEDDED_MODEL')}"]


@pytest.mark.parametrize("status", [0, 1])
def test_torch_comes_from_the_cpu_index(installs, status):
    """torch alone is asked of PyTorch's CPU index, briefly; where that fails, one line says so and the usual index serves."""
    calls, output = installs(status)
    assert calls == [
        f"--timeout 5 --retries 0 --no-deps --index-url {TORCH_INDEX} torch=={RUNTIME['torch']}",
        *REST,
    ]
    assert ("torch comes from pip's usual index" in output) is bool(status)


@pytest.mark.parametrize(("arguments", "env"), [(("TORCH_INDEX=",), {}), ((), {"TORCH_INDEX": ""})])
def test_an_empty_index_is_the_usual_one(installs, arguments, env):
    """With an empty TORCH_INDEX, on the line or in the environment, PyTorch's index is not asked."""
    assert installs(0, *arguments, **env)[0] == REST
