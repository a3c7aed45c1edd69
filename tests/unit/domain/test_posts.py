"""A post, and when its tweet was deleted."""

from datetime import UTC, datetime

import pytest

from src.domain.posts import Post, Status

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)


def test_a_new_post():
    """It was not sent, not looked for, and is no duplicate."""
    post = Post(1, "Words.", Status.DRAFT)
    assert (post.attempts, post.since_id, post.absent, post.duplicate) == (0, 0, 0, False)


@pytest.mark.parametrize(("by", "deleted"), [("undo", NOW), ("audit", None), (None, None)])
def test_when_a_tweet_was_deleted(by, deleted):
    """A tweet that is missing on X was deleted by this program only where `undo` says so."""
    assert Post(1, "Words.", Status.POSTED, vanished_at=NOW, resolved_by=by).deleted_at == deleted
