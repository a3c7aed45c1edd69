"""The shipped library over months."""

from src import config
from tests.support.library import shipped
from tests.support.supply import hold_to_the_cooldown, post_hourly


def test_three_thousand_hours_of_the_shipped_library(monkeypatch, tmp_path):
    """The shipped library and the real composer fill 3,000 hours: 84 days are not the end."""
    quick = config.load({"DATA_DIR": str(tmp_path), "CANDIDATES": "0"})
    posted, end = post_hourly(quick, shipped(), 3000, monkeypatch)
    assert (len(posted), end) == (3000, None)
    hold_to_the_cooldown(posted, quick.cooldown_days)
    assert len({draft.content for _, draft in posted}) == 3000
