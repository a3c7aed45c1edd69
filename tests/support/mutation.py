"""Mutation testing: change one thing in the posting core, and see whether a test fails.

    python -m tests.support.mutation [--module TEXT] [--share 1/8] [--list]

For each change only the tests that reach the changed line run, in a fork: those first that killed a neighbour,
then the unit tests of the module, the quick ones, then one of each group of parameters, those for the module and the fastest first. The first failure kills it; so does a test that takes over ten times its time. What is found is
kept in `.mutants/`. It holds until the changed file, or the test that decided it, changes; a survivor meets only
the tests that it has not met. `rm -r .mutants` starts over. Changes that alter nothing are in
`argued_mutants.toml`, each with its reason.
"""

from __future__ import annotations

import argparse
import ast
import gc
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support import mutants_of_sql
from tests.support.mutants_of_python import Mutant, mutants, numbered, version_of
from tests.support.mutation_run import (
    KILLED,
    LOADING_S,
    ROOT,
    START_S,
    SURVIVED,
    TIMES,
    Clock,
    Pool,
    Verdict,
    functions_below,
    hook_import,
    judge,
    patch,
    use_migration,
)
from tests.support.mutation_tests import ARGUMENTS, FOLDERS, Item, Reached, is_for, nodeid_of, record

CORE = (
    "src/domain/*.py",
    "src/store/*.py",
    "src/db_manager.py",
    "src/posting/*.py",
    "src/x/responses.py",
    "src/x/failures.py",
    "src/x/transport.py",
    "src/twitter_handler.py",
    "src/twitter_manager.py",
    "src/store/migrations/*.sql",
)
# Each survivor here is killed or argued.
STRICT = ("posting/reconcile", "posting/due", "domain/slots", "posting/send", "store/migrations")
WITH_SQL = ("src/store/", "src/db_manager.py")
ARGUED = ROOT / "tests/support/argued_mutants.toml"
CACHE = ROOT / ".mutants"
CONTROL = CACHE / "control"
WANTED = 0.90
QUICK_S = 0.1  # quick tests come first, whatever group they belong to
BUDGET_S = 10.0  # of tests for one change in one run; the next run goes on with the others


def core_files() -> list[Path]:
    """Return the files of the posting core."""
    return [path for pattern in CORE for path in sorted(ROOT.glob(pattern))]


def mutants_of(paths: Iterable[Path]) -> Iterator[Mutant]:
    """Yield the mutants of files, in their order."""
    for path in paths:
        name, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        if path.suffix == ".sql":
            later = "".join(
                p.read_text(encoding="utf-8") for p in sorted(path.parent.glob("*.sql")) if p > path
            )
            yield from numbered(list(_of_migration(name, text, later)))
        else:
            yield from mutants(name, text, sql=name.startswith(WITH_SQL))


def _of_migration(file: str, text: str, later: str) -> Iterator[Mutant]:
    for scope, (operator, before, after, whole) in mutants_of_sql.of_migration(text, later):
        line = text[: text.find(scope)].count("\n") + 1
        words = " ".join(before.split()), " ".join(after.split())
        yield Mutant(file, line, line, scope, operator, *words, version_of(text), partial(str, whole))


class Results:
    """The verdicts so far: one line each in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._verdicts: dict[str, Verdict] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                key, *verdict = json.loads(line)
                self._take(key, Verdict(*verdict))

    def _take(self, key: str, verdict: Verdict) -> Verdict:
        if (old := self._verdicts.get(key)) and old.end == verdict.end == SURVIVED:
            verdict.passed = sorted({*old.passed, *verdict.passed})
        self._verdicts[key] = verdict
        return verdict

    def note(self, mutant: Mutant, verdict: Verdict) -> None:
        """Keep a verdict."""
        self._take(self._key(mutant), verdict)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([self._key(mutant), verdict.end, verdict.killer, verdict.passed]) + "\n")

    def of(self, mutant: Mutant) -> Verdict | None:
        """Return the verdict on a mutant of the file as it is."""
        return self._verdicts.get(self._key(mutant))

    def killed(self, mutant: Mutant, names: set[str]) -> bool:
        """Return whether a test that is among `names`, or no test at all, has killed it."""
        verdict = self.of(mutant)
        by_test = verdict and verdict.killer.startswith("tests/")
        return bool(verdict and verdict.end == KILLED and (not by_test or verdict.killer in names))

    def _key(self, mutant: Mutant) -> str:
        return f"{mutant.file} {mutant.version} {mutant.change}"


class Session:
    """A plugin of pytest: in the place of running the tests once, it runs them for each mutant."""

    def __init__(self, chosen: list[Mutant], results: Results, jobs: int, budget: float) -> None:
        self._chosen, self._results, self._jobs, self._budget = chosen, results, jobs, budget
        self._killers: dict[str, Counter[str]] = defaultdict(Counter)
        self._items: dict[str, Item] = {}
        self.reached = Reached(CACHE / "reached.json")
        self.failed: list[str] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Record what is not recorded, let the control pass, then judge the mutants."""
        self._items = {item.name: item for item in map(Item, session.items)}
        unknown = self.reached.unknown(self._items)
        if unknown:
            found = record([self._items[name] for name in unknown], self._jobs, CACHE, self.failed.append)
            self.reached.add(found)
        if self.failed:
            return True
        self.reached.index(self._items)
        for name, seconds in self.reached.seconds.items():
            self._items[name].seconds = seconds
        gc.collect()
        for path in core_files():  # a tick loads some of them only when it needs them
            if path.suffix == ".py":
                importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        functions = functions_below(ROOT / "src")
        gc.freeze()
        pool = Pool(self._jobs)
        self._control(pool)
        for mutant in self._chosen if not self.failed else []:
            names = self._todo(mutant)
            if not names:
                continue
            items = [self._items[name] for name in names]

            def work(clock: Clock, mutant: Mutant = mutant, items: list[Item] = items) -> Verdict:
                tree = None if mutant.is_sql_file else mutant.build()
                if mutant.is_sql_file:
                    use_migration(mutant)
                elif mutant.in_function and isinstance(tree, ast.Module):
                    if not patch(ROOT / mutant.file, tree, functions):
                        return _anew(mutant, items, clock)
                else:
                    return _anew(mutant, items, clock)
                return judge(items, clock)

            pool.start(work, lambda verdict, mutant=mutant: self._done(mutant, verdict))  # type: ignore[misc]
        pool.finish()
        return True

    def _control(self, pool: Pool) -> None:
        """Run the tests of the chosen files in the order of a mutant, without one: none may fail."""
        names = set().union(*(self._todo(mutant) for mutant in self._chosen))
        passed = set(CONTROL.read_text(encoding="utf-8").split("\n")) if CONTROL.exists() else set()
        names -= passed
        ordered = sorted((self._items[name] for name in names), key=lambda item: item.seconds)

        def done(verdict: Verdict) -> None:
            if verdict.end == KILLED:
                self.failed.append(nodeid_of(verdict.killer) or verdict.killer)
            passed.update(verdict.passed)

        for share in (ordered[::2], ordered[1::2]):
            if share:
                pool.start(lambda clock, share=share: judge(share, clock), done)  # type: ignore[misc]
        pool.finish()
        if ordered and any(not mutant.in_function for mutant in self._chosen):
            pool.start(lambda clock: _anew(None, ordered[:100], clock), done)
            pool.finish()
        if not self.failed:
            CONTROL.write_text("\n".join(sorted(passed)), encoding="utf-8")

    def _todo(self, mutant: Mutant) -> list[str]:
        """Return the tests that a mutant is to meet now, in their order."""
        names = self.reached.tests(mutant) & self.reached.seconds.keys()
        if self._results.killed(mutant, names):
            return []
        verdict = self._results.of(mutant)
        met = set(verdict.passed) if verdict else set()
        scope, file = self._killers[mutant.file + mutant.scope], self._killers[mutant.file]
        seconds = self.reached.seconds
        sibling = self.reached.siblings
        ordered = sorted(
            names - met,
            key=lambda n: (
                -scope[n],
                not (n.startswith("tests/unit/") and is_for(n, mutant.file)),
                seconds[n] > QUICK_S,
                sibling[n] if seconds[n] > QUICK_S else 0,
                not is_for(n, mutant.file),
                seconds[n] / (1 + file[n]),
            ),
        )
        total = 0.0
        chosen: list[str] = []
        for name in ordered:
            total += seconds[name]
            if total > self._budget and chosen:
                break
            chosen.append(name)
        return chosen

    def _done(self, mutant: Mutant, verdict: Verdict) -> None:
        self._results.note(mutant, verdict)
        if verdict.end == KILLED and verdict.killer in self._items:
            self._killers[mutant.file + mutant.scope][verdict.killer] += 1
            self._killers[mutant.file][verdict.killer] += 1
        print(
            f"{verdict.end} {mutant.file}:{mutant.line} [{mutant.operator}] {mutant.change} {verdict.killer}",
            flush=True,
        )


def _anew(mutant: Mutant | None, items: list[Item], clock: Clock) -> Verdict:
    """Load the program and the tests once more, with the changed file, and run the tests in a pytest of their own."""
    clock(LOADING_S + START_S + TIMES * sum(item.seconds for item in items))
    if mutant:
        tree = mutant.build()
        assert isinstance(tree, ast.Module)
        hook_import(ROOT / mutant.file, tree)
    for name in [n for n in sys.modules if n.split(".")[0] in {"src", "tests"}]:
        del sys.modules[name]
    watch = Watch()
    pytest.main(["-x", *ARGUMENTS, *(nodeid_of(item.name) for item in items)], plugins=[watch])
    names = {nodeid_of(item.name): item.name for item in items}
    if watch.failed or len(watch.passed) < len(items):
        killer = watch.failed[0] if watch.failed else "at import"
        return Verdict(KILLED, names.get(killer, killer))
    return Verdict(SURVIVED, "", [names[nodeid] for nodeid in watch.passed])


class Watch:
    """A plugin of pytest: it notes which tests passed and which failed."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.passed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one phase of a test."""
        if report.failed:
            self.failed.append(report.nodeid)
        elif report.when == "teardown":
            self.passed.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that cannot be loaded."""
        if report.failed:
            self.failed.append("at import")


def argued(path: Path = ARGUED) -> dict[tuple[str, str], str]:
    """Return the changes that alter nothing, by file and change, each with its reason."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", []) if path.exists() else []
    return {(entry["file"], entry["change"]): entry["reason"] for entry in entries}


def stale(reasons: dict[tuple[str, str], str]) -> list[tuple[str, str]]:
    """Return the argued changes that nothing makes any more."""
    files = sorted({ROOT / file for file, _ in reasons})
    there = {(m.file, m.change) for m in mutants_of(path for path in files if path.exists())}
    return sorted(reasons.keys() - there)


def main(arguments: list[str] | None = None) -> int:
    """Run the mutants that were asked for; return 1 if one survived that must not, or if too many did."""
    options = _options(arguments)
    part, _, parts = options.share.partition("/")
    everything = [m for m in mutants_of(core_files()) if options.module in m.file]
    chosen = everything[int(part) - 1 :: int(parts)]
    if options.list:
        for mutant in chosen:
            print(f"{mutant.file}:{mutant.line} [{mutant.operator}] {mutant.change}")
        print(len(chosen))
        return 0
    reasons = argued()
    CACHE.mkdir(exist_ok=True)
    results = Results(CACHE / "results")
    session = Session(
        [m for m in chosen if (m.file, m.change) not in reasons], results, options.jobs, options.budget
    )
    folder = tempfile.mkdtemp(prefix="mutants-")
    start = time.monotonic()
    try:
        tests = [*FOLDERS] if not options.tests else options.tests.split()
        end = pytest.main([*ARGUMENTS, f"--basetemp={folder}/t", *tests], plugins=[session])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if session.failed or end not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        print("without a change these tests fail:", *session.failed, sep="\n  ")
        return 1
    old = stale(reasons)
    for file, change in old:
        print(f"argued, but nothing makes it any more: {file} {change}")
    return _tell(chosen, results, reasons, time.monotonic() - start) or int(bool(old))


def _tell(chosen: list[Mutant], results: Results, reasons: dict[tuple[str, str], str], seconds: float) -> int:
    """Print the survivors and the score by module. Those that alter nothing count neither way."""
    total: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    without: Counter[str] = Counter()
    strict = 0
    for mutant in chosen:
        if (mutant.file, mutant.change) in reasons:
            without[mutant.file] += 1
            continue
        verdict = results.of(mutant)
        total[mutant.file] += 1
        if verdict and verdict.end == KILLED:
            killed[mutant.file] += 1
            continue
        why = "no test reaches it" if not verdict else f"{len(verdict.passed)} tests"
        print(f"SURVIVED {mutant.file}:{mutant.line} [{mutant.operator}] {mutant.change} ({why})")
        strict += any(name in mutant.file for name in STRICT)
    for name in total | without:
        count = total[name] or 1
        print(
            f"{killed[name] / count:7.1%} {killed[name]:5} of {total[name]:5}, {without[name]:3} argued  {name}"
        )
    score = killed.total() / (total.total() or 1)
    print(
        f"{score:7.1%} {killed.total():5} of {total.total():5}, {without.total():3} argued  in all, {seconds:.0f} s"
    )
    return int(score < WANTED or strict > 0)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--module", default="", help="only files whose path has this text")
    parser.add_argument("--share", default="1/1", help="one part of all changes, as 3/8")
    parser.add_argument("--tests", default="", help="only these files of tests")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds of tests for one change")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--list", action="store_true", help="print the changes, run nothing")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
