"""`python -m tests.bench_feeds 60`: what five feeds cost an hourly run, in so many pairs of real runs.

A pair is one idle run without feeds and one with five feeds that are not due, in turn first; the figure is the
middle of the differences. Then runs that read five feeds of 100 items each from loopback.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import statistics
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from src.config import ROOT
from tests.fake_x import FakeX
from tests.support.feed_server import Entry, FeedServer, Reply, rss
from tests.support.measured import PROGRAM, Measured, measure
from tests.support.world import World

FEEDS, ITEMS, READS = 5, 100, 5


def pages(server: FeedServer, first: int) -> None:
    """Let each feed show 100 items, the first of them with this number."""
    now = datetime.now(UTC)
    for feed in range(FEEDS):
        entries = [
            Entry(
                f"Post {n} of feed {feed}",
                f"https://a.dev/{feed}/{n}",
                f"{feed}-{n}",
                now - timedelta(hours=n),
            )
            for n in range(first, first + ITEMS)
        ]
        server.pages[f"/{feed}.xml"] = Reply(rss(entries))


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as name, FakeX() as x, FeedServer() as server:
        folder = Path(name)
        bare = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "CANDIDATES": "0"}
        plain = World(folder, x, None, extra={"POST_INTERVAL_MINUTES": "1440"}).env | bare
        urls = ",".join(server.url(f"/{feed}.xml") for feed in range(FEEDS))
        more = {"FEEDS": urls, "LINKS": "own", "FEED_PRIVATE_HOSTS": "127.0.0.1", "FEED_MINUTES": "10080"}
        fed = plain | more
        pages(server, 0)
        measure(PROGRAM, plain)
        measure(PROGRAM, fed)
        asked = len(server.asked)
        found: dict[str, list[Measured]] = {"plain": [], "fed": []}
        for number in range(pairs):
            order = (("plain", plain), ("fed", fed))
            for kind, env in order if number % 2 else order[::-1]:
                found[kind].append(measure(PROGRAM, env))
        assert len(server.asked) == asked == FEEDS, "a feed was asked"
        print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}, {pairs} pairs")
        for kind, rows in found.items():
            wall, cpu, peak = (statistics.median(row[n] for row in rows) for n in range(3))
            print(f"idle, {kind}: {wall * 1000:.1f} ms wall, {cpu * 1000:.1f} ms processor, {peak:.1f} MB")
        for n, kind in enumerate(("wall", "processor")):
            apart = [(b[n] - a[n]) * 1000 for a, b in zip(found["plain"], found["fed"], strict=True)]
            low, middle, high = statistics.quantiles(apart, n=4)
            print(
                f"five feeds, not due: {middle:+.1f} ms {kind} (half of the pairs {low:+.1f} to {high:+.1f})"
            )
        for words, first in (("no item of them new", 0), ("every item of them new", ITEMS)):
            rows = [read(fed, folder / f"{first}-{number}", server, first) for number in range(READS)]
            wall, cpu, peak = (statistics.median(row[n] for row in rows) for n in range(3))
            print(
                f"reads {FEEDS} feeds of {ITEMS}, {words}: {wall:.2f} s wall, {cpu:.2f} s processor, {peak:.0f} MB"
            )


def read(env: dict[str, str], folder: Path, server: FeedServer, first: int) -> Measured:
    """Return what an otherwise idle run takes that reads all feeds again, which begin with item `first` now."""
    env = env | {"DATA_DIR": str(folder), "LOG_DIR": str(folder / "logs")}
    pages(server, 0)
    measure(PROGRAM, env)
    with contextlib.closing(sqlite3.connect(folder / "twitter.db")) as db:
        db.execute("UPDATE feeds SET next_at = 0")
        db.commit()
    pages(server, first)
    asked = len(server.asked)
    measured = measure(PROGRAM, env)
    assert len(server.asked) == asked + FEEDS, "a feed was not asked"
    return measured


if __name__ == "__main__":
    main()
