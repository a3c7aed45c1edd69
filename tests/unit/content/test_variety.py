"""What stands first in a tweet, and texts with lines of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from src import config
from src.content import variety
from src.content.library import Library, Statement, text_problems
from src.content_generator import choose_statement, vetted_opening
from src.domain.texts import Draft, History

NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)
EVER = NOW - timedelta(days=9999)


def statement(name, **changes):
    return Statement(
        name, "Git", f"{name} commands say what they do.", ("Another wording of it.",), **changes
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("$ echo a\na", ""),
        ("def f():\n    return 1", ""),
        ("a\n\nb.", "stray white space"),
        ("a \nb.", "stray white space"),
        (" a\nb.", "stray white space"),
        ("a\n  b  c.", "stray white space"),
        ("a\n" + " " * 9 + "b.", "stray white space"),
        ("a\tb.", "stray white space"),
        ("a\n" * 8 + "b.", "has 9 lines, at most 8"),
    ],
)
def test_lines_of_a_text(text, problem):
    """A text may have lines and indents; blank lines part an opening from its text and stand in none."""
    assert next(iter(text_problems(text, 200, 8)), "") == problem
    assert list(text_problems(text, 200)), "an opening has one line"


def test_a_first_word_is_not_repeated():
    """Of two openings the one whose first word led none of the last tweets leads."""
    record = statement("git-a", openings=("The log is gone.", "One commit is missing."))
    old = History(("The disk is full.\n\nA text.",))
    assert vetted_opening(frozenset(), record, record.statement, History(), EVER) == "The log is gone."
    assert vetted_opening(frozenset(), record, record.statement, old, EVER) == "One commit is missing."


def test_questions_make_way():
    """After many questions an opening that is none leads."""
    record = statement("git-a", openings=("Why is it gone?", "One commit is missing."))
    old = History(tuple(f"Which {n}?\n\nA text." for n in range(8)))
    assert vetted_opening(frozenset(), record, record.statement, old, EVER) == "One commit is missing."


def test_a_text_of_a_pattern_may_open_the_tweet():
    """Where the opening is like the last ones, a text with lines leads by itself; a plain one does not."""
    old = History(("The disk is full.\n\nA text.",))
    plain = statement("git-a", openings=("The log is gone.",))
    formed = statement("git-b", openings=("The log is gone.",), pattern="symptom")
    assert vetted_opening(frozenset(), plain, plain.statement, old, EVER) == "The log is gone."
    assert vetted_opening(frozenset(), formed, formed.statement, old, EVER) == ""


def test_a_pattern_rests():
    """A pattern of the last four tweets is not chosen again while its topic has another record."""
    settings = config.load({"CANDIDATES": "0"})
    formed = [
        statement(f"git-{n}", openings=(f"{w} is odd.",), pattern="symptom") for n, w in enumerate("abcdefg")
    ]
    plain = statement("git-plain", openings=("Nothing is odd.",))
    past = History().with_draft(Draft("Odd.", "wording", "git-0", "Git"), NOW - timedelta(hours=1))
    chosen = choose_statement(settings, frozenset(), Library((*formed, plain), ()), past, NOW)
    assert chosen is not None
    assert chosen[0].id == "git-plain"
    assert variety.recent_patterns(formed, past) == {"symptom"}
