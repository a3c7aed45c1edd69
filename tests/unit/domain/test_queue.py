"""The one order in which texts go out."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from src.domain.posts import Post, Status
from src.domain.queue import in_order, is_written_ahead, origin_text

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLAIN = Post(1, "A text.", Status.APPROVED, origin="wording", queued_at=NOW - 9 * HOUR)
IN_ORDER = [
    replace(PLAIN, id=90, attempts=1, origin="model"),  # X refused the account
    replace(PLAIN, id=80, not_before=NOW - 2 * HOUR, origin="person"),
    replace(PLAIN, id=70, not_before=NOW, origin="person"),
    replace(PLAIN, id=60, place=-2.0),
    replace(PLAIN, id=50, place=-1.0, origin="person"),
    replace(PLAIN, id=40, origin="person", approved_at=NOW - HOUR),
    replace(PLAIN, id=41, origin="person", approved_at=NOW - HOUR),
    replace(PLAIN, id=32, approved_at=NOW - 5 * HOUR, origin="model"),
    replace(PLAIN, id=31, approved_at=NOW - 4 * HOUR),
    replace(PLAIN, id=20, origin="feed", approved_at=NOW - 8 * HOUR),
    replace(PLAIN, id=11, queued_at=NOW - 8 * HOUR),
    replace(PLAIN, id=10, queued_at=NOW - 7 * HOUR),
]


def test_the_order():
    """Refused with the account, timed, moved to the front, own, approved, of a feed, written ahead."""
    for _, posts in zip(range(200), itertools.permutations(IN_ORDER), strict=False):
        assert [post.id for post in in_order(reversed(posts), NOW)] == [post.id for post in IN_ORDER]


def test_a_text_waits_for_its_time():
    """To the second; then it goes before all that have no time."""
    timed = replace(PLAIN, not_before=NOW)
    assert in_order([timed], NOW - timedelta(seconds=1)) == []
    assert in_order([timed], NOW) == [timed]


def test_what_was_written_ahead():
    """A text of the program's that nobody approved; not an own one, not one of a feed."""
    assert is_written_ahead(PLAIN)
    assert not is_written_ahead(replace(PLAIN, approved_at=NOW))
    assert not is_written_ahead(replace(PLAIN, origin="person"))
    assert not is_written_ahead(replace(PLAIN, origin="feed"))
    assert not is_written_ahead(replace(PLAIN, queued_at=None))


def test_where_texts_come_from():
    """An own text is called yours; one of the library names its statement."""
    assert origin_text(replace(PLAIN, origin="person")) == "yours"
    assert origin_text(replace(PLAIN, source_id="git-reflog")) == "library: git-reflog"


def test_a_refused_text_goes_before_one_whose_time_has_come():
    """However late it was approved: it was frozen for a slot already."""
    refused = replace(PLAIN, id=2, attempts=1, approved_at=NOW)
    timed = replace(PLAIN, id=1, not_before=NOW - 9 * HOUR)
    moved = replace(PLAIN, id=3, place=9e12)
    own = replace(PLAIN, id=4, origin="person", approved_at=NOW - 9 * HOUR)
    assert [post.id for post in in_order([own, moved, timed, refused], NOW)] == [2, 1, 3, 4]


def test_where_other_texts_come_from():
    """An origin that no version knows is told as it is; without one nothing is."""
    assert origin_text(replace(PLAIN, origin="elsewhere")) == "elsewhere"
    assert origin_text(replace(PLAIN, origin=None)) == ""
