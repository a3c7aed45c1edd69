"""A past of the shipped library, and a database that is lost: nothing of the past comes again."""

import pytest

from tests.support.lived import damage, live, lose_the_database, new_lived_world


@pytest.fixture
def world(tmp_path):
    """An account whose texts the real composer takes from the shipped library."""
    with new_lived_world(tmp_path) as made:
        yield made


@pytest.mark.parametrize(("how", "posts"), [("folder", 145), ("file", 30)])
def test_no_text_goes_out_again(world, how, posts):
    """Posts, then a new data folder or a damaged file: nothing of the past comes again, everything is on record."""
    live(world, posts)
    before = world.x.texts()
    assert len(set(before)) == posts
    if how == "folder":
        lose_the_database(world)
    else:
        damage(world)
    live(world, 20)
    after = world.x.texts()[posts:]
    assert len(after) >= 18
    assert not set(before) & set(after)
    recorded = {row["tweet_id"] for row in world.rows()}
    assert {t.id for t in world.x.accepted} <= recorded
    sources = {row["source_id"] for row in world.rows() if row["origin"] == "import"}
    assert len(sources) == posts
    assert None not in sources
    ours = [row["source_id"] for row in world.ours()]
    assert not sources & set(ours), "the cool-down of a recognised statement holds"
