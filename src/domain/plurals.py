"""Numbers of things in words: one post, two posts."""

from __future__ import annotations


def numbered(count: int, one: str, many: str = "") -> str:
    """Return `1 post` or `2 posts`; `many` is given where it is not the singular with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
