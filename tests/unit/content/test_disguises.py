"""Forbidden words in disguise: a table of disguises times a sample of the list, and what still passes."""

import base64
import codecs
import re

import pytest

from src import config
from src.content.gates import judge_tweet
from src.content.safety import blocked_words

LINES = (config.ROOT / "data" / "blocklist.txt").read_text(encoding="utf-8").splitlines()
WORDS = [line for line in LINES if re.fullmatch("[a-z]{4,9}", line)]
SAMPLE = WORDS[::9]
LEET = str.maketrans("aeiost", "431057")
SIGNS = str.maketrans("ais", "@!$")
CYRILLIC = str.maketrans("aceiopxy", "асеіорху")
GREEK = str.maketrans("aikoptuv", "αικορτυν")
TURNED = str.maketrans("acefgijkmrtvwyhun", "ɐɔǝɟƃᴉɾʞɯɹʇʌʍʎɥnu")


def shifted(start):
    return lambda word: "".join(chr(start + ord(letter) - ord("a")) for letter in word)


def between(sign):
    return lambda word: sign.join(word)


DISGUISES = {
    "as it is": str,
    "upper case": str.upper,
    "title case": str.title,
    "every other capital": lambda w: "".join(c.upper() if i % 2 else c for i, c in enumerate(w)),
    "full width": shifted(0xFF41),
    "bold letters": shifted(0x1D41A),
    "script letters": shifted(0x1D4EA),
    "double-struck letters": shifted(0x1D552),
    "monospace letters": shifted(0x1D68A),
    "circled letters": shifted(0x24D0),
    "letters in brackets": shifted(0x249C),
    "letters on dark squares": shifted(0x1F170),
    "letters on dark circles": shifted(0x1F150),
    "flag letters": shifted(0x1F1E6),
    "Cyrillic look-alikes": lambda w: w.translate(CYRILLIC),
    "Greek look-alikes": lambda w: w.translate(GREEK),
    "upside down": lambda w: w[::-1].translate(TURNED),
    "accents": lambda w: w.replace("a", "á").replace("e", "é").replace("i", "ï").replace("o", "ö").replace("u", "ů"),
    "marks that strike through": lambda w: "".join(c + "\u0336" for c in w),
    "dots below": lambda w: "".join(c + "\u0323" for c in w),
    "digits": lambda w: w[0] + w[1:].translate(LEET),  # of digits alone it would be a number
    "signs": lambda w: w.translate(SIGNS),
    "a star for a vowel": lambda w: w[0] + "*" + w[2:],
    "a hash for a letter": lambda w: w[:2] + "#" + w[3:],
    "letters three times": lambda w: "".join(c * 3 for c in w),
    "letters twice": lambda w: "".join(c * 2 for c in w),
    "last letter drawn out": lambda w: w + w[-1] * 5,
    "exclamation": lambda w: w + "!!!",
    "entities": lambda w: "".join(f"&#{ord(c)};" for c in w),
    "percent signs": lambda w: "".join(f"%{ord(c):02x}" for c in w),
    "camelCase": lambda w: f"my{w.title()}Thing",
    "camelCase with capitals": lambda w: f"my{w.upper()}Thing",
    "camelCase, last": lambda w: f"get{w.title()}",
    "camelCase with digits": lambda w: f"my2{w.title()}3",
    "snake_case": lambda w: f"my_{w}_thing",
    "kebab-case": lambda w: f"my-{w}-thing",
    "an attribute": lambda w: f"self.{w}.thing()",
    "in quotes": lambda w: f"'{w}'",
    "in brackets": lambda w: f"f({w})[{w}]",
    "with digits around": lambda w: f"12{w}34",
    "after an article": lambda w: "a " + " ".join(w),
    "first letter in brackets": lambda w: f"({w[0]}){w[1:]}",
    "a letter in brackets": lambda w: f"{w[0]}[{w[1]}]{w[2:]}",
    "a dot inside": lambda w: f"{w[:2]}.{w[2:]}",
    "a middle dot inside": lambda w: f"{w[:2]}·{w[2:]}",
    "a hyphen inside": lambda w: f"{w[:2]}-{w[2:]}",
    "an apostrophe inside": lambda w: f"{w[:2]}’{w[2:]}",
    "a slash inside": lambda w: f"{w[:2]}/{w[2:]}",
    "a plus inside": lambda w: f"{w[:2]}+{w[2:]}",
    "a bar inside": lambda w: f"{w[:2]}|{w[2:]}",
    "a colon inside": lambda w: f"{w[:2]}:{w[2:]}",
    "an arrow inside": lambda w: f"{w[:2]}→{w[2:]}",
    "an emoji inside": lambda w: f"{w[:2]}😀{w[2:]}",
    "a joiner inside": lambda w: f"{w[:2]}\u200d{w[2:]}",
    "a soft hyphen inside": lambda w: f"{w[:2]}\xad{w[2:]}",
    "a byte-order mark inside": lambda w: f"{w[:2]}\ufeff{w[2:]}",
    "a Hangul filler inside": lambda w: f"{w[:2]}\u3164{w[2:]}",
    "a blank Braille pattern inside": lambda w: f"{w[:2]}\u2800{w[2:]}",
    **{f"letters apart by {sign!a}": between(sign) for sign in (
        " ", "  ", "\n", "\xa0", "\u3000", ".", "-", "_", "*", "/", "|", ",", "~", "·", "•", "∙", "・", "+", ":", ";", "'",
        "\"", "\\", "=", "^", "&", "%", "<", ">", "—", "–", "…", "→", "😀", ", ", " - ", " · ", "__", "...", ")(",
    )},
}  # fmt: skip
# What the program does not see through. Each would take a dictionary, or would refuse ordinary words.
STILL_PASSING = {
    "inside a word of lower case": lambda w: f"my{w}thing",
    "backwards": lambda w: w[::-1],
    "rot13": lambda w: codecs.encode(w, "rot13"),
    "base64": lambda w: base64.b64encode(w.encode()).decode(),
    "without its vowels": lambda w: re.sub("[aeiou]", "", w),
    "in two words": lambda w: f"{w[:2]} {w[2:]}",
    "with the first letters swapped": lambda w: w[1] + w[0] + w[2:],
    "in Braille": lambda w: "".join(chr(0x2800 + ord(c) % 64) for c in w),
}


def test_the_table_is_large():
    """There are at least 90 disguises and 35 words."""
    assert len(DISGUISES) >= 90
    assert len(SAMPLE) >= 30


@pytest.mark.parametrize("name", DISGUISES)
def test_disguises_are_seen_through(name):
    """No word of the sample passes in this disguise, in a sentence of its own words."""
    texts = [f"It says {DISGUISES[name](word)} in the log." for word in SAMPLE]
    assert [text for text in texts if judge_tweet(text).passed] == []


@pytest.mark.parametrize("name", DISGUISES)
def test_a_disguise_alone_is_no_offence(name):
    """A harmless word in the same disguise has no forbidden word."""
    assert blocked_words(f"It says {DISGUISES[name]('planet')} in the log.") == []


@pytest.mark.parametrize("name", STILL_PASSING)
def test_what_still_passes(name):
    """Most words pass in this disguise: the table says so, and changes with the program."""
    texts = [f"It says {STILL_PASSING[name](word)} in the log." for word in SAMPLE]
    assert len([text for text in texts if judge_tweet(text).passed]) > len(SAMPLE) / 2
