"""X says no and posts all the same: a refusal is X's word, and one owned read checks it before anything else goes."""

from dataclasses import replace

import pytest

from tests import fake_x

REFUSALS = {
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


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("name", REFUSALS)
def test_refused_but_made(world, name, times):
    """Whatever X refuses although it made the tweet, no slot gets two and within a day every tweet is on record."""
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


ANSWERS = {**REFUSALS, "duplicate": fake_x.duplicate, "503": lambda: fake_x.server_error(503, accept=False)}


@pytest.mark.parametrize("lag", [0, 45, 90, 1200])
@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("minutes", [60, 1440])
def test_no_slot_gets_two(world, name, made, lag, minutes):
    """Whatever X says, whether it made the tweet and how far its timeline is behind: one tweet, one text, on record."""
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
