"""What one run works with: settings, database, account, clock, and the way texts are composed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Protocol

from src.config import Settings
from src.db_manager import Database
from src.domain.answers import Outcome, SendResult, TimelineRead
from src.domain.logins import RenewableLogin
from src.domain.notes import Note
from src.domain.results import Lookup
from src.domain.slots import slot_start
from src.domain.texts import Composition, History
from src.domain.timetable import Timetable
from src.posting.recognise import Recognise, recogniser
from src.system.clock import Clock

NETWORK_SECONDS = 130.0  # kept back from the model: one exchange and three looks at the timeline


class Account(Protocol):
    """The account on X, as `twitter_handler.XClient` has it."""

    def ready(self) -> SendResult | None: ...
    def send(self, text: str) -> SendResult: ...
    def timeline(self, since_id: int, *, until_id: int) -> TimelineRead: ...
    def delete(self, tweet_id: int) -> SendResult: ...
    def look_up(self, tweet_ids: Sequence[int]) -> Lookup: ...


Compose = Callable[[Settings, History, datetime, float], Composition]
WriteMany = Callable[[Settings, History, datetime, int, float], list[Composition]]
WriteOpenings = Callable[[Settings, Sequence[tuple[str, str, str]], datetime, float], Mapping[str, str]]
"""(id, topic, text) of each text, and seconds: the model's openings, by id, of those that got a good one."""


@dataclass(slots=True)
class Run:
    """One run. `slot` is fixed at its start, empty where none is open. A `preview` is a dry run."""

    settings: Settings
    db: Database
    account: Account
    compose: Compose
    run_id: str
    clock: Clock = field(default_factory=Clock)
    preview: bool = False
    slot: str = field(init=False)
    started: datetime = field(init=False)
    timetable: Timetable = field(init=False)
    metrics: dict[str, float] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    write_many: WriteMany | None = None
    write_openings: WriteOpenings | None = None
    _phase: tuple[str, float] | None = None
    _recognise: Recognise | None = None

    def __post_init__(self) -> None:
        self.started = self.clock.now()
        self.timetable = self.db.notes.timetable(self.settings.schedule, self.started)
        open_slots = [slot.name for slot in self.timetable.open_at(self.started)]
        self.slot = self.db.archive.slot_to_fill(open_slots)

    def day_before(self) -> datetime | None:
        """Return the slot of a day before this run's, None where no slot is open."""
        return self.settings.schedule.day_before(slot_start(self.slot)) if self.slot else None

    @property
    def recognise(self) -> Recognise:
        """The function that recognises tweets as texts of this account's library."""
        if self._recognise is None:
            self._recognise = recogniser(self.settings.library_paths)
        return self._recognise

    def phase(self, name: str) -> None:
        """End the phase before, and start this one if it has a name; metric `NAME_seconds` measures it."""
        now = self.clock.monotonic()
        if self._phase:
            ended, since = self._phase
            self.add(f"{ended}_seconds", round(now - since, 4))
        self._phase = (name, now) if name else None

    def add(self, metric: str, amount: float = 1.0) -> None:
        """Add to a metric of this run."""
        self.metrics[metric] = round(self.metrics.get(metric, 0.0) + amount, 6)

    def seconds_left(self) -> float:
        """Return the seconds until this run's deadline."""
        return self.settings.deadline_seconds - (self.clock.now() - self.started).total_seconds()


class LazyAccount:
    """The real account, built at its first use, because importing tweepy takes longer than an idle tick."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock

    @cached_property
    def _client(self) -> Account:
        from src.twitter_handler import XClient  # noqa: PLC0415

        return XClient(self._settings, self._clock.now)

    def ready(self) -> SendResult | None:
        """See `XClient.ready`. Keys that do not expire are always ready."""
        return self._client.ready() if isinstance(self._settings.login, RenewableLogin) else None

    def send(self, text: str) -> SendResult:
        """See `XClient.send`."""
        return self._client.send(text)

    def timeline(self, since_id: int, *, until_id: int) -> TimelineRead:
        """See `XClient.timeline`."""
        return self._client.timeline(since_id, until_id=until_id)

    def delete(self, tweet_id: int) -> SendResult:
        """See `XClient.delete`."""
        return self._client.delete(tweet_id)

    def look_up(self, tweet_ids: Sequence[int]) -> Lookup:
        """See `XClient.look_up`."""
        return self._client.look_up(tweet_ids)


class DryRunAccount:
    """The account of a dry run, which makes no request."""

    def ready(self) -> SendResult | None:
        """Return None: there is no login to renew."""
        return None

    def send(self, text: str) -> SendResult:
        """Return the answer to a successful post; the dry run's copy of the database is discarded."""
        return SendResult(Outcome.POSTED, tweet_id=1)

    def timeline(self, since_id: int, *, until_id: int) -> TimelineRead:
        """Return a read that shows nothing and proves nothing."""
        return TimelineRead()

    def delete(self, tweet_id: int) -> SendResult:
        """Return NOT_SENT: nothing is deleted."""
        return SendResult(Outcome.NOT_SENT)

    def look_up(self, tweet_ids: Sequence[int]) -> Lookup:
        """Return an answer that says nothing."""
        return Lookup()


def no_text(_settings: Settings, _history: History, _now: datetime, _seconds: float) -> Composition:
    """Return no text: the composer of commands that must not write one."""
    return Composition(None)
