"""Upkeep and restore, killed at every system call."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from src.config import ROOT
from tests.support.upkeep import backups, maintain, post, settle_down, whole
from tests.support.world import new_world


@pytest.mark.needs("strace")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("command", ["maintain", "restore"])
def test_killed_at_every_system_call(tmp_path, capsys, command):
    """kill -9 at every call that touches our files: the database and the backups are whole; the next runs go on."""
    base = (
        Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path)
        / f"twitter_manager-{os.getpid()}-{command}"
    )
    base.mkdir()
    try:
        with new_world(base, READ_TIMEOUT_SECONDS="3") as world:
            post(world, 2)
            maintain(world)
            post(world, 1)
            shutil.copytree(base / "data", base / "start")
            past = list(world.x.accepted)
            now = datetime.now(UTC)

            def fresh():
                shutil.rmtree(base / "data")
                shutil.copytree(base / "start", base / "data")
                world.x.accepted = list(past)
                world.traveller.move_to(now)

            def traced(*options):
                arguments = ["maintain"] if command == "maintain" else ["restore", str(backups(world)[0])]
                words = [
                    "strace",
                    "-f",
                    "-qq",
                    *options,
                    sys.executable,
                    "-m",
                    "src.twitter_manager",
                    *arguments,
                ]
                return subprocess.run(
                    words,
                    cwd=ROOT,
                    env={"PATH": "/usr/bin:/bin", **world.env},
                    capture_output=True,
                    check=False,
                ).returncode

            fresh()
            assert traced("-o", str(base / "strace.log"), "-y", "-e", "trace=%file,%desc") == 0
            counts, points = {}, []
            for line in (base / "strace.log").read_text(errors="replace").splitlines():
                name = line.partition(" ")[2].lstrip().partition("(")[0]
                counts[name] = counts.get(name, 0) + 1
                if str(base / "data") in line and name.isidentifier():
                    points.append((name, counts[name]))
            kills = 0
            for name, number in points:
                fresh()
                code = traced(
                    "-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}"
                )
                kills += code not in {0, 74}
                assert len(whole(world.database)) in {2, 3}, (name, number)
                assert backups(world), (name, number)
                assert all(len(whole(file)) in {2, 3} for file in backups(world)), (name, number)
                settle_down(world)
            with capsys.disabled():
                print(f"\n{command}: {len(points)} points, {kills} kills, 0 lost", flush=True)
            assert kills > 20
    finally:
        shutil.rmtree(base, ignore_errors=True)
