"""Tweets as texts of a small library: as they are, led, tagged, with links, edited."""

import json

import pytest

from src.domain.answers import Tweet
from src.domain.texts import Origin
from src.posting.recognise import recogniser

TEXT = "Branches are cheap because each of them is one small file."
WORDING = "Each branch is one small file, which is why it is cheap."
LINKED = "Read pathlib.Path before you join two paths by hand."


@pytest.fixture
def recognise(tmp_path):
    """Read a library of two statements."""
    records = [
        {"id": "branch", "topic": "Git", "reference": "git", "statement": TEXT, "wordings": [WORDING]},
        {"id": "path", "topic": "Python", "reference": "pathlib", "statement": LINKED},
    ]
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return recogniser([file])


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        (TEXT, Origin("branch", "Git", "")),
        (WORDING, Origin("branch", "Git", "")),
        (f"An opening.\n\n{TEXT}", Origin("branch", "Git", "An opening.")),
        (f"{TEXT} #git #shell", Origin("branch", "Git", "")),
        (f"One &amp; all.\n\n{TEXT}", Origin("branch", "Git", "One & all.")),
        (f"{TEXT} So it is.", None),
        ("What a person says.", None),
        ("", None),
        (LINKED.replace("pathlib.Path", "https://t.co/abc"), Origin("path", "Python", "", LINKED)),
        (
            "An opening.\n\n" + LINKED.replace("pathlib.Path", "https://t.co/abc"),
            Origin("path", "Python", "An opening.", f"An opening.\n\n{LINKED}"),
        ),
        ("Read https://t.co/abc today.", None),
    ],
)
def test_a_tweet_as_a_text_of_the_library(recognise, text, origin):
    """A text is known by its words; where X shows a link as t.co, the text that was sent comes with it."""
    assert recognise(Tweet(9, text)) == origin


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (TEXT.replace("cheap", "very cheap"), True),
        # Six of eleven words, and five of eleven: half of the words of the text must still be there.
        ("Branches are cheap because each of thems iss ones smalls files.", True),
        ("Branches are cheap because eachs ofs thems iss ones smalls files.", False),
        # Most of the words, and few of the letters.
        ("file. small one is them of each because cheap are Branches", False),
        ("Nothing of it was true.", False),
    ],
)
def test_an_edited_tweet(recognise, text, known):
    """It is the statement that it is most like, if half of the words and most of the letters are the same."""
    assert recognise(Tweet(9, text, (8,))) == (Origin("branch", "Git", "", TEXT) if known else None)
    assert recognise(Tweet(9, text)) is None


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Branches stay cheap because everys branchs iss smalls.", True),
        ("Branches stay cheap becauses everys branchs iss smalls.", False),
    ],
)
def test_exactly_half_of_the_words(tmp_path, text, known):
    """Four words of eight are enough, three are not."""
    file = tmp_path / "own.jsonl"
    words = "Branches stay cheap because every branch is small."
    file.write_text(json.dumps({"id": "one", "topic": "Git", "reference": "git", "statement": words}))
    assert (recogniser([file])(Tweet(9, text, (8,))) is not None) is known
