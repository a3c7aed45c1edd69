"""Times as a person writes and reads them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from src.domain.times import parse, shown

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-01 15:00", datetime(2026, 12, 1, 14, tzinfo=UTC)),
        ("2026-12-01T15:00", datetime(2026, 12, 1, 14, tzinfo=UTC)),
        (" 2026-12-01   15:00 ", datetime(2026, 12, 1, 14, tzinfo=UTC)),
        ("2026-12-01", datetime(2026, 11, 30, 23, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("2026-03-29 02:30", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # which the clock skips
    ],
)
def test_a_time_by_the_clock_of_its_zone(text, moment):
    """A date is its first minute."""
    assert parse(text, BERLIN) == moment


@pytest.mark.parametrize("text", ["", "tomorrow", "15:00", "2026-13-01", "2026-12-01 25:00", "1.12.2026"])
def test_what_is_no_time(text):
    """The refusal repeats it, and says what to write."""
    with pytest.raises(ValueError, match="is not a date or a time; write 2026-12-24"):
        parse(text, BERLIN)


def test_a_time_as_it_is_shown():
    """With the zone, without seconds."""
    moment = datetime(2026, 11, 22, 14, 7, 59, tzinfo=UTC)
    assert (shown(moment), shown(moment, BERLIN)) == ("2026-11-22 14:07 UTC", "2026-11-22 15:07 CET")
