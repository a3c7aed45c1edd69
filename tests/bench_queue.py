"""`python -m tests.bench_queue 5`: what a tweet costs with and without `QUEUE_AHEAD=24`, in so many pairs.

Whole runs with the embedded model, each on an account of its own. Without a queue a run starts the model and
posts. With it one run writes 24 texts with one start of the model, and 24 runs post one of them each.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from src.config import ROOT
from tests.fake_x import FakeX
from tests.support.measured import PROGRAM, Measured, measure
from tests.support.world import World

TEXTS = 24


def account(folder: Path, env: dict[str, str]) -> dict[str, str]:
    """Return the settings of an account whose data lie in this folder."""
    return env | {"DATA_DIR": str(folder / "data"), "LOG_DIR": str(folder / "logs")}


def posting(x: FakeX, env: dict[str, str]) -> Measured:
    """Measure a run that posts; the next account begins with an empty timeline."""
    measured = measure(PROGRAM, env)
    assert len(x.accepted) == 1, "the run did not post"
    x.accepted.clear()
    return measured


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name, FakeX() as x:
        base = Path(name)
        models = {
            "MODELS_DIR": str(ROOT / "data" / "models"),
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
        }
        env = World(base, x, None, extra={"POST_INTERVAL_MINUTES": "1440"}).env | models
        filled = account(base / "filled", env)
        filling = [*PROGRAM, "queue", "fill", "-n", str(TEXTS)]
        found: dict[str, list[Measured]] = {"write": [], "fill": [], "post": []}
        for number in range(pairs):
            found["write"].append(posting(x, account(base / f"written-{number}", env)))
            shutil.rmtree(base / "filled", ignore_errors=True)
            found["fill"].append(measure(filling, filled))
            shutil.copytree(base / "filled", base / f"posted-{number}")
            found["post"].append(posting(x, account(base / f"posted-{number}", env)))
        print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}, {pairs} pairs")
        for kind, rows in found.items():
            wall, cpu, peak = (statistics.median(row[n] for row in rows) for n in range(3))
            print(f"{kind}: {wall:.2f} s wall, {cpu:.2f} s processor, {peak:.0f} MB")
        alone = [row.cpu for row in found["write"]]
        ahead = [fill.cpu / TEXTS + post.cpu for fill, post in zip(found["fill"], found["post"], strict=True)]
        shares = [b / a for a, b in zip(alone, ahead, strict=True)]
        print(
            f"processor a tweet: {statistics.median(alone):.2f} s alone, {statistics.median(ahead):.2f} s ahead"
        )
        print(f"share: {statistics.median(shares):.0%} ({min(shares):.0%} to {max(shares):.0%})")


if __name__ == "__main__":
    main()
