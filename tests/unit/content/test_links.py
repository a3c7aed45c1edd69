"""Links that may stand in a text by the owner's choice, and everything beside them that may not."""

import pytest

from src import config
from src.content.gates import judge_tweet
from src.content.links import ANY_LINK, NO_LINKS, LinkRule, rule_for

OWN = LinkRule.to(["example.org"])


@pytest.mark.parametrize(
    ("text", "nowhere", "own", "anywhere"),
    [
        ("Read https://example.org/a-post now.", "link", "", ""),
        ("Read http://www.example.org/a?b=c#d now.", "link", "", ""),
        ("Read HTTPS://EXAMPLE.ORG/a now.", "link", "", ""),
        ("Read https://other.org/a now.", "link", "link", ""),
        ("Read https://example.org.other.org/a now.", "link", "link", ""),
        ("Read https://notexample.org/a now.", "link", "link", ""),
        # A mention, a tag and a key inside a link are none; the blocklist holds there too.
        ("Read https://example.org/@somebody/post#part now.", "link mention", "", ""),
        ("Read https://example.org/0a1b2C3d4e5f6A7b8c9d0e1f2a3b4c5d6e7f now.", "link secret", "", ""),
        ("Read https://example.org/acme-news now.", "link blocklist", "blocklist", "blocklist"),
        # What is not written out as a link, or is one only for a reader, stays refused beside an allowed one.
        ("Read example.org/a now.", "link", "link", "link"),
        ("Call asyncio.to_thread now.", "link", "link", "link"),
        ("See https://example.org/a and asyncio.to_thread here.", "link", "link", "link"),
        ("See https://example.org/a and setup.py here.", "link", "link", "link"),
        ("See https://example.org/a and evil[.]com here.", "link", "link", "link"),
        ("See https://example.org@other.org/a here.", "link mention", "link mention", "link mention"),
        ("See https://example.org/a with @somebody and $XYZ here.", "link mention cashtag", "mention cashtag", "mention cashtag"),
        ("See ftp://example.org/a here.", "link", "link", "link"),
    ],
)  # fmt: skip
def test_what_may_stand(text, nowhere, own, anywhere):
    """Only links that are written out, to hosts that are meant, may stand, and no rule lets anything else through."""
    found = [
        " ".join(judge_tweet(text, (), frozenset(["acme"]), rule).reasons)
        for rule in (NO_LINKS, OWN, ANY_LINK)
    ]
    assert found == [nowhere, own, anywhere]


@pytest.mark.parametrize(
    ("links", "hosts", "origin", "rule"),
    [
        ("never", "example.org", "person", NO_LINKS),
        ("never", "", "model", NO_LINKS),
        ("own", "", "person", ANY_LINK),
        ("own", "", "model", NO_LINKS),
        ("own", "WWW.Example.org", "wording", OWN),
    ],
)
def test_the_rule_of_the_settings(links, hosts, origin, rule):
    """LINKS decides whether links may stand at all, LINK_HOSTS where those of texts lead that no person wrote."""
    assert rule_for(config.load({"LINKS": links, "LINK_HOSTS": hosts}), origin) == rule


@pytest.mark.parametrize("host", ["https://example.org", "example.org/a", "a b", "-a.org", "ex_ample.org"])
def test_a_host_is_a_name(host):
    """LINK_HOSTS takes names alone; anything else is refused with an example."""
    with pytest.raises(config.ConfigError, match=r"host names such as example\.org"):
        config.load({"LINK_HOSTS": host})
