"""Hours of real ticks on a real database with an account that remembers, and what they are held to."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

from src import config, content_generator
from src.config import Settings
from src.content import library as sources
from src.content.library import Library
from src.db_manager import Database, empty_database, open_database
from src.domain.answers import TWITTER_EPOCH_MS, Outcome, SendResult, TimelineRead, Tweet
from src.domain.results import Lookup
from src.domain.runs import RunOutcome, TickResult
from src.domain.texts import Composition, History
from src.model.choose import Model
from src.model.client import ROUNDS, SEEDS_A_ROUND, Enough, Written
from src.model.decode import Engine
from src.posting.run import Run
from src.system.clock import Clock
from src.twitter_manager import tick

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)


class SetClock(Clock):
    """A clock that stands at the time that it was given."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class HonestAccount:
    """An account that posts what it is given, and shows it."""

    clock: SetClock
    tweets: list[Tweet] = field(default_factory=list)

    def ready(self) -> SendResult | None:
        return None

    def send(self, text: str) -> SendResult:
        tweet_id = (int(self.clock.now().timestamp() * 1000) - TWITTER_EPOCH_MS) << 22
        self.tweets.append(Tweet(tweet_id, text))
        return SendResult(Outcome.POSTED, tweet_id=tweet_id)

    def timeline(self, since_id: int, count: int = 100, until_id: int = 0) -> TimelineRead:
        after = [
            t for t in reversed(self.tweets[-200:]) if since_id < t.id and (not until_id or t.id < until_id)
        ]
        return TimelineRead(tuple(after[:count]), healthy=True, complete=len(after) < count)

    def delete(self, tweet_id: int) -> SendResult:
        return SendResult(Outcome.DONE, tweet_id=tweet_id)

    def look_up(self, tweet_ids: Sequence[int]) -> Lookup:
        return Lookup()


@dataclass
class Life:
    """What came of some hours: the posts, the runs that posted nothing, and how long composing took."""

    posted: list[tuple[datetime, str, str, str]] = field(
        default_factory=list
    )  # time, statement, topic, content
    silent: list[tuple[datetime, TickResult]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # that composing took
    account: HonestAccount = field(default_factory=lambda: HonestAccount(SetClock(NOW)))
    led: int = 0  # posts that an opening by the model leads


def live(
    settings: Settings,
    library: Library | Callable[[datetime], Library],
    hours: int,
    *,
    until_silent: bool = False,
    database: Path | None = None,
    before: Life | None = None,
) -> Life:
    """Tick hourly with the real composer and database; stop at the first empty slot if `until_silent`.

    `before` is the life that this one goes on with, on the same database.
    """
    life = Life(account=before.account) if before else Life()
    account, clock = life.account, life.account.clock
    start = clock.at + timedelta(hours=1) if before else NOW
    db = open_database(database, start) if database else empty_database(start)
    real = sources.load

    def compose(given: Settings, history: History, now: datetime, seconds: float) -> Composition:
        sources.load = lambda paths: library(now) if callable(library) else library
        started = Clock().monotonic()
        try:
            return content_generator.compose(given, history, now, seconds=seconds)
        finally:
            life.seconds.append(Clock().monotonic() - started)
            sources.load = real

    with contextlib.closing(db):
        for hour in range(hours):
            clock.at = start + timedelta(hours=hour)
            result = tick(Run(settings, db, account, compose, f"{start:%F}-{hour}", clock))
            if result.outcome is RunOutcome.POSTED:
                life.posted.append(_latest(db, clock.now()))
                life.led += _is_led(db)
            else:
                life.silent.append((clock.now(), result))
                if until_silent:
                    break
    return life


def _latest(db: Database, now: datetime) -> tuple[datetime, str, str, str]:
    post = db.archive.last_tweet()
    assert post is not None
    return now, post.source_id or "", post.topic or "", post.content


def _is_led(db: Database) -> bool:
    post = db.archive.last_tweet()
    return post is not None and post.origin == "model"


class _Resident:
    """In the place of `ModelProcess`: the same engine, kept in this process, where thousands of texts are written."""

    def __init__(self, engine: Callable[[Model], Engine], candidates: int) -> None:
        self._engine, self._candidates = engine, candidates

    def __enter__(self) -> _Resident:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(
        self, model: Model, items: Sequence[tuple[str, str]], *, seed: int, enough: Enough | None = None
    ) -> dict[str, Written]:
        written: dict[str, Written] = {}
        for number, (name, text) in enumerate(items):
            written[name] = Written(())
            for round_number in range(ROUNDS if enough else 1):
                first = seed + number + round_number * SEEDS_A_ROUND
                openings, tokens = self._engine(model).write(text, self._candidates, first)
                scored = tuple((words, score) for words, score, _ in openings)
                written[name] = written[name].joined(Written(scored, tokens, 1.0))
                if enough and enough(name, written[name]):
                    break
        return written


@contextlib.contextmanager
def resident_model() -> Iterator[None]:
    """Let the model write in this process and load it once; all else of the composer stays as it is."""
    engines: dict[str, Engine] = {}

    def engine(model: Model) -> Engine:
        if model.name not in engines:
            engines[model.name] = Engine(model.folder, tuned=model.tuned, dtype=model.dtype, mode="hook")
        return engines[model.name]

    def resident(settings: Settings, _: float) -> _Resident:
        return _Resident(engine, settings.candidates)

    with mock.patch.object(content_generator, "ModelProcess", resident):
        yield


def hold_to_the_promise(life: Life, settings: Settings) -> None:
    """No statement before its cool-down, and no text within the repeat window (0: never twice)."""
    last: dict[str, datetime] = {}
    sent: dict[str, datetime] = {}
    for now, source_id, _, content in life.posted:
        if source_id in last:
            assert now - last[source_id] >= timedelta(days=settings.cooldown_days), (now, source_id)
        last[source_id] = now
        if content in sent:
            window = settings.repeat_after_days
            assert window, f"sent twice: {content}"
            assert now - sent[content] >= timedelta(days=window), (now, content)
        sent[content] = now


def neighbours(life: Life) -> int:
    """Count the posts that have the topic of the post before."""
    topics = [topic for _, _, topic, _ in life.posted]
    return sum(one == two for one, two in zip(topics, topics[1:], strict=False))


def live_together(accounts: list[Settings], days: int) -> list[list[tuple[datetime, str, str, str]]]:
    """Let accounts of one machine post side by side, in turns, at their own times; return the posts of each."""
    clock = SetClock(NOW)
    databases = [empty_database(NOW) for _ in accounts]
    networks = [HonestAccount(clock) for _ in accounts]
    posted: list[list[tuple[datetime, str, str, str]]] = [[] for _ in accounts]

    def compose(given: Settings, history: History, now: datetime, seconds: float) -> Composition:
        return content_generator.compose(given, history, now, seconds=seconds, use_model=False)

    with contextlib.ExitStack() as stack:
        for db in databases:
            stack.enter_context(contextlib.closing(db))
        for hour in range(days * 24):
            clock.at = NOW + timedelta(hours=hour)
            for number, settings in enumerate(accounts):
                db, account = databases[number], networks[number]
                result = tick(Run(settings, db, account, compose, f"r{number}-{hour}", clock))
                if result.outcome is RunOutcome.POSTED:
                    posted[number].append(_latest(db, clock.now()))
    return posted


def profiles_of_one_machine(folder: Path, count: int, **extra: str) -> list[Settings]:
    """Return the settings of so many profiles, each with an account of its own."""
    made = []
    for number in range(count):
        token = {"TWITTER_ACCESS_TOKEN": f"{1000 + number}-token"}
        given = config.load({"DATA_DIR": str(folder), **extra, **token})
        home = folder / "profiles" / f"account-{number}"
        home.mkdir(parents=True)
        made.append(given.model_copy(update={"data_dir": home, "profile": home.name}))
    return made


def shared_within(posted: list[list[tuple[datetime, str, str, str]]], days: int) -> list[str]:
    """Return the statements that two accounts posted within so many days."""
    by_statement: dict[str, list[tuple[datetime, int]]] = {}
    for number, posts in enumerate(posted):
        for at, statement, *_ in posts:
            by_statement.setdefault(statement, []).append((at, number))
    return [
        statement
        for statement, uses in by_statement.items()
        for one, two in itertools.combinations(uses, 2)
        if one[1] != two[1] and abs(one[0] - two[0]) < timedelta(days=days)
    ]
