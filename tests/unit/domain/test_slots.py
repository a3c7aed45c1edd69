"""The names of slots."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from src.domain.slots import extra_slot, is_extra, require_interval, slot_name, slot_start

MOMENT = datetime(2026, 11, 22, 15, 7, 30, tzinfo=timezone(timedelta(hours=1)))


def test_the_name_of_a_slot():
    """It is the start in UTC, from which the start comes back."""
    assert slot_name(MOMENT) == "2026-11-22T14:07Z"
    assert slot_start("2026-11-22T14:07Z") == datetime(2026, 11, 22, 14, 7, tzinfo=UTC)


def test_the_slot_of_a_post_beside_the_slots():
    """It is named by its second, so it is none of theirs."""
    assert extra_slot(MOMENT) == "2026-11-22T14:07:30Z"
    assert is_extra(extra_slot(MOMENT)) is True
    assert is_extra(slot_name(MOMENT)) is False


@pytest.mark.parametrize("minutes", [5, 60, 480, 1440])
def test_a_length_that_divides_a_day(minutes):
    """It is taken as it is."""
    assert require_interval(minutes) == minutes


@pytest.mark.parametrize("minutes", [7, 50, 1000, 1439])
def test_a_length_that_does_not(minutes):
    """It is refused."""
    with pytest.raises(ValueError, match="must divide a day"):
        require_interval(minutes)
