"""Ten thousand simulated hours with five per cent random faults, and databases hurt at random."""

import pytest

from tests.support.soak import hurt_and_go_on, soak


@pytest.mark.timeout(3600)
def test_ten_thousand_hours(stage, capsys):
    """Over 10,000 hours with 5 % faults, at least 99 % of the slots in which X took writes are posted, each miss with a cause."""
    tally, willing, posted, causes = soak(stage, 10_000, 11)
    with capsys.disabled():
        print(
            f"\n{tally.line('soak of 10,000 hours')}, slots in which X took writes {willing}, posted {posted} ({posted / willing:.2%})"
        )
        print(
            "  missed slots by cause: "
            + "; ".join(f"{cause} {count}" for cause, count in causes.most_common()),
            flush=True,
        )
    assert posted >= 0.99 * willing
    assert all(causes)
    assert not {c for c in causes if c.startswith("exit 70")}


# ---- a hurt database -------------------------------------------------------------------------------------------


@pytest.mark.timeout(1800)
def test_many_hurt_databases(stage, capsys):
    """The same a thousand times."""
    tally = hurt_and_go_on(stage, 1000, 2)
    with capsys.disabled():
        print("\n" + tally.line("hurt databases"), flush=True)
