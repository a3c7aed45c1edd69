"""Ten random histories."""

from tests.support.histories import run_histories


def test_histories():
    """Ten random histories: nothing doubled, lost or invented, no lock-out at the end."""
    run_histories(10, 12)
