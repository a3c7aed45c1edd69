"""One run of the program as a whole process, measured: wall and processor seconds, peak memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from src.config import ROOT

PROGRAM = (sys.executable, "-m", "src.twitter_manager")
# A small parent of its own, whose only child is the run: the peak that the kernel reports for a child begins with
# the size of whoever started it.
_SHIM = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
wall = time.perf_counter() - started
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps([wall, cpu, usage.ru_maxrss / 1024, done.stdout, done.returncode, done.stderr[-2000:]]))
"""


class Measured(NamedTuple):
    """Wall and processor seconds (of all processes together), megabytes of the largest one, standard output."""

    wall: float
    cpu: float
    peak_mb: float
    output: str


def measure(command: Sequence[str], env: dict[str, str], cwd: Path = ROOT) -> Measured:
    """Run a command and return what it took. Raises `SystemExit` if it fails."""
    shim = [sys.executable, "-c", _SHIM, *command]
    done = subprocess.run(shim, env=env, cwd=cwd, capture_output=True, text=True, check=True)
    *figures, status, said = json.loads(done.stdout)
    if status:
        raise SystemExit(f"{list(command)} ended with {status}: {said}")
    return Measured(*figures)
