"""A day of hourly runs."""

from tests.support.world import START


def test_a_day_of_hourly_posts_is_never_held_back_by_seconds(world):
    """Runs that take now more, now fewer seconds: each hour has its post, and the cap of 24 in 24 hours leaves none out."""
    for hour in range(30):
        at = hour * 3600 + (7, 2, 5)[hour % 3]
        world.move(seconds=at - (world.x.now() - START.timestamp()))
        assert world.tick().outcome == "posted", hour
