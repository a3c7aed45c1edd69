"""The span of QUIET_HOURS as a value."""

from datetime import UTC, datetime

import pytest

from src.domain.quiet_hours import parse, require_span, require_zone


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


@pytest.mark.parametrize(
    ("span", "share"),
    [
        ("22:30-07:15", 525 / 1440),
        ("09:45-17:15", 450 / 1440),
        ("08:00-08:00", 0),
        ("00:01-00:00", 1439 / 1440),
    ],
)
def test_the_share_of_a_day(span, share):
    """The share is counted in minutes, over midnight too."""
    assert parse(span, "UTC").share == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "22:00-07:00", "00:00-23:59"])
def test_a_span_as_it_is_written(text):
    """Two times of day, or nothing."""
    assert require_span(text) == text


@pytest.mark.parametrize("text", ["22-7", "24:00-07:00", "22:00-07:60", "22:00", "22:00-07:00 ", " "])
def test_what_is_no_span(text):
    """Anything else is refused."""
    with pytest.raises(ValueError, match="must be two times of day"):
        require_span(text)


def test_zones(monkeypatch):
    """A zone that this machine knows is taken; the message tells an unknown one from a machine without zones."""
    assert [require_zone(name) for name in ("UTC", "Europe/Berlin")] == ["UTC", "Europe/Berlin"]
    for name in ("Mars/Olympus", "", "/etc/passwd", "../x"):
        with pytest.raises(ValueError, match="must be an IANA time zone"):
            require_zone(name)
    monkeypatch.setattr("src.domain.quiet_hours.available_timezones", set)
    with pytest.raises(ValueError, match="pip install tzdata"):
        require_zone("Mars/Olympus")
