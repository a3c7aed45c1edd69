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


@pytest.mark.parametrize("name", ["400", "text"])
def test_refused_text_and_unreadable_timeline(world, name):
    """A text was refused and the timeline cannot be read: no second text goes out in this run."""
    world.warm()
    world.x.on_post(replace(REFUSALS[name](), accept=True))
    world.x.always_get = fake_x.not_found()
    assert world.tick().outcome == "refused"
    assert len(world.x.texts()) == 2


def test_blocked_text_waits_for_a_readable_timeline(world):
    """After a refusal by account the same text goes only once the timeline shows that it is not there."""
    world.warm()
    world.x.on_post(fake_x.unauthorized())
    assert world.tick().outcome == "blocked"
    world.x.on_get(fake_x.server_error(503, accept=False))
    world.move(minutes=5)
    posts = world.x.posts_seen()
    assert world.tick().outcome == "not-sent"
    assert world.x.posts_seen() == posts
    world.move(minutes=5)
    assert world.tick().outcome == "posted"
    world.check_promise()
