"""Addresses that are shown because they are refused."""

import pytest

from src.domain.urls import addresses_in, masked, require_feed, require_host, require_secure


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
        ("//token@host", "//***@host"),
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


@pytest.mark.parametrize(
    ("url", "path_allowed", "taken"),
    [
        ("https://api.x.com", False, "https://api.x.com"),
        ("https://api.x.com/", False, "https://api.x.com"),
        ("https://host/path/", True, "https://host/path"),
        ("https://host/path", False, None),
        ("http://127.0.0.1:8000", False, "http://127.0.0.1:8000"),
        ("http://localhost", False, "http://localhost"),
        ("http://[::1]:9", False, "http://[::1]:9"),
        ("http://host", True, None),
        ("http://127.0.0.2", True, None),
        ("ftp://127.0.0.1", True, None),
        ("https://", True, None),
        ("https://host?q=1", True, None),
        ("https://host#part", True, None),
        ("host", True, None),
        ("", False, None),
    ],
)
def test_a_base_address(url, path_allowed, taken):
    """It is https, or http on this machine, a host and at most a path, without a final slash."""
    if taken:
        assert require_secure(url, path_allowed=path_allowed) == taken
        return
    with pytest.raises(ValueError, match="must be https://HOST") as raised:
        require_secure(url, path_allowed=path_allowed)
    assert ("a mirror" in str(raised.value)) is path_allowed


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("https://a.dev/feed.xml?x=1", True),
        ("http://nas.lan:8080/feed", True),
        ("https:///feed", False),
        ("ftp://a.dev/feed", False),
        ("a.dev/feed", False),
        ("https://a.dev:x/feed", False),
        ("https://user@a.dev/feed", False),
        ("https://a.dev/feed#top", False),
        ("https://a.dev/my feed", False),
        ("https://a.dev/\x07", False),
        ("https://[a.dev/", False),
    ],
)
def test_the_address_of_a_feed(address, taken):
    """It is http or https with a host, and no part of it is a name, a password or a place in a page."""
    if taken:
        assert require_feed(address) == address
        return
    with pytest.raises(ValueError, match="must be addresses such as"):
        require_feed(address)


LABEL = "a" * 63


@pytest.mark.parametrize(
    ("host", "taken"),
    [
        ("example.org", True),
        ("a.b-c.d1", True),
        ("localhost", True),
        (LABEL, True),
        (f"{LABEL}a", False),
        (".".join([LABEL] * 3) + "." + "b" * 61, True),  # 253 characters
        (".".join([LABEL] * 3) + "." + "b" * 62, False),
        ("https://example.org", False),
        ("example.org/x", False),
        ("Example.org", False),
        ("-a.org", False),
        ("a..org", False),
        ("", False),
    ],
)
def test_the_name_of_a_host(host, taken):
    """It is a name of DNS in small letters, of at most 253 characters."""
    if taken:
        assert require_host(host) == host
        return
    with pytest.raises(ValueError, match="must be host names such as"):
        require_host(host)
