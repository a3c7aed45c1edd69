"""Rows and values: each column becomes the field of its name, and comes back as it was."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from src.domain.answers import REFUSALS
from src.domain.posts import MAY_BE_ON_X, Post, Status
from src.store.rows import ON_X, REFUSED, iso, parsed_time
from tests.support.stored import NOW, SLOT, put

HOUR = timedelta(hours=1)


def test_a_post_from_its_row(db):
    """Every column is the field of its name; times are in UTC."""
    columns = {
        "slot": SLOT,
        "tweet_id": 7,
        "attempts": 2,
        "sent_at": NOW,
        "since_id": 3,
        "absent": 1,
        "absent_at": NOW + HOUR,
        "duplicate": 1,
        "source_id": "s",
        "topic": "Git",
        "origin": "model",
        "opening": "Why?",
        "verified_at": NOW + 2 * HOUR,
        "vanished_at": NOW + 3 * HOUR,
        "approved_at": NOW + 4 * HOUR,
        "resolved_by": "timeline",
        "error_message": "why",
    }
    post = put(db, "posted", posted_at=iso(NOW), **columns)
    assert db.post(post) == Post(
        post, "Text.", Status.POSTED, posted_at=NOW, **{**columns, "duplicate": True}
    )


def test_a_post_with_empty_columns(db):
    """What is not there is None, and no time is 1970."""
    post = put(db, "draft", origin=None)
    assert db.post(post) == Post(post, "Text.", Status.DRAFT)


@pytest.mark.parametrize(
    ("stored", "moment"),
    [
        ("2026-11-22 14:07:00", NOW),
        ("2026-11-22T14:07:00+00:00", NOW),
        ("2026-11-22T15:07:00+01:00", NOW),
        (None, None),
        ("garbage", None),
    ],
)
def test_stored_times(stored, moment):
    """A time without a zone is UTC; what is no time is none."""
    assert parsed_time(stored) == moment
    assert moment is None or parsed_time(stored).tzinfo


def test_times_are_stored_in_utc():
    """Whatever zone a time has, the column holds UTC with microseconds."""
    moment = datetime(2026, 11, 22, 15, 7, 0, 5, tzinfo=timezone(HOUR))
    assert iso(moment) == "2026-11-22T14:07:00.000005Z"
    assert parsed_time(iso(moment)) == moment.astimezone(UTC)


@pytest.mark.parametrize(("sql", "values"), [(ON_X, MAY_BE_ON_X), (REFUSED, REFUSALS)])
def test_the_words_in_sql_are_those_of_the_vocabulary(sql, values):
    """The lists for SQL are built from the sets in `domain`."""
    assert set(re.findall(r"'(\w+)'", sql)) == {str(value) for value in values}
