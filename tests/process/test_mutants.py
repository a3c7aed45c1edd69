"""The tests have teeth: bugs planted on purpose are caught by the same oracle that the sound program passes."""

import pytest

from tests.support.mutants import MUTANTS, survives


@pytest.mark.parametrize("lock", [True, False], ids=["lock", "no lock"])
def test_the_program_as_it_is_passes(lock):
    """Without a bug the battery passes, with the lock and without."""
    good, words = survives(None, lock=lock)
    assert good, words


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_the_bug_is_caught(mutant):
    """A planted bug is seen by the oracle."""
    good, words = survives(mutant, lock=mutant.lock)
    assert not good, f"{mutant.name} survived"
    assert "Verdict(" in words, "seen by the oracle, not by an accident"
