"""X's counting and linking rules, on X's own examples."""

import pytest

from src.content.tweet_text import (
    find_cashtags,
    find_forbidden_characters,
    find_hashtags,
    find_links,
    find_mentions,
    weighted_length,
)

# From twitter-text's conformance suite (validate.yml, WeightedTweetsCounterTest and friends).
WEIGHTS = [
    ("a" * 280, 280),
    ("", 0),
    ("saludos", 7),
    ("这是一条推文", 12),
    ("ąćęłńóśźż", 9),
    ("한국어", 6),
    ("русский", 7),
    ("العربية", 7),
    ("ไทย", 3),
    ("日本語 abc", 10),
    ("—–‘’“”", 6),
    ("…", 2),
    ("€", 2),
    ("\u200d", 1),
    ("\u2032", 1),
    ("\u2010", 1),
    ("\u2020", 2),
    ("\u10ff", 1),
    ("\u1100", 2),
    ("e\u0301", 1),  # composed first
    ("😀", 2),
    ("👍🏽", 2),
    ("👨‍👩‍👧‍👦", 2),
    ("🇩🇪", 2),
    ("1️⃣", 2),
    ("❤️", 2),
    ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", 2),
    ("🧑🏾‍💻", 2),
    ("😀😀", 4),
    ("a😀b", 4),
    ("https://example.com/" + "x" * 200, 23),
    ("see https://t.co/abc now", 31),
    ("example.com", 23),
    ("http://a.de/?q=1 b", 25),
]


@pytest.mark.parametrize(("text", "weight"), WEIGHTS)
def test_weight(text, weight):
    """Every text weighs what twitter-text v3 says."""
    assert weighted_length(text) == weight


@pytest.mark.parametrize(
    "text",
    [
        "setup.py",
        "see README.md.",
        "(socket.io)",
        "main.rs",
        "asyncio.run()",
        "Object.is(a, b)",
        "deploy.sh",
        "https://x.com",
        "HTTP://X.COM",
        "www.example.org/path",
        "user.name",
        "a.b.co.uk",
        "münchen.de",
        "пример.рф",
        "x.xn--p1ai",
        "node.app",
        "foo_bar.io",
        "end.So",
        "javascript:alert(1)",
        "t.co/x",
        "http://localhost:8000/",
        "mailto:someone",
    ],
)
def test_links_found(text):
    """Whatever X might link, bare domains included, is found."""
    assert find_links(text)


@pytest.mark.parametrize(
    "text",
    [
        "Node.js",
        "e.g. this",
        "i.e. that",
        "Python 3.12",
        "v2.0.1",
        "1.5 times",
        "os.path.join()",
        "math.isclose()",
        "x.y",
        "std::io::Read",
        "Wait... what",
        "Done.Then",
        "dict.get(key)",
        "a/b",
        "0.1 + 0.2",
        "__init__",
        "1.e5",
    ],
)
def test_no_link(text):
    """Ordinary technical text is not taken for a link."""
    assert not find_links(text)


def test_mentions_tags_and_cashtags():
    """Mentions, hashtags and cashtags are found where X would act on them, and nowhere else."""
    assert find_mentions("hi @property and ＠x") == ["@property", "＠x"]
    assert find_hashtags("#Python #1 C# #a1 ＃x") == ["#Python", "#a1", "＃x"]
    assert find_cashtags("$HOME $TSLA costs $5 and $1.50, US$ x$AB") == ["$HOME", "$TSLA"]


@pytest.mark.parametrize(
    "text",
    [
        "a\u200bb",
        "a\u202eb",
        "a\x00b",
        "a\x1b[2Jb",
        "\ufeffa",
        "a\ufffe",
        "\ud800",
        "a\u2066b",
        "\ue000",
        "a\rb",
        "a\tb",
    ],
)
def test_forbidden_characters(text):
    """Characters that X refuses or that hide text are named; a joiner inside an emoji is not one."""
    assert find_forbidden_characters(text)
    assert not find_forbidden_characters("plain — “text”\nline 2 👨‍👩‍👧‍👦 ❤️")
