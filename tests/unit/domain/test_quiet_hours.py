"""The span of QUIET_HOURS as a value."""

from datetime import UTC, datetime

import pytest

from src.domain.quiet_hours import parse


@pytest.mark.parametrize(
    ("span", "hour", "quiet"),
    [
        ("22:00-07:00", 21, True),  # 23 o'clock in Berlin
        ("22:00-07:00", 5, True),
        ("22:00-07:00", 6, False),  # its end does not belong to it
        ("22:00-07:00", 12, False),
        ("09:00-17:00", 8, True),
        ("09:00-17:00", 7, False),
        ("08:00-08:00", 7, False),  # an empty span
    ],
)
def test_a_span_by_the_clock_of_its_zone(span, hour, quiet):
    """The wall clock of the zone counts, here two hours ahead of UTC at night and in summer time."""
    winter = datetime(2026, 1, 15, hour, tzinfo=UTC)
    assert parse(span, "Europe/Berlin").includes(winter) == quiet


def test_no_span():
    """Empty settings are no span at all."""
    assert parse("", "UTC") is None
