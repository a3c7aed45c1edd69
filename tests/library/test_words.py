"""The library's language, as far as it can be counted: docs/texts.md has the rules."""

import re

import pytest

from tests.support.library import shipped

LIBRARY = shipped()
BRITISH = re.compile(  # a name in code, such as CancelledError, goes on with a capital
    r"\b[A-Za-z][a-z]*?(?:ehaviour|onour|avour|olour|eighbour|ancell(?:ed|ing)|abelled|isspelt|"
    r"(?:ecogn|rgan|ptim|ormal|erial|nitial|ynchron|til)is(?:e[ds]?|ing|ation))[a-z]*\b"
)
QUIZ = re.compile(r"What do(?:es)?\b.*\b(?:do|return|show|print|mean)s?\b")


def texts(*parts):
    """Return (id, text) of every text of these parts of the records."""
    for s in LIBRARY.statements:
        for part in parts:
            value = getattr(s, part)
            yield from ((s.id, t) for t in ((value,) if isinstance(value, str) else value))


def quizzes(openings):
    """Return the openings that ask the reader to recite a call."""
    return [(name, o) for name, o in openings if QUIZ.match(o)]


def british(found):
    """Return the texts with a British spelling."""
    return [(name, t) for name, t in found if BRITISH.search(t)]


def negated(code):
    """Return whether a line of a shell proof begins with `!`: under `set -e` it asserts nothing."""
    return bool(re.search(r"(?:^|[;\n&|])\s*!\s", code))


def test_one_spelling():
    """No text has a British spelling: the names beside them in code are American."""
    assert not british(texts("statement", "wordings", "openings"))


def test_no_opening_is_a_quiz():
    """No opening asks what a call does, returns, shows, prints or means."""
    assert not quizzes(texts("openings"))


def test_a_contrast_has_no_and():
    """Where "still" or "yet" follows a comma, the word before it is "but"."""
    wrong = re.compile(r", and (?:still|yet) ")
    assert not [(name, o) for name, o in texts("openings") if wrong.search(o)]


def test_names_keep_their_underscores():
    """Python's special names stand as they are typed."""
    special = re.compile(
        r"\b(?:a|defines|declaring) (?:len|slots|init|eq|hash) (?:method|attribute)|defines slots\b"
    )
    assert not [(name, t) for name, t in texts("statement", "wordings") if special.search(t)]


def test_no_shell_proof_negates_a_command():
    """`! cmd` never ends a script under `set -e`: such a line would look like proof and be none."""
    shell = [s for s in LIBRARY.statements if s.proof.get("run") in ("bash", "git")]
    assert len(shell) > 100
    assert not [s.id for s in shell if negated(s.proof["code"])]


def test_no_proof_passes_without_looking():
    """No proof exits with 0 because something that it needs is missing."""
    assert not [s.id for s in LIBRARY.statements if "SystemExit(0)" in s.proof.get("code", "")]


@pytest.mark.parametrize(
    ("found", "bad"),
    [
        (british, [("a", "Undefined behaviour.")]),
        (british, [("a", "A job was cancelled.")]),
        (quizzes, [("a", "What does temperature do?")]),
        (quizzes, [("a", "What do the stars mean?")]),
    ],
)
def test_the_rules_can_fail(found, bad):
    """Each rule catches what it is for."""
    assert found(bad) == bad


@pytest.mark.parametrize("code", ["! cmp a b", "true\n! grep -q x f; cat f", "a; ! b"])
def test_a_negated_line_is_seen(code):
    """The rule sees a negated command at the start, on a line of its own and behind a semicolon."""
    assert negated(code)
