"""When a timeline shows the text that was sent."""

import re
from datetime import UTC, datetime

import pytest

from src.domain.texts import (
    Candidate,
    Draft,
    History,
    Verdict,
    alike,
    could_be,
    fingerprint,
    likeness,
    same_text,
)


@pytest.mark.parametrize(
    ("shown", "sent", "same"),
    [
        ("a &lt; b &amp;&amp; c", "a < b && c", True),
        ("Cafe\u0301", "Caf\u00e9", True),
        ("one  two\nthree", "one two three", True),
        ("await https://t.co/a1B2c3D4e5_thread(func)", "await asyncio.to_thread(func)", True),
        ("https://t.co/a1B2c3D4e5 and https://t.co/zzzzzzzzzz.", "example.com and docs.python.org/3.", True),
        ("Read https://t.co/a1B2c3D4e5", "Read https://docs.python.org/3/library/asyncio.html#x", True),
        ("Read https://t.co/a1B2c3D4e5", "Read https://t.co/other00000", True),
        ("await https://t.co/a1B2c3D4e5_thread(func)", "await asyncio.to_process(func)", False),
        ("Read https://t.co/a1B2c3D4e5 now", "Read this now", False),
        ("Read https://t.co/a1B2c3D4e5 now", "Read the docs at docs.python.org now", False),
        ("Read docs now", "Read https://t.co/a1B2c3D4e5 now", False),
    ],
)
def test_same_text(shown, sent, same):
    """X escapes, composes, folds and shortens links; every other difference is another text."""
    assert same_text(shown, sent) is same


# ---- how near two texts are ------------------------------------------------------------------------------------

LONG = "Branches are cheap because each of them is one small file that holds the name of one commit. " * 3


@pytest.mark.parametrize(
    ("shown", "sent", "near"),
    [
        ("abcd", "abcx", 0.75),
        ("abcd", "abxy", 0.5),
        ("a &amp; b", "a & b", 1.0),
        ("", "", 1.0),
        (f"So: {LONG}", f"{LONG} That is it.", 0.97),  # a long text, whose letters are all frequent
    ],
)
def test_how_near_two_texts_are(shown, sent, near):
    """Three quarters of the same are alike, whatever their length."""
    assert likeness(shown, sent) == pytest.approx(near, abs=0.01)
    assert alike(shown, sent) is (near >= 0.75)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ("Read https://t.co/a1 now.", "Read docs.python.org now."),
        ("Read https://t.co/a1 and https://t.co/b2 now.", "Read docs.python.org and pathlib.Path now."),
        ("https://t.co/a1", "docs.python.org"),
        ("Read https://t.co/a1 soon.", None),
        ("Write https://t.co/a1 now.", None),
        ("Read https://t.co/a1 or so now.", None),
    ],
)
def test_which_text_a_tweet_with_links_is(shown, text):
    """The first text that is the same but for its links."""
    texts = ("Read the docs now.", "Read docs.python.org now.", "Read docs.python.org and pathlib.Path now.")
    assert could_be(shown, (*texts, "docs.python.org")) == text


def test_a_fingerprint():
    """It is 32 hex digits, the same for texts that differ in case, punctuation or spacing alone."""
    assert re.fullmatch("[0-9a-f]{32}", fingerprint("Some words."))
    assert fingerprint("Some  words") == fingerprint("SOME WORDS!") != fingerprint("some word")


# ---- the past --------------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("draft", "openings", "sent", "used"),
    [
        (
            Draft("New.", "wording", "s-1", "Git", "Led."),
            ("Led.", "Of old."),
            {"Old.": 1, "New.": NOW},
            {"s-1": NOW},
        ),
        (Draft("New.", "wording", "s-1", "Git"), ("Of old.",), {"Old.": 1, "New.": NOW}, {"s-1": NOW}),
        (Draft("New.", "person"), ("Of old.",), {"Old.": 1}, {}),
    ],
)
def test_the_past_with_a_draft(draft, openings, sent, used):
    """It is as it will be once the draft is out; the past that it came from stays as it was."""
    before = History(("Old.",), ("Of old.",), ("Python",), {}, {"s-1": {"Old.": 1}})
    after = before.with_draft(draft, NOW)
    assert (after.texts, after.openings, after.topics) == (
        ("New.", "Old."),
        openings,
        (draft.topic, "Python"),
    )
    assert (after.sent["s-1"], after.last_used) == (sent, used)
    assert (before.sent, before.last_used) == ({"s-1": {"Old.": 1}}, {})


def test_a_candidate_is_not_chosen_by_itself():
    """Whoever chooses one says so."""
    assert Candidate("s-1", "An opening.", 0.0, Verdict()).chosen is False


def test_the_past_of_the_others():
    """Neither the texts of a statement nor the openings that led them, newest first."""
    past = History(
        ("Led.\n\nMine.", "Theirs.", "Mine too."),
        ("Led.", "Another."),
        sent={"s-1": {"Led.\n\nMine.": 1, "Mine too.": 1}},
    )
    assert past.of_others("s-1") == (("Theirs.",), ("Another.",))
    assert past.of_others("s-2") == (past.texts, past.openings)
