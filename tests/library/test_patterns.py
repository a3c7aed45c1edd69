"""Records whose statement has a form of its own: docs/texts.md names the patterns. Each has its gates here."""

from __future__ import annotations

import re

import pytest

from src.content.library import PATTERNS, Statement
from tests.support.library import shipped

LIBRARY = shipped()
FORMED = [s for s in LIBRARY.statements if s.pattern]
_PROMPT = re.compile(r"^(?:\$|>>>|>|sqlite>|mysql>|=>|irb>|jshell>|php>|\w*=[#>]) \S")


def problems(record: Statement) -> list[str]:
    """Return what a record lacks of its pattern."""
    lines = record.statement.split("\n")
    measured = bool(re.search(r"\d", record.statement)) and bool(record.proof)
    return [
        words
        for broken, words in (
            (
                record.pattern == "terminal" and not any(map(_PROMPT.match, lines[:-1])),
                "no prompt with its output",
            ),
            (record.pattern == "terminal" and not record.proof, "a terminal that was not run"),
            (record.pattern == "symptom" and len(lines) < 2, "the symptom stands on no line of its own"),
            (record.pattern == "before-after" and len(lines) < 2, "before and after need a line each"),
            (record.pattern == "before-after" and not record.proof, "code that was not run"),
            (record.pattern == "measured" and not measured, "nothing was measured"),
            (
                record.pattern == "sentence" and (len(lines) > 1 or len(lines[0]) > 120),
                "more than one sentence",
            ),
        )
        if broken
    ]


def test_each_keeps_to_its_pattern():
    """Every record with a pattern has what the pattern asks for."""
    assert {s.id: why for s in FORMED if (why := problems(s))} == {}


def test_no_pattern_outweighs():
    """No pattern has more than two in five of all records, so that none can fill a month."""
    counts = {name: sum(s.pattern == name for s in FORMED) for name in PATTERNS}
    assert max(counts.values()) <= 0.4 * len(LIBRARY.statements), counts


def test_a_prompt_is_only_in_terminals_and_lines_are_named():
    """A statement with lines says which pattern it is."""
    assert not [s.id for s in LIBRARY.statements if "\n" in s.statement and not s.pattern]


@pytest.mark.parametrize(
    ("pattern", "statement"),
    [
        ("terminal", "Run git status.\nIt prints much."),
        ("symptom", "One line only."),
        ("before-after", "One line only."),
        ("measured", "It is much faster."),
        ("sentence", "One line.\nAnd another."),
    ],
)
def test_the_gates_can_fail(pattern, statement):
    """Each gate catches what it is for."""
    record = Statement("git-x", "Git", statement, pattern=pattern)
    assert problems(record)
