"""The command line in a fork: as a process of its own, without the second that starting Python takes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from src import twitter_manager


def run(arguments: list[str], env: Mapping[str, str], typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run `main` with exactly this environment; return what it printed and its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("in", "out", "err")]
        files[0].write_text(typed)
        pid = os.fork()
        if pid == 0:
            _become(arguments, env, files)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return subprocess.CompletedProcess(arguments, code, files[1].read_text(), files[2].read_text())


def _become(arguments: list[str], env: Mapping[str, str], files: list[Path]) -> None:
    code = 70
    try:
        for number, file in enumerate(files):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT
            os.dup2(os.open(file, flags, 0o600), number)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 (for good)
        os.environ.clear()
        os.environ.update(env)
        os.chdir("/")
        code = twitter_manager.main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
