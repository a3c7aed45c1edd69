"""A run on a database in memory, with an account that answers by script and a clock that stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from src import config
from src.db_manager import empty_database
from src.domain.answers import TWITTER_EPOCH_MS, SendResult, TimelineRead, Tweet
from src.domain.results import Lookup
from src.posting.run import Run, no_text
from src.system.clock import Clock
from tests.support.stored import NOW

KEYS = {
    "TWITTER_API_KEY": "key-of-a-test-0123456789",
    "TWITTER_API_SECRET": "secret-of-a-test-0123456789",
    "TWITTER_ACCESS_TOKEN": "5000000000-token-of-a-test",
    "TWITTER_ACCESS_TOKEN_SECRET": "token-secret-of-a-test-0123456789",
}


class Still(Clock):
    """A clock that moves only when someone sleeps."""

    def __init__(self, now: datetime = NOW) -> None:
        self.time = now
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


class Scripted:
    """An account that gives its answers in order. It remembers what was sent, and each range that was read.

    A range is `(since_id, until_id)`, as X takes it: both ends are left out, 0 is open.
    """

    def __init__(self, sends: Sequence[SendResult] = (), reads: Sequence[TimelineRead] = ()) -> None:
        self.sends, self.reads = list(sends), list(reads)
        self.sent: list[str] = []
        self.ranges: list[tuple[int, int]] = []

    def ready(self) -> SendResult | None:
        return None

    def send(self, text: str) -> SendResult:
        self.sent.append(text)
        return self.sends.pop(0)

    def timeline(self, since_id: int, *, until_id: int) -> TimelineRead:
        self.ranges.append((since_id, until_id))
        return self.reads.pop(0)

    def delete(self, tweet_id: int) -> SendResult:
        raise NotImplementedError

    def look_up(self, tweet_ids: Sequence[int]) -> Lookup:
        raise NotImplementedError


def scripted_run(env: dict[str, str] | None = None, **parts: Any) -> Run:
    """Return a run with these settings on an empty database, which knows no text of the library."""
    made = {"account": Scripted(), "compose": no_text, "clock": Still(), "_recognise": lambda tweet: None}
    return Run(config.load(env or {}), empty_database(NOW), run_id="run", **{**made, **parts})


def tweet_at(moment: datetime, text: str = "Of old.", earlier: tuple[int, ...] = ()) -> Tweet:
    """Return a tweet whose id says this time."""
    return Tweet((round(moment.timestamp() * 1000) - TWITTER_EPOCH_MS) << 22, text, earlier)


def shows(*tweets: Tweet, complete: bool = True, odd: int = 0, more: bool = False) -> TimelineRead:
    """Return a healthy read of these tweets."""
    oldest = min((tweet.id for tweet in tweets), default=0)
    return TimelineRead(tweets, healthy=True, complete=complete, odd=odd, oldest_id=oldest, more=more)
