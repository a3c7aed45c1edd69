"""What upkeep and restore leave behind, for tests."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from src import db_manager
from src.domain.errors import ProgramError
from src.system import failpoints
from src.upkeep import maintenance
from tests.support.scenarios import Plan, Verdict, judge
from tests.support.world import MovingClock, World


def maintain(world: World) -> maintenance.MaintenanceReport:
    return maintenance.maintain(world.settings, MovingClock(world.traveller), os.urandom(4).hex())


def restore(world: World, source: Path) -> tuple[dict[str, Any], str]:
    return maintenance.restore(Path(source), world.settings, MovingClock(world.traveller))


def backups(world: World) -> list[Path]:
    return maintenance.backups(world.folder / "data")


def post(world: World, times: int = 1) -> None:
    """Make that many posts, an hour apart."""
    for _ in range(times):
        assert world.tick().outcome == "posted"
        world.next_slot()


def forked(plan: Plan, work: Callable[[], object]) -> int:
    """Do something in a fork under a failpoint plan: its exit code, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        code = 70
        with contextlib.suppress(BaseException):
            failpoints._plan = plan
            try:
                result = work()
                code = int(getattr(getattr(result, "trouble", None), "exit_code", 0))
            except ProgramError as trouble:
                code = int(trouble.exit_code)
            except BaseException:
                traceback.print_exc()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def open_now(world: World) -> Any:
    return contextlib.closing(db_manager.open_database(world.database, datetime.now(UTC)))


def whole(path: Path) -> list[str]:
    """Return the texts of a database file, and check that it is sound."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        return [row[0] for row in db.execute("SELECT content FROM posts ORDER BY id")]


def scratch(path: Path, at: int = 20_000, size: int = 6_000) -> None:
    """Overwrite part of a file."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(size))


def settle_down(world: World) -> Verdict:
    """Hours later, everything is settled: nothing doubled, nothing unrecorded."""
    for hours in (1, 1, 25, 1):
        world.move(hours=hours)
        with contextlib.suppress(ProgramError):
            world.tick()
    verdict = judge(world)
    assert verdict.good, (verdict, world.statuses())
    return verdict
