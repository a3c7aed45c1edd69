"""An account that posts from the shipped library for hours, then loses its database or has it damaged."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from src import content_generator
from src.config import Settings
from src.domain.texts import Composition, History
from tests.support.library import library_read_once
from tests.support.scenarios import quiet_tick
from tests.support.world import World, new_world


def real_composer(settings: Settings, history: History, now: datetime, seconds: float) -> Composition:
    return content_generator.compose(settings, history, now, seconds=seconds)


@contextlib.contextmanager
def new_lived_world(folder: Path) -> Iterator[World]:
    """Make an account whose texts the real composer takes from the shipped library."""
    quick = {"CANDIDATES": "0", "DAILY_BUDGET_USD": "100", "MAX_POSTS_PER_DAY": "100"}
    with library_read_once(), new_world(folder, **quick) as made:
        made.texts = real_composer  # type: ignore[assignment]
        yield made


def live(world: World, hours: int) -> None:
    for _ in range(hours):
        world.tick()
        world.next_slot()


def lose_the_database(world: World) -> None:
    shutil.rmtree(world.folder / "data")
    shutil.rmtree(world.folder / "logs", ignore_errors=True)


def damage(world: World) -> None:
    """Overwrite the file; the next run sets it aside (74)."""
    world.database.write_bytes(b"SQLite format 3\0" + b"\xff" * 9000)
    assert quiet_tick(world) == 74
    world.next_slot()
