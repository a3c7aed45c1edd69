"""Random texts read by X's own library and by ours, and where the two differ."""

from __future__ import annotations

import random
from collections import Counter

from src.content.tweet_text import (
    find_cashtags,
    find_hashtags,
    find_links,
    find_mentions,
    weighted_length,
)
from src.content.x_entities import has_newer_name, known_tlds, link_spans, to_utf16
from tests.support.twitter_text import read_as_x

STRICTER = {
    "link": "what a reader may follow though X does not link it: foo_bar.io, x.com after @, mailto:, a[.]com",
    "mention": "an @name in the middle of a word, or of look-alike signs",
    "hashtag": "a #tag in the middle of a word, before a link, or of look-alike signs",
    "cashtag": "a $NAME after a letter that X counts as no boundary, or of look-alike signs",
    "weight": "a domain newer than X's library weighs the more of its weights with and without a link",
}


SHARED_DOMAINS = "com to is co py run as at no io COM de рф 中国 嘉里 xn--p1ai co.uk sh music".split()


WORDS = [
    *"asyncio a x to_thread is_b https:// http:// HTTPS:// www t.co/ https://t.co/abc 日本 é ſ ı İ K ß 0 12 rt RT".split(),
    *["_", "-", "xn--", "com", "localhost", "ü" * 70, "q" * 70, "e\u0301", "mailto:", "127.0.0.1", "8.8.8.8"],
]


EMOJI = "😀 👨‍👩‍👧‍👦 1️⃣ #️⃣ ❤️ ❤ 🇩🇪 🇩 🧑‍🩰 🧑🏾‍💻 👩🏽‍💻 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👍🏽 🏽 🫱🏻‍🫲🏼 🏳️‍🌈 🏴‍☠️ ♟️ ☝🏿 🕵️‍♂️ 🧔‍♀️".split()


SIGNS = [
    *". . . . . . _ _ - / : ? & = # $ @ ＠ ＃ ( ) [ ] { } , ; ! \" ' ` ~ | ^ * + % \\ < > · ・ 。 ． – — … ’".split(),
    *[
        " ",
        " ",
        "\n",
        "\n\n",
        "\u3000",
        "\xa0",
        "\u200b",
        "\u200d",
        "\ufe0f",
        "\ufe0e",
        "\u20e3",
        "\ufeff",
        "\u202a",
    ],
    *["\u2066", "\x85", "\u180e", "\t", "\x1c", "\ufdd0"],
]


TAGS = [
    "AB",
    "HOME",
    "a",
    "TSLA",
    "b_c",
    "1",
    "x.yz",
    "é",
    "TEST_",
    "BRK.A",
    "ABCDEFG",
    "tag",
    "・x",
    "·a",
    "1a",
]


def near_misses(seed: int, count: int) -> list[str]:
    """Random texts of words, signs and letters that stand next to domains, `$`, `#` and `@`."""
    dice = random.Random(seed)
    domains = sorted(known_tlds())
    parts = [
        (0.18, lambda: dice.choice(WORDS)),
        (0.08, lambda: dice.choice(EMOJI)),
        (0.26, lambda: dice.choice(SIGNS)),
        (0.12, lambda: "." + dice.choice(SHARED_DOMAINS)),
        (0.06, lambda: "." + dice.choice(domains)),
        (0.09, lambda: dice.choice("$#@＠＃") + dice.choice(TAGS)),
        (0.08, lambda: dice.choice("aZé日яไı中µαß가")),
        (0.07, lambda: dice.choice("abcxyz") * dice.randint(1, 3)),
        (0.04, lambda: chr(dice.randrange(0x20, 0x3100))),
        (0.02, lambda: chr(dice.randrange(0x10000, 0x1FFFF))),
    ]
    weights, makers = zip(*parts, strict=True)
    return [
        "".join(make() for make in dice.choices(makers, weights, k=dice.randint(1, 9))) for _ in range(count)
    ]


def compare(texts: list[str]) -> tuple[list[tuple[object, ...]], Counter[str]]:
    """Return what X sees and we do not, each with its text, and how many texts we read more strictly, by kind."""
    laxer: list[tuple[object, ...]] = []
    stricter: Counter[str] = Counter()
    for text, x in zip(texts, read_as_x(texts), strict=True):
        units, weight = to_utf16(text), weighted_length(text)
        if weight > x.weight and has_newer_name(units):
            stricter["weight"] += 1
        elif weight != x.weight:
            laxer.append((text, "weight", x.weight, weight))
        if [tuple(link) for link in x.links] != link_spans(units, newer_names=False):
            laxer.append((text, "link", x.links, link_spans(units, newer_names=False)))
        stricter["link"] += len(find_links(text)) > len(x.links)
        for kind, theirs, mine in (
            ("mention", x.mentions, find_mentions(text)),
            ("hashtag", x.hashtags, find_hashtags(text)),
            ("cashtag", x.cashtags, find_cashtags(text)),
        ):
            if len(mine) < len(theirs) or not all(any(tag[1:].startswith(t) for tag in mine) for t in theirs):
                laxer.append((text, kind, theirs, mine))
            stricter[kind] += len(mine) > len(theirs)
        if x.links and not find_links(text):
            laxer.append((text, "a text with a link", x.links, []))
    return laxer, +stricter
