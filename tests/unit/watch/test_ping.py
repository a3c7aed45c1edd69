"""The address of the dead-man's switch."""

import pytest

from src.watch.ping import address


@pytest.mark.parametrize(
    ("url", "suffix", "pinged"),
    [
        ("https://hc.example/KEY", "/fail", "https://hc.example/KEY/fail"),
        ("https://hc.example/KEY/", "", "https://hc.example/KEY"),
        ("https://hc.example/KEY/SLUG?create=1", "/start", "https://hc.example/KEY/SLUG/start?create=1"),
        ("https://hc.example/KEY/SLUG?create=1", "", "https://hc.example/KEY/SLUG?create=1"),
        ("http://127.0.0.1:80/p/#x", "/fail", "http://127.0.0.1:80/p/fail#x"),
    ],
)
def test_the_suffix_belongs_to_the_path(url, suffix, pinged):
    """A query or a fragment of PING_URL stays behind the path, so that a failure is never taken for a success."""
    assert address(url, suffix) == pinged
