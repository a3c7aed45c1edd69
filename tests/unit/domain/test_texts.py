"""When a timeline shows the text that was sent."""

import pytest

from src.domain.texts import same_text


@pytest.mark.parametrize(
    ("shown", "sent", "same"),
    [
        ("a &lt; b &amp;&amp; c", "a < b && c", True),
        ("Cafe\u0301", "Caf\u00e9", True),
        ("one  two\nthree", "one two three", True),
        ("await https://t.co/a1B2c3D4e5_thread(func)", "await asyncio.to_thread(func)", True),
        ("https://t.co/a1B2c3D4e5 and https://t.co/zzzzzzzzzz.", "example.com and docs.python.org/3.", True),
        ("Read https://t.co/a1B2c3D4e5", "Read https://docs.python.org/3/library/asyncio.html#x", True),
        ("Read https://t.co/a1B2c3D4e5", "Read https://t.co/other00000", True),
        ("await https://t.co/a1B2c3D4e5_thread(func)", "await asyncio.to_process(func)", False),
        ("Read https://t.co/a1B2c3D4e5 now", "Read this now", False),
        ("Read https://t.co/a1B2c3D4e5 now", "Read the docs at docs.python.org now", False),
        ("Read docs now", "Read https://t.co/a1B2c3D4e5 now", False),
    ],
)
def test_same_text(shown, sent, same):
    """X escapes, composes, folds and shortens links; every other difference is another text."""
    assert same_text(shown, sent) is same
