"""A PostgreSQL server of its own for the proofs: a cluster in a temporary folder, reached by a socket there.

`databases()` starts it on the first use and stops it when the process ends. It runs as an unprivileged user,
since the server refuses root, and it listens on no port.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import threading
from functools import lru_cache
from pathlib import Path

_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # Debian leaves initdb and pg_ctl out of the PATH
_SETTINGS = "fsync=off", "full_page_writes=off", "listen_addresses=''", "max_connections=40"


def program(name: str) -> str:
    """Return the path of a program of PostgreSQL, empty where it is not installed."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), *(str(folder) for folder in reversed(_DEBIAN))])
    return shutil.which(name, path=folders) or ""


class Server:
    """A running cluster. `run(code)` plays SQL in a new database of it."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="proofs-"))
        self._numbers = itertools.count(1)
        self._user = _unprivileged()
        if self._user:
            shutil.chown(self._folder, self._user)
        data = str(self._folder / "data")
        self._call("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = " ".join(
            f"-c {setting}" for setting in (*_SETTINGS, f"unix_socket_directories={self._folder}")
        )
        self._call("pg_ctl", "-D", data, "-w", "-o", options, "-l", str(self._folder / "log"), "start")
        self._creating = threading.Lock()

    def run(self, code: str, folder: Path) -> tuple[int, str]:
        """Return psql's exit status and its output, errors among it, of `code` in an empty database.

        psql stops at the first error, unless the code sets ON_ERROR_STOP to 0 because it shows one.
        """
        name = f"proof{next(self._numbers)}"
        environment = {**self._environment(), "PGDATABASE": name, "HOME": str(folder)}
        with self._creating:  # two copies of one template at a time are refused
            self._psql(["-c", f"CREATE DATABASE {name}"], self._environment(), folder)
        done = self._psql(["-v", "ON_ERROR_STOP=1"], environment, folder, code)
        self._psql(["-c", f"DROP DATABASE {name} WITH (FORCE)"], self._environment(), folder)
        return done.returncode, done.stdout

    def stop(self) -> None:
        """Stop the server and delete its cluster."""
        self._call("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop", check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        folders = os.pathsep.join([str(Path(program("psql")).parent), os.environ["PATH"]])
        connection = {"PGHOST": str(self._folder), "PGUSER": "postgres", "PGDATABASE": "postgres"}
        return {"PATH": folders, "LC_ALL": "C.UTF-8", **connection}

    def _psql(
        self, words: list[str], environment: dict[str, str], folder: Path, code: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program("psql"), "-X", "-q", "-A", "-t", "-P", "null=NULL", *words],
            input=code,
            cwd=folder,  # where the code's own shell commands leave their files
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )

    def _call(self, name: str, *words: str, check: bool = True) -> None:
        subprocess.run(
            [program(name), *words],
            cwd=self._folder,
            env=self._environment(),
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=check,
        )


@lru_cache(maxsize=1)
def server() -> Server:
    """Return the one server of this process; start it on the first call."""
    started = Server()
    atexit.register(started.stop)
    return started


def _unprivileged() -> str | None:
    """Return the user that the server runs as where this process is root."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
