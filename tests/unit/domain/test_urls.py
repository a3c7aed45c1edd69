"""Addresses that are shown because they are refused."""

import pytest

from src.domain.urls import addresses_in, masked, require_secure


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:password@host", "https://***@host"),
        ("https://token@host/path", "https://***@host/path"),
        ("https://user:pa/ss@host", "https://***@host"),
        ("https://user:pa?ss@host", "https://***@host"),
        ("https://user:pa#ss@host", "https://***@host"),
        ("https://user:p@ss@host", "https://***@host"),
        ("https://user:p//ss@host", "https://***@host"),
        ("HTTPS://user:password@[::1]:9", "HTTPS://***@[::1]:9"),
        ("https:/user:password@host", "https:/***@host"),
        ("https:user:password@host", "***@host"),
        ("//user:password@host", "//***@host"),
        ("user:password@host", "***@host"),
        ("https://host/?token=abc", "https://host/?***"),
        ("https://user:password@host/?token=abc", "https://***@host/?***"),
        ("https://host/path", "https://host/path"),
        ("me@host", "me@host"),
        ("22:00-25:00", "22:00-25:00"),
        ("what?", "what?"),
        ("", ""),
    ],
)
def test_masked(text, shown):
    """The password goes, whatever is in it; the host and what is no address stay."""
    assert masked(text) == shown


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@host",
        "https://:secret@host",
        "https://secret@host",
        "https://user:secret/x@host",
        "https://host:secret",
        "https://user:secret@[host",
        "https://user:secret@[::x]",
        "https://user:secret@ho\u2100st",
        "https://host/#secret",
    ],
)
def test_a_refusal_repeats_nothing(url):
    """Whatever makes an address unusable, the words do not hold it, and no other error escapes."""
    with pytest.raises(ValueError, match="must be https") as caught:
        require_secure(url, path_allowed=True)
    assert "secret" not in str(caught.value)


def test_addresses_in_a_list():
    """Pieces of an address that has a comma are found as far as they name a machine."""
    given = "json://a/x?to=1,2, ntfy://topic  mailto://u:p@h"
    assert addresses_in(given) == ["json://a/x?to=1", "ntfy://topic", "mailto://u:p@h"]
    assert addresses_in("a key, of two words") == []
