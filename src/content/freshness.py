"""How long the library lasts: texts that may be sent, cool-downs, repeat window, posts a day. Pure."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta

from src.config import Settings
from src.content import choice
from src.content.library import Statement
from src.domain.texts import History, without_hashtags

HORIZON_DAYS = 366
FAR_HORIZON_DAYS = 3 * 366
EVER = datetime(1900, 1, 1, tzinfo=UTC)  # before every tweet, and before the time 0 of one that is not known
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Supply:
    """The rest of the library: statements, those that may run now, texts that may be sent, and their days.

    `until` (UTC), in `days`, is when a slot first stays empty; None where that lies beyond the horizon. It
    counts cool-downs and repeats, and no likeness: that a text waits which is too much like a recent one can
    only bring the day forward.
    `back` (UTC) is when the next statement may run, None without any. `needed` is how many fill a year.
    `elsewhere` are those that only another profile holds back.
    """

    total: int
    fresh: int
    texts: int
    days: float | None
    until: datetime | None = None
    back: datetime | None = None
    needed: int = 0
    elsewhere: int = 0


def may_run(settings: Settings, statement: Statement, history: History, now: datetime) -> bool:
    """Return whether a statement may be posted: by cool-down, owner, dates and other profiles."""
    used, day = history.last_used.get(statement.id), choice.today(settings, now)
    return (
        (used is None or now - used >= timedelta(days=settings.cooldown_days))
        and statement.id not in history.hidden
        and not choice.is_early(statement, day)
        and not choice.is_over(statement, day)
        and history.elsewhere.get(statement.id, now) <= now
    )


def repeats_after(settings: Settings, now: datetime) -> datetime:
    """Return the time since which a text must not have been sent: the repeat window, or all of history."""
    if not settings.repeat_after_days:
        return EVER
    return now - timedelta(days=settings.repeat_after_days)


def joined(opening: str, text: str) -> str:
    """Return the tweet that an opening and a text make; the text alone where the opening is empty."""
    return f"{opening}\n\n{text}" if opening else text


def sendable(statement: Statement, sent: Mapping[str, datetime], since: datetime) -> list[tuple[str, str]]:
    """Return the vetted (opening, text) pairs of a statement that were not sent after `since`.

    The opening is empty for the text alone. Those that were never sent come first, of these the wordings used
    least; then those sent longest ago. `sent` are the statement's tweets on record, with their times; their
    hashtags make no other text.
    """
    tweets = _without_hashtags(sent)
    times_used = {text: sum(tweet.endswith(text) for tweet in tweets) for text in statement.texts}
    by_use = sorted(statement.texts, key=times_used.__getitem__)
    pairs = [(opening, text) for text in by_use for opening in (*statement.openings, "")]
    unsent = [pair for pair in pairs if joined(*pair) not in tweets]
    again = [pair for pair in pairs if joined(*pair) in tweets and tweets[joined(*pair)] <= since]
    return unsent + sorted(again, key=lambda pair: tweets[joined(*pair)])


def _without_hashtags(sent: Mapping[str, datetime]) -> dict[str, datetime]:
    tweets: dict[str, datetime] = {}
    for tweet, at in sent.items():
        text = without_hashtags(tweet)
        tweets[text] = max(at, tweets.get(text, at))
    return tweets


def supply(
    settings: Settings,
    statements: Sequence[Statement],
    history: History,
    now: datetime,
    horizon_days: int = HORIZON_DAYS,
) -> Supply:
    """Return how long the vetted texts of these statements last at the pace that the settings allow."""
    day = choice.today(settings, now)
    coming = (s for s in statements if s.id not in history.hidden and not choice.is_over(s, day))
    stock = [_item(settings, s, history, now) for s in coming]
    waiting = [item for item in stock if item.texts]
    waits = [item.ready for item in waiting]
    texts = sum(wait <= 0 for item in stock for wait in item.texts)
    needed = _needed(settings, stock)
    days = days_left(
        waiting,
        settings.schedule.posts_per_day,
        settings.cooldown_days,
        settings.repeat_after_days,
        horizon_days,
        history.topics,
    )
    return Supply(
        total=len(stock),
        fresh=sum(wait <= 0 for wait in waits),
        texts=texts,
        days=days,
        until=None if days is None else now + days * _DAY,
        back=now + max(min(waits), 0.0) * _DAY if waits else None,
        needed=needed,
        elsewhere=_held_elsewhere(settings, statements, history, now),
    )


def _held_elsewhere(
    settings: Settings, statements: Iterable[Statement], history: History, now: datetime
) -> int:
    """Count the statements that could be posted if no other profile had taken them."""
    if not history.elsewhere:
        return 0
    alone = replace(history, elsewhere={})
    return sum(
        may_run(settings, s, alone, now) and not may_run(settings, s, history, now) for s in statements
    )


@dataclass(slots=True)
class Item:
    """A statement in the forecast: its topic, the days until it may run, and until each text may be sent."""

    topic: str
    rest: float = 0.0
    texts: deque[float] = field(default_factory=deque)

    @property
    def ready(self) -> float:
        """The days until this statement may run with its next text."""
        return max(self.rest, self.texts[0])


def _item(settings: Settings, statement: Statement, history: History, now: datetime) -> Item:
    used = history.last_used.get(statement.id)
    rest = (used + timedelta(days=settings.cooldown_days) - now) / _DAY if used else -math.inf
    if begin := statement.not_before:
        opens = datetime.combine(begin, time.min, settings.schedule.zone)
        rest = max(rest, (opens - now) / _DAY)
    if until := history.elsewhere.get(statement.id):
        rest = max(rest, (until - now) / _DAY)
    tweets = _without_hashtags(history.sent.get(statement.id, {}))
    window = timedelta(days=settings.repeat_after_days)
    count = len(statement.texts) * (len(statement.openings) + 1)
    vetted = {joined(o, t) for t in statement.texts for o in (*statement.openings, "")} if tweets else set()
    sent = [at for tweet, at in tweets.items() if tweet in vetted]
    texts = deque([0.0] * (count - len(sent)))
    if window:
        texts.extend(sorted(max((at + window - now) / _DAY, 0.0) for at in sent))
    return Item(statement.topic, rest, texts)


def _needed(settings: Settings, stock: list[Item]) -> int:
    """Return how many statements fill a year at this pace, with as many texts as these have on average."""
    per_day = settings.schedule.posts_per_day
    window = min(settings.repeat_after_days or HORIZON_DAYS, HORIZON_DAYS)
    mean = sum(len(item.texts) for item in stock) / len(stock) if stock else 1.0
    return math.ceil(max(per_day * settings.cooldown_days, per_day * window / max(mean, 1.0)))


def days_left(
    stock: Iterable[Item],
    per_day: float,
    cooldown_days: float,
    repeat_days: float,
    horizon_days: int = HORIZON_DAYS,
    topics: Iterable[str] = (),
) -> float | None:
    """Return the days until a post finds no text; None if that does not come within the horizon.

    Plays the choice of `content_generator`: `per_day` posts, the topic that waited longest, of it the
    statement that waited longest. `topics` are those of the past posts, newest first.
    """
    longest_first = sorted((item for item in stock if item.texts), key=lambda item: item.rest)
    resting = [(item.ready, number, item) for number, item in enumerate(longest_first)]
    heapq.heapify(resting)
    ready: dict[str, deque[Item]] = {}
    for item in (item for _, _, item in resting):
        ready.setdefault(item.topic, deque())
    waited = dict.fromkeys(topic for topic in topics if topic in ready)
    order = deque(topic for topic in reversed([*waited, *(t for t in ready if t not in waited)]))
    empty = set(ready)
    for number in range(int(horizon_days * per_day) + 1):
        day = number / per_day
        while resting and resting[0][0] <= day + 1e-9:
            _, _, item = heapq.heappop(resting)
            ready[item.topic].append(item)
            empty.discard(item.topic)
        topic = next((t for t in order if t not in empty), None)
        if topic is None:
            return day
        order.remove(topic)
        order.append(topic)
        item = ready[topic].popleft()
        if not ready[topic]:
            empty.add(topic)
        item.texts.popleft()
        item.rest = day + cooldown_days
        if repeat_days:
            item.texts.append(day + repeat_days)
        if item.texts:
            heapq.heappush(resting, (item.ready, number + len(ready) * 1_000_000, item))
    return None
