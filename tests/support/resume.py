"""Option `--resume FILE` of pytest: a long suite that was broken off goes on where it stopped.

The file names the tree it belongs to and the tests that passed on it. Those are left out of the next run; a
change of the tree empties the file.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TREE = (
    "src",
    "tests",
    "data/adapter",
    "data/library",
    "data/blocklist.txt",
    "data/emoji.txt",
    "data/emoji-of-x.txt",
    "data/tlds.txt",
    "constraints.txt",
    "pyproject.toml",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption(
        "--resume",
        metavar="FILE",
        type=Path,
        help="note passed tests in FILE, leave out those noted before on this tree",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin if a file is given."""
    if config.option.resume:
        config.pluginmanager.register(Resume(config.option.resume, tree_hash(ROOT)))


def tree_hash(root: Path) -> str:
    """Return a hash of the Python version and of every file that decides how a test ends."""
    digest = hashlib.sha256(sys.version.encode())
    for path in _files(root):
        digest.update(f"\0{path.relative_to(root)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for name in TREE:
        path = root / name
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)


class Resume:
    """The passed tests of one file."""

    def __init__(self, file: Path, tree: str) -> None:
        self._file = file
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        self._before = set(lines[1:]) if lines[:1] == [tree] else set()
        self._skipped = 0
        self._passed_phases: dict[str, int] = {}
        if not self._before:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{tree}\n", encoding="utf-8")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what passed before."""
        done = [item for item in items if item.nodeid in self._before]
        self._skipped = len(done)
        items[:] = [item for item in items if item.nodeid not in self._before]
        config.hook.pytest_deselected(items=done)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test when its setup, its call and its teardown have passed."""
        phases = self._passed_phases.get(report.nodeid, 0) + report.passed
        self._passed_phases[report.nodeid] = phases
        if report.when == "teardown" and phases == 3:
            self._note(report.nodeid)

    def _note(self, nodeid: str) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{nodeid}\n")
            file.flush()
            os.fsync(file.fileno())

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End well if no test was left to run."""
        if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self._skipped:
            session.exitstatus = pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many tests were left out."""
        if self._skipped:
            terminalreporter.write_line(
                f"{self._skipped} tests passed on this tree before; to run them again, remove {self._file}"
            )
