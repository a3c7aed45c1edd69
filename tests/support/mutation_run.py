"""How a change is judged: a fork takes the changed code and runs the tests that reach it until one fails.

The program and the tests are loaded once. What is decided when a module is loaded (constants, defaults, fields)
cannot be changed in place: for those a fork without the program loads it anew, through an import hook.
"""

from __future__ import annotations

import ast
import ctypes
import gc
import importlib
import importlib.machinery
import json
import mmap
import os
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType
from typing import Protocol

from tests.support.mutants_of_python import Mutant

ROOT = Path(__file__).parents[2]
KILLED, SURVIVED = "killed", "survived"
START_S, TIMES = 10.0, 10.0  # a test may take this long, and so many times what it took without a change
LOADING_S = 30.0
FILE_BYTES = 256 * 1024 * 1024
PR_SET_PDEATHSIG = 1  # the fork ends with its parent
OVER_TIME = "over its time"

Functions = dict[tuple[str, str, int], list[FunctionType]]
Clock = Callable[[float], None]


class Check(Protocol):
    """A test: its name, the seconds it took without a change, and a run of it."""

    name: str
    seconds: float

    def passes(self, following: Check | None) -> bool:
        """Run it; `following` is the one that runs next."""


@dataclass
class Verdict:
    """What became of a mutant: who killed it, and which tests passed with it."""

    end: str = SURVIVED
    killer: str = ""
    passed: list[str] = field(default_factory=list)


def judge(checks: Sequence[Check], clock: Clock) -> Verdict:
    """Run checks until one fails."""
    verdict = Verdict()
    for i, check in enumerate(checks):
        clock(START_S + TIMES * check.seconds)
        if not check.passes(checks[i + 1] if i + 1 < len(checks) else None):
            return Verdict(KILLED, check.name)
        verdict.passed.append(check.name)
    return verdict


class Pool:
    """Forks, some at a time, each with a limit that it moves from test to test; over its time counts as killed."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._running: dict[int, tuple[mmap.mmap, Callable[[Verdict], None], Path]] = {}

    def start(self, work: Callable[[Clock], Verdict], done: Callable[[Verdict], None]) -> None:
        """Start a fork as soon as there is room; `done` gets the verdict, in this process."""
        while len(self._running) >= self._jobs:
            self._step()
        folder = Path(tempfile.mkdtemp(prefix="mutant-"))
        limit = mmap.mmap(-1, 8)
        _set(limit, LOADING_S)
        if pid := os.fork():
            self._running[pid] = (limit, done, folder)
            return
        try:
            _alone(folder)
            verdict = work(lambda seconds: _set(limit, seconds))
        except BaseException as error:  # noqa: BLE001 - whatever a mutant does ends it
            verdict = Verdict(KILLED, type(error).__name__)
        with suppress(BaseException):
            (folder / "verdict").write_text(json.dumps([verdict.end, verdict.killer, verdict.passed]))
        os._exit(0)

    def finish(self) -> None:
        """Wait for the rest."""
        while self._running:
            self._step()

    def _step(self) -> None:
        for pid, (limit, *_) in list(self._running.items()):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._end(pid, "ended itself")
                return
            if time.monotonic() > struct.unpack("d", limit[:8])[0]:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                self._end(pid, OVER_TIME)
                return
        time.sleep(0.005)

    def _end(self, pid: int, otherwise: str) -> None:
        _, done, folder = self._running.pop(pid)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)  # what it left
        try:
            verdict = Verdict(*json.loads((folder / "verdict").read_text()))
        except (OSError, ValueError):
            verdict = Verdict(KILLED, otherwise)
        shutil.rmtree(folder, ignore_errors=True)
        done(verdict)


def _set(limit: mmap.mmap, seconds: float) -> None:
    limit[:8] = struct.pack("d", time.monotonic() + seconds)


def _alone(folder: Path) -> None:
    """Take the fork out of the group of its parent, and let it write nowhere but in its folder."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.environ["TMPDIR"] = os.environ["HOME"] = tempfile.tempdir = str(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))


def functions_below(folder: Path) -> Functions:
    """Return the functions of a tree by file, name and line, closures and decorated ones too."""
    found: Functions = defaultdict(list)
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename.startswith(str(folder)):
            code = thing.__code__
            found[code.co_filename, code.co_qualname, code.co_firstlineno].append(thing)
    return found


def patch(path: Path, tree: ast.Module, functions: Functions) -> bool:
    """Give the loaded functions of a file the code of a changed tree; return whether all that changed took it."""
    changed = False
    for code in _codes(compile(tree, str(path), "exec", dont_inherit=True)):
        for function in functions.get((str(path), code.co_qualname, code.co_firstlineno), []):
            if function.__code__ != code:
                try:
                    function.__code__ = code
                except ValueError:  # a closure that now needs other variables
                    return False
                changed = True
    return changed


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def use_migration(mutant: Mutant) -> None:
    """Let the loaded program take its migrations from a folder in which one is changed."""
    schema = importlib.import_module("src.store.schema")
    folder = Path(tempfile.mkdtemp())
    schema.expected.cache_clear()
    old = schema.MIGRATIONS
    for path in old:
        shutil.copy(path, folder / path.name)
    (folder / Path(mutant.file).name).write_text(str(mutant.build()), encoding="utf-8")
    new = tuple(sorted(folder.glob("*.sql")))
    for module in list(sys.modules.values()):
        if getattr(module, "MIGRATIONS", None) is old:
            module.MIGRATIONS = new  # type: ignore[attr-defined]


def hook_import(path: Path, tree: ast.Module) -> None:
    """Let the import of one file yield a changed tree."""
    plain = importlib.machinery.SourceFileLoader.get_code

    def get_code(loader: importlib.machinery.SourceFileLoader, name: str) -> CodeType | None:
        if loader.path == str(path):
            return compile(tree, str(path), "exec", dont_inherit=True)
        return plain(loader, name)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]
