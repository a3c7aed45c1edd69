"""What a model writes around its text is taken off, and what is no text is refused with a reason."""

import pytest

from src.model.clean import EMPTY, THINKING, UNFINISHED, clean, is_over


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("Lost a commit?", "Lost a commit?"),
        (" Lost a commit?\n", "Lost a commit?"),
        ("Lost a commit?\n\nFact: more", "Lost a commit?"),
        ('"Lost a commit?"', "Lost a commit?"),
        ("“Lost a commit?”", "Lost a commit?"),
        ("**Lost a commit?**", "Lost a commit?"),
        ("1. Lost a commit?", "Lost a commit?"),
        ("- Lost a commit?\n- Lost two?", "Lost a commit?"),
        ("Question: Lost a commit?", "Lost a commit?"),
        ("Here is a question: Lost a commit?", "Lost a commit?"),
        ('Sure! Here\'s one:\n\n"Lost a commit?"', "Lost a commit?"),
        ("<think>\n\n</think>\n\nLost a commit?", "Lost a commit?"),
        ("<think>It is about git.</think>Lost a commit?", "Lost a commit?"),
        ("It is about git.</think>\nLost a commit?", "Lost a commit?"),
        ("<|channel>thought\nHm.<channel|>Lost a commit?", "Lost a commit?"),
        ('Is "x" a name?', 'Is "x" a name?'),
        ('"x" or "y"', '"x" or "y"'),
        ("How does a:b work?", "How does a:b work?"),
        ("Why does **kwargs take names?", "Why does **kwargs take names?"),
    ],
)
def test_the_text_alone(row, text):
    """Introductions, labels, list marks, quotation marks, thoughts and further lines are taken off; words are not."""
    assert clean(row, ended=True) == (text, "")


@pytest.mark.parametrize(
    ("row", "ended", "reason"),
    [
        ("<think>\nThe user wants", False, THINKING),
        ("<think>\nThe user wants", True, THINKING),
        ("Lost a com", False, UNFINISHED),
        ("", True, EMPTY),
        ('<think></think>\n""', True, ""),
    ],
)
def test_no_text(row, ended, reason):
    """A thought without an end, a row that ran into the limit and an empty one have a reason and no text."""
    assert clean(row, ended=ended).reason == reason


def test_a_row_is_cut_only_where_that_is_asked_for():
    """A text without a source may lose its unfinished last sentence; a reworded fact could lose its condition."""
    row = "Use git reflog. It shows where HEAD has b"
    assert clean(row, ended=False, cut=True).text == "Use git reflog."
    assert clean(row, ended=False).reason == UNFINISHED
    assert clean("No sentence ends he", ended=False, cut=True).reason == UNFINISHED


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("Lost a commit?\n", True),
        ("\n\n", False),
        ("\n\nLost a commit?\n", True),
        ("<think>\n", False),
        ("<think>\nThe user wants\n", True),
        ("<think>\n\n</think>\n", False),
        ("<think>\n\n</think>\nLost?\n", True),
        ("Here is one:\n", False),
        ("Here is one:\n\nLost?\n", False),
    ],
)
def test_where_a_row_is_over(text, over):
    """A line break ends a row, except before its first word, in an empty thought and behind an introduction."""
    assert is_over(text) is over
