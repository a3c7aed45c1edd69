"""Singular and plural."""

import pytest

from src.domain.plurals import numbered


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 posts"), (1, "1 post"), (2, "2 posts"), (1841, "1,841 posts")]
)
def test_numbered(count, words):
    """One post; none and many are posts."""
    assert numbered(count, "post") == words


def test_an_irregular_plural():
    """The plural is given where it is not the singular with an s."""
    assert numbered(2, "draft that waits", "drafts that wait") == "2 drafts that wait"
