"""X's own library as the oracle: our weight is X's, and nothing that X links, mentions or tags is unseen.

Where the program sees more than X, it does so on purpose; `STRICTER` lists the kinds, and no other kind may appear.
"""

import itertools

import pytest

from src import config
from src.content import library
from src.content.emoji import unicode_emoji
from src.content.freshness import joined
from src.content.tweet_text import (
    find_forbidden_characters,
)
from src.content_generator import assemble
from tests.support.twitter_text import read_as_x
from tests.support.x_oracle import STRICTER, compare, near_misses

pytestmark = pytest.mark.needs("twitter-text")


def shipped_texts():
    """Every topic, statement, wording and opening of the library, every composed tweet, with and without hashtags."""
    statements = library.load([config.ROOT / "data" / "library"]).statements
    parts = {text for s in statements for text in (s.topic, *s.texts, *s.openings)}
    pairs = [
        (opening, text, s.hashtags) for s in statements for opening in ("", *s.openings) for text in s.texts
    ]
    composed = {joined(opening, text) for opening, text, _ in pairs}
    tagged = {assemble(opening, text, tags) for opening, text, tags in pairs}
    return sorted(parts | composed | tagged)


def test_random_texts():
    """X sees no more than we do in 5,000 random texts of near-misses, and their weight is X's."""
    laxer, stricter = compare(near_misses(1, 5_000))
    assert laxer == []
    assert set(stricter) <= set(STRICTER)
    assert min(stricter[kind] for kind in STRICTER) > 0


def test_shipped_texts():
    """Every text of the library and every composed tweet weighs what X says, and has no link, mention or cashtag."""
    texts = shipped_texts()
    laxer, stricter = compare(texts)
    assert len(texts) > 10_000
    assert laxer == []
    assert stricter == {}
    seen = read_as_x(texts)
    assert not any(x.links or x.mentions or x.cashtags for x in seen)


def test_every_emoji():
    """Each emoji of Unicode, in every form and skin tone, may stand in a text and weighs what X's library says."""
    tones = ("", "\ufe0f", "🏻", "🏿")
    plain = [emoji for emoji in unicode_emoji() if "\u200d" not in emoji]
    together = [e.split("\u200d") for e in unicode_emoji() if "\u200d" in e]
    texts = [emoji + tone for emoji in plain if emoji.isalpha() or len(emoji) == 1 for tone in tones] + plain
    texts += [
        "\u200d".join(f"{part}{tone}" for part, tone in zip(parts, forms, strict=True))
        for parts in together
        for forms in itertools.product(tones[:3], repeat=len(parts))
    ]
    laxer, stricter = compare(texts)
    assert len(texts) > 10_000
    assert laxer == []
    assert set(stricter) == set()
    assert not [text for text in texts if find_forbidden_characters(text)]
