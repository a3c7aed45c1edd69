"""The tests of a mutation run: loaded once, known by what they say, recorded with what they reach."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest

from tests.support.mutants_of_python import Mutant, version_of
from tests.support.mutation_run import ROOT, Check

FOLDERS = ("tests/unit", "tests/tick")
MIGRATE = "src/store/migrate.py"
OF_MIGRATIONS = {"test_triggers", "test_migrate"}
SLOWEST_S = 3.0
ARGUMENTS = ("-q", "-s", "-p", "no:cacheprovider", "-m", "not model and not torch")


class Item:
    """A test of pytest."""

    def __init__(self, item: pytest.Item, seconds: float = 0.0) -> None:
        self.item, self.seconds, self.name = item, seconds, name_of(item.nodeid)

    def passes(self, following: Check | None) -> bool:
        """Run it, with what it needs to be set up and torn down."""
        from _pytest.runner import runtestprotocol  # noqa: PLC0415

        after = following.item if isinstance(following, Item) else None
        return not any(report.failed for report in runtestprotocol(self.item, log=False, nextitem=after))


def name_of(nodeid: str) -> str:
    """Return the id of a test with a hash of its text: a changed test is another test."""
    file, _, rest = nodeid.partition("::")
    return f"{nodeid}@{_texts(file).get(rest.partition('[')[0], '')}"


def nodeid_of(name: str) -> str:
    """Return the id that pytest knows."""
    return name.rpartition("@")[0]


def is_for(name: str, file: str) -> bool:
    """Return whether a test lies in the file of tests for a module, or in one of those for migrations."""
    tests, stem = Path(name.partition("::")[0]).stem, Path(file).stem
    if file.endswith(".sql"):  # 0004_feeds.sql has its tests where the table's have theirs
        return tests in {*OF_MIGRATIONS, f"test_{stem.partition('_')[2]}"}
    return f"{tests}_".startswith(f"test_{stem}_")


@cache
def _texts(file: str) -> dict[str, str]:
    """Return a hash for each test of a file: of its own text and of what is not a test there."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    tests = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
    shared = "\n".join(ast.unparse(n) for n in tree.body if n not in tests)
    return {test.name: version_of(shared + ast.unparse(test)) for test in tests}


class Reached:
    """Which tests reach which lines, and how long each takes. Kept in a file, with a hash of each file reached."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tests: dict[str, dict[str, object]] = {}
        if path.exists():
            self._tests = json.loads(path.read_text(encoding="utf-8"))
        self._index: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._by_file: dict[str, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        self.siblings: dict[str, int] = {}  # which of its group of parameters a test is

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Return the tests that are not recorded, or reached a file that has changed since."""
        return [name for name in names if not self._holds(self._tests.get(name))]

    def _holds(self, entry: dict[str, object] | None) -> bool:
        versions = entry["versions"] if entry else None
        return isinstance(versions, dict) and all(_version(file) == v for file, v in versions.items())

    def add(self, found: dict[str, dict[str, object]]) -> None:
        """Keep what was recorded."""
        self._tests.update(found)
        self._path.write_text(json.dumps(self._tests), encoding="utf-8")

    def index(self, names: Iterable[str]) -> None:
        """Prepare to answer for these tests."""
        groups: Counter[str] = Counter()
        for name in names:
            entry = self._tests[name]
            seconds, lines = entry["seconds"], entry["lines"]
            assert isinstance(seconds, float) and isinstance(lines, dict)
            if seconds > SLOWEST_S:
                continue
            self.seconds[name] = seconds
            group = name.partition("[")[0]
            self.siblings[name] = groups[group]
            groups[group] += 1
            for file, numbers in lines.items():
                self._by_file[file].add(name)
                for number in numbers:
                    self._index[file, number].add(name)

    def tests(self, mutant: Mutant) -> set[str]:
        """Return the tests that reach a mutant."""
        if mutant.is_sql_file:
            return self._by_file[MIGRATE]
        if (
            not mutant.in_function
        ):  # what a module holds is made at its import, which no test reaches by itself
            return self._by_file[mutant.file] | {name for name in self.seconds if is_for(name, mutant.file)}
        lines = range(mutant.line, mutant.end_line + 1)
        return set().union(*(self._index[mutant.file, n] for n in lines))


@cache
def _version(file: str) -> str:
    path = ROOT / file
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.exists() else ""


def record(
    items: list[Item], jobs: int, folder: Path, failed: Callable[[str], None]
) -> dict[str, dict[str, object]]:
    """Run tests without a change, in forks, and return what each reached; name those that fail to `failed`."""
    by_file: dict[Path, list[Item]] = defaultdict(list)
    for item in items:
        by_file[item.item.path].append(item)
    shares: list[list[Item]] = [[] for _ in range(jobs)]
    for group in sorted(by_file.values(), key=len, reverse=True):
        min(shares, key=len).extend(group)
    children = []
    for i, share in enumerate(shares):
        if pid := os.fork():
            children.append(pid)
        else:
            try:
                (folder / f"recorded.{i}").write_text(json.dumps(_record_share(share)), encoding="utf-8")
            finally:
                os._exit(0)
    for pid in children:
        os.waitpid(pid, 0)
    whole: dict[str, dict[str, object]] = {}
    for i in range(jobs):
        whole |= json.loads((folder / f"recorded.{i}").read_text(encoding="utf-8"))
        (folder / f"recorded.{i}").unlink()
    for name in [name for name, entry in whole.items() if not entry["passed"]]:
        failed(nodeid_of(name))
        del whole[name]
    return whole


def _record_share(share: list[Item]) -> dict[str, dict[str, object]]:
    import coverage  # noqa: PLC0415

    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    cover = coverage.Coverage(data_file=None, config_file=False, include=[str(ROOT / "src/*")])
    cover.start()
    entries: dict[str, dict[str, object]] = {}
    for i, item in enumerate(share):
        cover.switch_context(item.name)
        start = time.monotonic()
        passed = item.passes(share[i + 1] if i + 1 < len(share) else None)
        entries[item.name] = {
            "passed": passed,
            "seconds": time.monotonic() - start,
            "lines": {},
            "versions": {},
        }
    cover.stop()
    data = cover.get_data()
    for path in data.measured_files():
        file = str(Path(path).relative_to(ROOT))
        for line, names in data.contexts_by_lineno(path).items():
            for name in names:
                if name in entries:
                    entries[name]["lines"].setdefault(file, []).append(line)  # type: ignore[attr-defined]
                    entries[name]["versions"][file] = _version(file)  # type: ignore[index]
    return entries
