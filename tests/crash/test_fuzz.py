"""All of what the quick suite runs a share of: random answers, random openings, every proof of the library."""

import pytest

from src.content.library import PROOF_RUNNERS
from tests.support import fuzz, invocations
from tests.support.library import shipped
from tests.support.prove import hold_proofs


def test_a_hundred_thousand_answers():
    """100,000 random answers: always one of the seven outcomes, never an exception, never posted without a numeric id."""
    fuzz.random_answers(100_000)


@pytest.mark.timeout(3600)
def test_twenty_thousand_invocations(capsys):
    """20,000 random invocations of `main` (command line, settings, streams, locale, databases): none ends as a bug."""
    codes = invocations.play_all(range(20_000))
    with capsys.disabled():
        print(f"\n20,000 invocations of main, by exit code: {dict(sorted(codes.items()))}")
    assert set(codes) <= invocations.GOOD


@pytest.mark.timeout(3600)
def test_three_hundred_processes(capsys):
    """300 random invocations as processes, with closed, full and broken streams and bounded files: none is a bug."""
    codes = invocations.play_all(range(100_000, 100_300), invocations.spawn)
    with capsys.disabled():
        print(f"\n300 processes, by exit code: {dict(sorted(codes.items()))}")
    assert set(codes) <= invocations.GOOD_OF_A_PROCESS


def test_ten_thousand_texts():
    """0 of 10,000 random model outputs that pass the gates break X's rules, by independent code."""
    assert fuzz.random_texts(10_000) > 300


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("runner", PROOF_RUNNERS)
def test_proofs(runner):
    """Every statement that can be executed is, and none fails; what cannot be run here is skipped by its name."""
    hold_proofs([s for s in shipped().statements if s.proof.get("run") == runner])
