"""All of what the quick suite runs a share of: random answers, random openings, every proof of the library."""

import pytest

from tests.support import fuzz
from tests.support.library import shipped
from tests.support.prove import failed_proofs


def test_a_hundred_thousand_answers():
    """100,000 random answers: always one of the seven outcomes, never an exception, never posted without a numeric id."""
    fuzz.random_answers(100_000)


def test_ten_thousand_texts():
    """0 of 10,000 random model outputs that pass the gates break X's rules, by independent code."""
    assert fuzz.random_texts(10_000) > 300


@pytest.mark.needs("node")
@pytest.mark.timeout(1800)
def test_proofs():
    """Every statement that can be executed is, and none fails."""
    proofs = [s for s in shipped().statements if s.proof]
    assert not failed_proofs(proofs)
    assert len(proofs) >= 150
