"""X says no, or nothing, and may have made the tweet all the same: what may then be in a slot, and on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests import fake_x
from tests.fake_x import Fault
from tests.support.world import World

REFUSALS: dict[str, Callable[[], Fault]] = {
    "400": fake_x.invalid_request,
    "text": fake_x.bad_text,
    "401": fake_x.unauthorized,
    "402": fake_x.no_credits,
    "suspended": fake_x.suspended,
    "read-only": fake_x.read_only,
    "not-enrolled": fake_x.not_enrolled,
    "404": fake_x.not_found,
    "429": lambda: fake_x.rate_limited(None),
}
ANSWERS: dict[str, Callable[[], Fault]] = {
    **REFUSALS,
    "duplicate": fake_x.duplicate,
    "503": lambda: fake_x.server_error(503, accept=False),
}
LAGS = (0, 45, 90, 1200)  # seconds by which the timeline is behind


def refused_but_made(world: World, name: str, times: int) -> None:
    """Let X refuse `times` posts although it made each tweet, and check the promise after a day."""
    world.warm()
    world.x.on_post(*[replace(REFUSALS[name](), accept=True)] * times)
    for _ in range(4):
        world.tick()
        world.move(minutes=16)
    for _ in range(28):
        world.move(hours=1)
        world.tick()
    world.check_promise()
    assert len(world.x.texts()) > 15


def one_tweet_a_slot(world: World, name: str, *, made: bool, lag: int, minutes: int) -> None:
    """Let X give one answer, and check after a day: one tweet a slot, no text twice, each on record."""
    world.warm()
    world.extra["POST_INTERVAL_MINUTES"] = str(minutes)
    world.move(minutes=minutes)
    world.x.read_lag = lag
    world.x.on_post(replace(ANSWERS[name](), accept=made))
    before = len(world.x.texts())
    for _ in range(14):  # every 6 minutes: a second and a third run in the slot, then in the next one
        world.tick()
        world.move(minutes=6)
    if minutes == 1440:
        # 84 minutes are one slot. A refused one is tried again; one whose outcome nobody knows is given up.
        # A hold that lasts until the next slot lets nothing go either.
        assert len(world.x.texts()) - before == (made or name in {"400", "text", "duplicate", "401", "429"})
    for _ in range(26):
        world.move(hours=1)
        world.tick()
    made_by_us = [t for t in world.x.accepted if t.via == "api"][1:]
    slots = [int(t.asked // (60 * minutes)) for t in made_by_us]
    texts = [t.text for t in made_by_us]
    assert (len(set(slots)), len(set(texts))) == (len(slots), len(texts))
    recorded = {row["tweet_id"] for row in world.rows() if row["status"] == "posted"}
    assert {t.id for t in made_by_us} <= recorded
