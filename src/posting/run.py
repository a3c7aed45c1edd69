"""What one run works with: settings, database, X, clock, and the way texts are composed. Built by `twitter_manager`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Protocol

from src.config import Settings
from src.db_manager import Database
from src.domain.answers import Outcome, SendResult, TimelineRead
from src.domain.errors import ConfigError
from src.domain.logins import RenewableLogin
from src.domain.notes import Note
from src.domain.slots import slot_of
from src.domain.texts import Composition, History


class Account(Protocol):
    """The account on X, as `twitter_handler.XClient` has it."""

    def ready(self) -> SendResult | None: ...
    def send(self, text: str) -> SendResult: ...
    def timeline(self, since_id: int, count: int = 100, until_id: int = 0) -> TimelineRead: ...
    def delete(self, tweet_id: int) -> SendResult: ...


class Clock:
    """The real clock. Tests move their own."""

    def now(self) -> datetime:
        """The time, UTC-aware."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from some moment on, for durations: setting the machine's clock does not change them."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)


Compose = Callable[[Settings, History, datetime, float], Composition]


@dataclass(slots=True)
class Run:
    """One run. `slot` is fixed at the start; `preview` is a dry run, which does not ask whether a post is due."""

    settings: Settings
    db: Database
    account: Account
    compose: Compose
    run_id: str
    clock: Clock = field(default_factory=Clock)
    slot: str = ""
    preview: bool = False
    started: datetime = field(init=False)
    metrics: dict[str, float] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    _phase: tuple[str, float] = ("", 0.0)

    def __post_init__(self) -> None:
        self.started = self.clock.now()
        self.slot = self.slot or slot_of(self.started, self.settings.post_interval_minutes)

    def phase(self, name: str) -> None:
        """From here on time counts as this phase's (`NAME_seconds` in the metrics); an empty name ends the last one."""
        now = self.clock.monotonic()
        ended, since = self._phase
        if ended:
            self.add(f"{ended}_seconds", round(now - since, 4))
        self._phase = (name, now)

    def add(self, metric: str, amount: float = 1.0) -> None:
        """Add to a metric of this run."""
        self.metrics[metric] = round(self.metrics.get(metric, 0.0) + amount, 6)

    def seconds_left(self) -> float:
        """Seconds until this run's deadline."""
        return self.settings.deadline_seconds - (self.clock.now() - self.started).total_seconds()


class LazyAccount:
    """The real account, built at its first use: importing tweepy takes longer than an idle tick."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock

    @cached_property
    def _client(self) -> Account:
        from src.twitter_handler import XClient  # noqa: PLC0415

        return XClient(self._settings, self._clock.now)

    def ready(self) -> SendResult | None:
        """See `XClient.ready`. Keys that do not expire are ready without a look."""
        return self._client.ready() if isinstance(self._settings.login, RenewableLogin) else None

    def send(self, text: str) -> SendResult:
        """See `XClient.send`."""
        return self._client.send(text)

    def timeline(self, since_id: int, count: int = 100, until_id: int = 0) -> TimelineRead:
        """See `XClient.timeline`."""
        return self._client.timeline(since_id, count, until_id)

    def delete(self, tweet_id: int) -> SendResult:
        """See `XClient.delete`."""
        return self._client.delete(tweet_id)


class DryRunAccount:
    """The account of a dry run: it posts nothing and knows nothing."""

    def ready(self) -> SendResult | None:
        """It pretends only, so it is."""
        return None

    def send(self, text: str) -> SendResult:
        """Pretend; the text is in the preview's database, which is thrown away."""
        return SendResult(Outcome.POSTED, tweet_id=1)

    def timeline(self, since_id: int, count: int = 100, until_id: int = 0) -> TimelineRead:
        """Nothing is read."""
        return TimelineRead()

    def delete(self, tweet_id: int) -> SendResult:
        """Nothing is deleted."""
        return SendResult(Outcome.NOT_SENT)


def require_credentials(settings: Settings) -> None:
    """Raise `ConfigError` that names every credential that is missing."""
    missing = settings.missing_credentials
    if not missing:
        return
    message = f"{', '.join(missing)}: not set"
    if settings.login:
        raise ConfigError(message, "fill it in in .env: the login was made with it")
    raise ConfigError(
        message,
        "copy .env.example to .env, chmod 600 .env, and fill in the four keys of your X app;"
        " `login` fetches the access token if you only have the app's two"
        " (keys that systemd hands to its service are not seen from a shell)",
    )


def with_login(settings: Settings) -> Settings:
    """The settings with the tokens that `login` fetched, if it did. Raises `ConfigError` for a file that cannot be used."""
    if not settings.credentials_file.exists():
        return settings
    from src.x import credentials  # noqa: PLC0415 (a run on the keys of .env need not load it)

    return credentials.applied(settings)


def no_text(_settings: Settings, _history: History, _now: datetime, _seconds: float) -> Composition:
    """The composer of commands that must not write."""
    return Composition(None)
