"""The lessons and verdicts that ship."""

from src.content import gates
from src.model import tune
from tests.support.library import shipped

LIBRARY = shipped()

STATEMENTS = {s.id: s for s in LIBRARY.statements}


WRITTEN = tune.read_lessons()


VERDICTS = tune.read_verdicts()


def test_lessons_for_the_library():
    """Nearly every statement of the library has openings to learn from, at least 1,500 in all, and no lesson is for none."""
    assert set(WRITTEN) <= set(STATEMENTS)
    assert len(WRITTEN) >= 0.99 * len(STATEMENTS)
    assert sum(map(len, WRITTEN.values())) >= 1500


def test_lessons_pass_the_gates():
    """What is written by hand may stand above at least one text of its statement; there are no links, mentions or words out of place."""
    bad = [
        (name, opening)
        for name, openings in WRITTEN.items()
        for opening in openings
        if not any(
            gates.judge_opening(opening, STATEMENTS[name], text).passed for text in STATEMENTS[name].texts
        )
    ]
    assert not bad


def test_verdicts_are_about_texts_of_the_library():
    """A verdict names a statement and one of its texts, and says one thing of an opening; both kinds are there in numbers."""
    for said in VERDICTS:
        assert said.text in STATEMENTS[said.statement].texts, said
        assert not set(said.fits) & set(said.misses), said
    assert len({(v.statement, v.text) for v in VERDICTS}) == len(VERDICTS)
    assert min(sum(len(v.fits) for v in VERDICTS), sum(len(v.misses) for v in VERDICTS)) >= 500


def test_nothing_held_out_is_taught():
    """Statements that are held out are in no lesson; each text of the others is in one, with openings that may stand above it."""
    held = {s.id for s in LIBRARY.statements if tune.is_held_out(s.id)}
    taught = dict(tune.lessons(LIBRARY.statements))
    assert 0.05 < len(held) / len(LIBRARY.statements) < 0.15
    for statement in LIBRARY.statements:
        if statement.id in held:
            assert not set(statement.texts) & set(taught), statement.id
            continue
        assert set(statement.texts) & set(taught), statement.id
        for text in statement.texts:
            assert all(
                gates.judge_opening(opening, statement, text).passed for opening in taught.get(text, ())
            )


def test_what_a_reader_accepted_is_taught():
    """Openings of an earlier model that a reader accepted are lessons, those that were refused are not, unless written by hand as well."""
    taught = dict(tune.lessons(LIBRARY.statements))
    said = [v for v in VERDICTS if not tune.is_held_out(v.statement)]
    assert all(set(v.fits) <= set(taught[v.text]) for v in said if v.fits)
    assert not [
        o for v in said for o in v.misses if o in taught.get(v.text, ()) and o not in WRITTEN[v.statement]
    ]
