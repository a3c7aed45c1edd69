"""X's counting and linking rules, on X's own examples."""

import pytest

from src import config
from src.content.tweet_text import (
    find_cashtags,
    find_forbidden_characters,
    find_hashtags,
    find_links,
    find_mentions,
    weighted_length,
)
from src.content.x_entities import from_utf16, link_spans, to_utf16
from src.posting.due import price_of

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
    ("🧑🏾‍💻", 5),  # newer than the emoji of X's library: the sum of its parts
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
        "asyncio.to_thread",
        "a.is_b",
        "a.total_cmp(b)",
        "caplog.at_level('INFO')",
        "a.comの",
        "日本a.com",
        "x_y.co.uk_z",
        "😀a.com",
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


# What extractUrls of twitter-text 3.1.0 returns and parseTweet weighs.
LINKS_OF_X = [
    ("asyncio.to_thread", ["asyncio.to"], 30),
    ("a.is_b", ["a.is"], 25),
    ("await asyncio.run_x(c)", ["asyncio.run"], 34),
    ("a.comの", ["a.com"], 25),
    ("日本a.com日本", ["a.com"], 31),
    ("example.com日本b.de/x", ["example.com", "b.de/x"], 50),
    ("x_y.com", [], 7),
    ("foo_bar.io", [], 10),
    ("a_b.x.com", ["b.x.com"], 25),
    ("-a.com", [], 6),
    ("@a.com", [], 6),
    ("#a.com", [], 6),
    ("$a.com", [], 6),
    ("u@a.com", [], 7),
    ("a.com@b", [], 7),
    ("/a.com", [], 6),
    ("a.com:80", ["a.com"], 26),
    ("a.com?q=1", ["a.com"], 27),
    ("a.com/?q=1", ["a.com/?q=1"], 23),
    ("a.com/b.", ["a.com/b"], 24),
    ("https://t.co/abc/d", ["https://t.co/abc"], 25),
    ("https://a.com/(b(c))d)", ["https://a.com/(b(c))d"], 24),
    ("😀a.com", ["a.com"], 25),
    ("@😀.com.de", ["com.de"], 27),
    ("münchen.de", ["münchen.de"], 23),
    ("пример.рф", [], 9),
    ("https://пример.рф", ["https://пример.рф"], 23),
    ("a." + "b" * 64 + ".com", [], 70),
    ("ſ.com", ["ſ.com"], 23),
]


@pytest.mark.parametrize(("text", "links", "weight"), LINKS_OF_X)
def test_links_end_where_they_end_at_x(text, links, weight):
    """A text has the links and the weight that it has for X's own library; what a reader may follow comes on top."""
    assert [text_of(text, span) for span in link_spans(to_utf16(text))] == links
    assert weighted_length(text) == weight
    assert not links or find_links(text) == links


def text_of(text, span):
    return from_utf16(to_utf16(text)[slice(*span)])


def test_a_newer_domain_weighs_the_more():
    """A domain that X's library does not know yet weighs no less than with a link and no less than without."""
    assert weighted_length("x.music") == 23
    assert weighted_length("x" * 60 + ".music") == 66


def test_tags_of_x():
    """A cashtag ends before an underscore, and a hashtag may have signs and marks, as in X's library."""
    assert find_cashtags("$TEST_ and $HOME_DIR, $BRK.A") == ["$TEST", "$HOME", "$BRK.A"]
    assert find_hashtags("#・x #·a #1_ #ก็ #️⃣") == ["#・x", "#·a", "#ก็"]


def test_a_link_is_billed_as_one():
    """The price of a text follows the links that X makes of it."""
    settings = config.load({})
    assert price_of("Run it with asyncio.to_thread(func).", settings) == settings.price_link_post_usd
    assert price_of("Run it with to_thread(func).", settings) == settings.price_post_usd
