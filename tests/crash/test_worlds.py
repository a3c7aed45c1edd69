"""Random worlds: an X that lies in all its ways, runs that are killed, clocks that jump; and bugs that they find."""

import pytest

from tests.support.kills import report
from tests.support.worlds import Kind, play_all
from tests.support.worlds_mutants import KINDS, MUTANTS, first_broken

SHARE = 200
WORLDS = 3_200


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", range(0, WORLDS, SHARE))
def test_many_worlds(first, capsys):
    """No slot and no text twice, nothing forgotten, adopted or invented, and no silence afterwards."""
    tally = play_all(range(first, first + SHARE))
    report(tally, f"worlds {first} to {first + SHARE - 1}", capsys)
    assert tally.scenarios == SHARE


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_the_worlds_find_the_bug(mutant, capsys):
    """A rule of evidence that is taken out breaks a promise in one of the worlds."""
    number, story = first_broken(mutant, range(1000))
    with capsys.disabled():
        print(f"\n{mutant.name}: found by world {number}", flush=True)
    assert number is not None, f"no world finds: {mutant.name}"
    assert "Finding(" in story, story
    assert play_all([number], Kind(**KINDS.get(mutant.name, {}))).scenarios == 1, (
        "the program as it is passes"
    )
