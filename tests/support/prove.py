"""The proofs in library files. `python -m tests.support.prove data/library/*.jsonl` prints what fails.

A proof is code in the language it names, run in an empty folder. It passes when it exits with 0 and, where
the record has `expect`, prints exactly that (surrounding white space aside). `needs` names the programs that
it calls besides those of its runner. `opposite` says what the proof sets against the claim: the option left
out, the older way, the case that stays well. A proof whose program is missing is reported by its id.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from src.content.library import Library, Statement, load
from tests.support import postgres

_COMMANDS = {
    "python": [sys.executable, "-W", "ignore", "-c"],
    "bash": ["bash", "-euo", "pipefail", "-c"],
    "git": ["bash", "-euo", "pipefail", "-c"],
    "node": ["node", "-e"],
    "php": ["php", "-r"],
    "ruby": ["ruby", "-W0", "-e"],
    **{name: ["bash", "-euo", "pipefail", "-c"] for name in ("c", "java", "go", "rust", "typescript")},
}
# The programs of a runner, and Debian's packages that hold them (TypeScript: npm's). Python has none.
PROGRAMS: dict[str, tuple[tuple[str, ...], str]] = {
    "bash": (("bash",), "apt-get install bash"),
    "git": (("git",), "apt-get install git"),
    "node": (("node",), "apt-get install nodejs"),
    "php": (("php",), "apt-get install php-cli"),
    "ruby": (("ruby",), "apt-get install ruby"),
    "c": (("gcc", "g++"), "apt-get install gcc g++"),
    "java": (("javac", "java"), "apt-get install default-jdk-headless"),
    "go": (("go",), "apt-get install golang-go"),
    "rust": (("rustc",), "apt-get install rustc"),
    "typescript": (("tsc", "node"), "npm install -g typescript"),
    "postgresql": (("initdb", "pg_ctl", "psql"), "apt-get install postgresql"),
}
_HOMES = {"RUSTUP_HOME": ".rustup", "CARGO_HOME": ".cargo", "GOCACHE": ".cache/go-build"}
_GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_EDITOR": "true",
}


def prove(record: Statement) -> str:
    """Empty if the record's proof holds, otherwise what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        status, output = _run(record.proof["run"], record.proof["code"], Path(folder))
    if status:
        return f"exit {status}: {output[-400:]}"
    expect = record.proof.get("expect")
    if expect is not None and output.strip() != expect.strip():
        return f"printed {output.strip()!r}, expected {expect.strip()!r}"
    return ""


def missing_programs(record: Statement) -> tuple[str, ...]:
    """Return the programs that the proof of a record needs and this machine lacks."""
    programs, _ = PROGRAMS.get(record.proof["run"], ((), ""))
    return tuple(name for name in (*programs, *record.proof.get("needs", "").split()) if not _path(name))


def skipped(records: Iterable[Statement]) -> dict[str, tuple[str, ...]]:
    """Return the programs that are missing, each with the ids of the statements that are not proven for it."""
    ids = defaultdict(list)
    for record in records:
        for name in missing_programs(record):
            ids[name].append(record.id)
    return {name: tuple(found) for name, found in ids.items()}


def sentence(missing: Mapping[str, tuple[str, ...]]) -> str:
    """Return what is not proven, by program, as a person reads it."""
    installs = {name: install for programs, install in PROGRAMS.values() for name in programs}
    return "; ".join(
        f"{name} is missing{f' (type: {installs[name]})' if name in installs else ''}, "
        f"not proven: {', '.join(ids)}"
        for name, ids in missing.items()
    )


def hold_proofs(records: Sequence[Statement]) -> None:
    """Fail if a proof fails. Then skip the test, by the ids of its statements, for each that could not be run."""
    assert not failed_proofs(records)
    if missing := skipped(records):
        pytest.skip(sentence(missing))


def failed_proofs(records: Iterable[Statement]) -> dict[str, str]:
    """Run the proofs that this machine can run side by side; return what went wrong by the statement's id."""
    records = [record for record in records if not missing_programs(record)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return {s.id: why for s, why in zip(records, pool.map(prove, records), strict=True) if why}


def _path(name: str) -> str:
    return shutil.which(name) or postgres.program(name)


def _run(runner: str, code: str, folder: Path) -> tuple[int, str]:
    if runner == "sqlite":
        return _sqlite(code, folder)
    if runner == "postgresql":
        return postgres.server().run(code, folder)
    prelude = "git init -q -b main .\n" if runner == "git" else ""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **_GIT_ENVIRONMENT,
        **{name: os.environ.get(name, str(Path.home() / folder)) for name, folder in _HOMES.items()},
    }
    done = subprocess.run(
        [*_COMMANDS[runner], prelude + code],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # jobs in the background start with it ignored
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout if not done.returncode else done.stdout + done.stderr


def _sqlite(code: str, folder: Path) -> tuple[int, str]:
    """Rows of every statement, columns joined by '|', as the sqlite3 shell prints them (NULL for nothing)."""
    if re.search(r"\b(?:attach|vacuum\s+into)\b", code, re.IGNORECASE):
        return 1, "a proof that makes other files belongs to the python runner"
    lines = []
    connection = sqlite3.connect(folder / "proof.db", isolation_level=None)
    try:
        for statement in _statements(code):
            rows = connection.execute(statement).fetchall()
            lines += ["|".join("NULL" if v is None else str(v) for v in row) for row in rows]
    except sqlite3.Error as error:
        return 1, "\n".join([*lines, str(error)])
    finally:
        connection.close()
    return 0, "\n".join(lines)


def _statements(code: str) -> list[str]:
    found, part = [], ""
    for piece in code.split(";"):
        part += piece + ";"
        if sqlite3.complete_statement(part):
            found.append(part)
            part = ""
    return [statement for statement in found if statement.strip(" ;\n")]


def main(paths: list[str]) -> int:
    library: Library = load(Path(path) for path in paths)
    for problem in library.problems:
        print(problem)
    proofs = [record for record in library.statements if record.proof]
    missing = skipped(proofs)
    if missing:
        print(sentence(missing))
    failed = 0
    for record in proofs:
        if missing_programs(record):
            continue
        if reason := prove(record):
            failed += 1
            print(f"{record.id}: {reason}")
    print(
        f"{len(library.statements)} statements, {len(library.problems)} problems; {len(proofs)} proofs, "
        f"{failed} failed, {len({i for ids in missing.values() for i in ids})} skipped; "
        f"topics: {', '.join(library.topics)}"
    )
    return bool(failed or library.problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
