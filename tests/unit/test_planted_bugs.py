"""The bugs that the long suites plant are bugs in the program as it is."""

import pytest

from src.config import ROOT
from tests.support import mutants, worlds_mutants

PLANTED = [*mutants.MUTANTS, *worlds_mutants.MUTANTS]


@pytest.mark.parametrize("mutant", PLANTED, ids=lambda mutant: mutant.name)
def test_every_planted_bug_has_its_place(mutant):
    """Each edit changes text that the program has, so that a long suite does not end on a bug it cannot plant."""
    for name, old, new in mutant.edits:
        assert old != new
        assert old in (ROOT / "src" / name).read_text(encoding="utf-8"), f"{name} has no {old!r}"
