"""Random histories: faults, kills, sleep, a clock that is set wrong, and a person who tweets and deletes by hand."""

import pytest

from tests.support.histories import run_histories


@pytest.mark.timeout(3600)
def test_a_thousand_histories(capsys):
    """A thousand random histories."""
    tally = run_histories(1000, 25)
    with capsys.disabled():
        print("\n" + tally.line("histories"), flush=True)
    assert tally.scenarios >= 1000
    assert tally.doubled == tally.unrecorded == 0
