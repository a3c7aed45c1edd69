"""`python -m tests.bench_accounts 20`: what so many accounts cost when all start in the same second, with the real model.

Real runs of the program, a profile each, against a fake X. Memory is the sum over all processes of what each holds
alone and its part of what they share (PSS), looked at five times a second.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from src.config import ROOT
from tests.fake_x import FakeX
from tests.support.accounts import Machine


def family(pids: set[int]) -> set[int]:
    """These processes and all that came from them."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def memory_mb(pids: set[int]) -> float:
    total = 0
    for pid in family(pids):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def run(machine: Machine, names: list[str]) -> tuple[float, float, float]:
    """All at once: (seconds until the last has posted, peak megabytes of all together, CPU seconds)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started, peak = time.monotonic(), 0.0
    processes = [machine.start("--profile", name) for name in names]
    while any(p.poll() is None for p in processes):
        peak = max(peak, memory_mb({p.pid for p in processes}))
        time.sleep(0.2)
    wall = time.monotonic() - started
    for process in processes:
        assert process.communicate() == ("", ""), "a run had something to say"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, peak, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder, FakeX() as x:
        machine = Machine(Path(folder), x)
        machine.env |= {"MODELS_DIR": str(ROOT / "data" / "models"), "POST_INTERVAL_MINUTES": "1440"}
        machine.candidates = "16"
        names = [f"account-{number}" for number in range(count + 5)]
        for name in names:
            machine.add(name)
        print(f"{len(os.sched_getaffinity(0))} cores")
        single = [run(machine, [name]) for name in names[:5]]
        print(
            f"5 accounts, one after another: {sum(s[0] for s in single):.1f} s, {max(s[1] for s in single):.0f} MB, {sum(s[2] for s in single) / 5:.1f} CPU seconds each"
        )
        wall, peak, cpu = run(machine, names[5:])
        print(
            f"{count} accounts at once: the last posted after {wall:.1f} s, {peak:.0f} MB together at most, {cpu / count:.1f} CPU seconds each"
        )
        idle = run(machine, names[5:])
        print(
            f"{count} idle runs at once: {idle[0]:.1f} s, {idle[1]:.0f} MB together at most, {idle[2] / count:.2f} CPU seconds each"
        )
        notes = "".join(
            (machine.folder / "logs" / name / "twitter_manager.log").read_text() for name in names
        )
        print(f"{len(x.texts())} tweets, {notes.count('wrote nothing')} without the model")


if __name__ == "__main__":
    main()
