"""A small world for tests: a folder, a fake X that remembers, a clock that moves, and ticks in it.

`World.tick` runs the real tick in this process, `World.forked` in a fork that may die, `World.cli` as cron.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import time_machine

from src import config
from src.domain.notes import Note, NoteCode
from src.domain.runs import TickResult
from src.domain.texts import Composition, Draft
from src.system import failpoints, log
from src.system.clock import Clock
from src.twitter_manager import run_tick
from src.x import credentials
from tests.fake_x import FakeX

START = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
_numbers = iter(range(1, 10**9))


class MovingClock(Clock):
    """The real clock under time-machine; sleeping moves time instead of waiting."""

    def __init__(self, traveller: Any) -> None:
        self.traveller = traveller

    def monotonic(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        self.traveller.shift(timedelta(seconds=seconds))


class Texts:
    """A composer with memory: a new text each time, and how often it was asked (the model was loaded)."""

    def __init__(self) -> None:
        self.asked = 0
        self.queue: list[str | None] = []

    def __call__(self, settings: Any, history: Any, now: Any, seconds: float) -> Composition:
        self.asked += 1
        text = (
            self.queue.pop(0)
            if self.queue
            else f"Text number {next(_numbers)} of process {os.getpid()} is new."
        )
        return Composition(
            Draft(text, "wording", f"s-{self.asked}", "Git") if text else None,
            notes=(Note(NoteCode.NO_TEXT_LEFT, "told"),) if text is None else (),
        )


@dataclass
class World:
    folder: Path
    x: FakeX
    traveller: Any
    texts: Texts = field(default_factory=Texts)
    extra: dict[str, str] = field(default_factory=dict)
    skew: float = 0.0  # seconds by which the machine's clock is ahead of X's

    @property
    def env(self) -> dict[str, str]:
        c = self.x.credentials
        return {
            "ENV_FILE": str(self.env_file),
            "X_API_BASE_URL": self.x.url,
            "TWITTER_API_KEY": c.api_key,
            "TWITTER_API_SECRET": c.api_secret,
            "TWITTER_ACCESS_TOKEN": c.access_token,
            "TWITTER_ACCESS_TOKEN_SECRET": c.access_token_secret,
            "DATA_DIR": str(self.folder / "data"),
            "LOG_DIR": str(self.folder / "logs"),
            "READ_TIMEOUT_SECONDS": "10",
            "CONNECT_TIMEOUT_SECONDS": "10",
            "DAILY_BUDGET_USD": "100",
            "MONTHLY_BUDGET_USD": "1000",
            **self.extra,
        }

    @property
    def env_file(self) -> Path:
        file = self.folder / "empty.env"
        if not file.exists():
            file.touch(mode=0o600)
        return file

    @property
    def settings(self) -> config.Settings:
        return credentials.applied(config.load(self.env))

    @property
    def database(self) -> Path:
        return self.folder / "data" / "twitter.db"

    def move(self, **delta: float) -> None:
        self.traveller.shift(timedelta(**delta))

    def jump(self, **delta: float) -> None:
        """Set the machine's clock wrong (or right again): X's clock stays."""
        self.traveller.shift(timedelta(**delta))
        self.skew += timedelta(**delta).total_seconds()

    def next_slot(self) -> None:
        self.move(hours=1)

    def tick(self, failpoint: str = "") -> TickResult:
        settings = self.settings
        log.set_up(settings.log_dir, "DEBUG", "test", log.Redactor(settings.secret_values()))
        failpoints.arm(failpoint)
        try:
            return run_tick(
                settings, MovingClock(self.traveller), f"r{next(_numbers)}-{os.getpid()}", self.texts
            )
        finally:
            failpoints.arm("")

    def forked(self, failpoint: str = "", *, first: Callable[[], object] | None = None, **env: str) -> int:
        """Run a tick in a fork; return its exit code, or minus the signal that killed it."""
        return self.join(self.spawn(failpoint, first=first, **env))

    def spawn(self, failpoint: str = "", *, first: Callable[[], object] | None = None, **env: str) -> int:
        """Start a tick in a fork; its process id."""
        pid = os.fork()
        if pid == 0:
            code = 70
            with contextlib.suppress(BaseException):
                self.extra = {**self.extra, **env}
                if first:
                    first()
                try:
                    code = int(self.tick(failpoint).exit_code)
                except Exception as error:
                    code = int(getattr(error, "exit_code", 70))
                    if code == 70:
                        traceback.print_exc()
            os._exit(code)
        return pid

    @staticmethod
    def join(pid: int) -> int:
        """Wait for a spawned tick: its exit code, or minus the signal that killed it."""
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def cli(
        self, *arguments: str, env: dict[str, str] | None = None, timeout: float = 120, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run the program as cron starts it: a bare environment, another working directory."""
        measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        bare = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(config.ROOT),
            **measured,
            **self.env,
            **(env or {}),
        }
        return subprocess.run(
            [sys.executable, "-m", "src.twitter_manager", *arguments],
            cwd="/",
            env=bare,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **options,
        )

    def rows(self, sql: str = "SELECT * FROM posts ORDER BY id", *values: object) -> list[sqlite3.Row]:
        if not self.database.exists():
            return []
        with contextlib.closing(sqlite3.connect(self.database)) as db:
            db.row_factory = sqlite3.Row
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'posts'").fetchone():
                return []  # killed in its first migration: the file is there, and nothing in it
            return db.execute(sql, values).fetchall()

    def statuses(self) -> list[str]:
        return [row["status"] for row in self.rows()]

    def ours(self) -> list[sqlite3.Row]:
        """Rows of posts this program made."""
        return self.rows("SELECT * FROM posts WHERE origin IN ('model', 'wording', 'person') ORDER BY id")

    def warm(self) -> None:
        """Give the account a past: one posted tweet, so that there is a canary."""
        self.x.tweet_by_hand("An old tweet from before.")
        self.move(hours=2)
        result = self.tick()
        assert result.outcome == "posted", result
        self.next_slot()
        self.texts.asked = 0

    def check_promise(self, slots: int = 1) -> None:
        """Nothing doubled, nothing lost, nothing invented, the file sound."""
        live = [t for t in self.x.accepted if t.via == "api"]
        texts = [t.text for t in live]
        assert len(texts) == len(set(texts)), "a text was accepted twice"
        per_slot: dict[int, int] = {}
        for tweet in live:
            per_slot[int(tweet.at // 3600)] = per_slot.get(int(tweet.at // 3600), 0) + 1
        assert all(count <= slots for count in per_slot.values()), "a slot has two tweets"
        recorded = {row["tweet_id"] for row in self.rows() if row["status"] == "posted" and row["tweet_id"]}
        assert {t.id for t in live} <= recorded, "a tweet on X is not recorded"
        assert recorded <= {t.id for t in self.x.accepted}, "a post is recorded that X never had"
        assert self.rows("PRAGMA integrity_check")[0][0] == "ok"


@contextlib.contextmanager
def new_world(folder: Path, **extra: str) -> Iterator[World]:
    """Make a world that starts at START."""
    with time_machine.travel(START, tick=True) as traveller, FakeX() as x:
        world = World(folder, x, traveller, extra=extra)
        x.now = lambda: time.time() - world.skew
        yield world
