"""Variety: what stands first in a tweet compared with the tweets just before it. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from src.content.freshness import joined
from src.content.library import Statement
from src.domain.texts import History

FIRST_WORDS = (
    12  # tweets in which no first word comes twice, where there is a choice: at most one in thirteen
)
QUESTIONS = 20  # tweets of which at most a third open with a question, where there is a choice
QUESTION_SHARE = 1 / 3
PATTERNS = 5  # tweets in which no pattern comes twice, where there is a choice
TOO_ALIKE = 4  # likeness from which on another topic is looked at
SAME_PATTERN = 8  # what a pattern of the last few tweets counts in the likeness of a statement
CHOICES = 30  # statements looked at for one that is unlike the last


def first_word(text: str) -> str:
    """Return the first word of a text in lower case, without the marks around it."""
    return next((w for raw in text.split()[:3] if (w := raw.strip(".,:;?!'\"()…").casefold())), "")


def is_question(tweet: str) -> bool:
    """Return whether a tweet opens with a question: its first paragraph, or its first sentence."""
    return tweet.partition("\n")[0].endswith("?")


def in_order(leads: Sequence[str], statement: Statement, text: str, history: History) -> list[str]:
    """Return the openings of a text with those that vary from the last tweets first; the empty one goes last.

    A text with lines of its own opens as well without.
    """
    stands_alone = bool(statement.pattern) and text == statement.statement
    return sorted(
        leads, key=lambda lead: (not lead and not stands_alone, likeness(joined(lead, text), history))
    )


def likeness(tweet: str, history: History) -> int:
    """Return how like the last ones a tweet opens.

    The same first word counts 2, and 4 more within the last few; one question too many counts 1.
    """
    words = [first_word(text) for text in history.texts[:FIRST_WORDS]]
    same, near = first_word(tweet) in words, first_word(tweet) in words[: PATTERNS - 1]
    last = history.texts[:QUESTIONS]
    many = sum(map(is_question, last)) >= QUESTION_SHARE * max(len(last), 3)
    return 4 * near + 2 * same + (many and is_question(tweet))


def recent_patterns(statements: Sequence[Statement], history: History) -> set[str]:
    """Return the patterns of the statements that ran last."""
    newest = sorted(history.last_used, key=lambda name: history.last_used[name])[-(PATTERNS - 1) :]
    return {s.pattern for s in statements if s.pattern and s.id in newest}
