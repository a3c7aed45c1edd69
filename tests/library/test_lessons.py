"""The lessons that ship."""

from src.content import gates
from src.model import tune
from tests.support.library import shipped

LIBRARY = shipped()

STATEMENTS = {s.id: s for s in LIBRARY.statements}


WRITTEN = tune.read_lessons()


def test_lessons_for_the_library():
    """Most statements of the library have openings to learn from, at least 2,500 in all, and no lesson is for none."""
    assert set(WRITTEN) <= set(STATEMENTS)
    assert len(WRITTEN) >= 0.85 * len(STATEMENTS)
    assert sum(map(len, WRITTEN.values())) >= 2500


def test_lessons_pass_the_gates():
    """Nearly all that is written by hand may stand above a text of its statement; a reworded text may have lost one."""
    openings = [(name, opening) for name, some in WRITTEN.items() for opening in some]
    bad = [
        (name, opening)
        for name, opening in openings
        if not any(
            gates.judge_opening(opening, STATEMENTS[name], text).passed for text in STATEMENTS[name].texts
        )
    ]
    assert len(bad) <= 0.02 * len(openings), bad


def test_nothing_held_out_is_taught():
    """Statements that are held out are in no lesson; of the others, each opening stands above the texts that the gates allow."""
    held = {s.id for s in LIBRARY.statements if tune.is_held_out(s.id)}
    taught = dict(tune.lessons(LIBRARY.statements))
    assert 0.05 < len(held) / len(LIBRARY.statements) < 0.15
    for statement in LIBRARY.statements:
        for text in statement.texts:
            openings = () if statement.id in held else WRITTEN.get(statement.id, ())
            allowed = tuple(o for o in openings if gates.judge_opening(o, statement, text).passed)
            assert taught.get(text, ()) == allowed, statement.id


def test_no_lesson_asks_for_a_call_to_be_recited():
    """No lesson is a quiz question ("What does X return?"): that is what the model would write."""
    quiz = ("what does ", "what do ", "what is ", "does ", "do ", "is ", "are ", "which ", "how do ")
    asked = [o for some in WRITTEN.values() for o in some if o.endswith("?") and o.lower().startswith(quiz)]
    assert not asked
