"""What a run measures, and what its measurements tell."""

from datetime import UTC, datetime

import pytest

from src.domain.runs import (
    Exit,
    Metric,
    ModelUse,
    RunOutcome,
    RunRecord,
    limit_left_metric,
    limits_left,
    model_use,
)


@pytest.mark.parametrize(
    ("metrics", "use"),
    [
        ({Metric.SECONDS: 1.0}, ModelUse.NOT_ASKED),
        ({Metric.MODEL_SECONDS: 2.0}, ModelUse.WROTE),
        ({Metric.MODEL_SECONDS: 2.0, Metric.MODEL_FAILED: 1.0}, ModelUse.FAILED),
        ({"generate_seconds": 2.0}, ModelUse.WROTE),
    ],
)
def test_model_use(metrics, use):
    """What the model did is read from a run's measurements, also as the database returns them."""
    assert model_use(metrics) is use


def test_limits_left():
    """The share left of each window is found again under the window's name."""
    metrics = {limit_left_metric("x-rate-limit"): 0.4, Metric.SECONDS: 1.0, "x-rate-limit-remaining": 40.0}
    assert limits_left(metrics) == {"x-rate-limit": 0.4}


def test_exit_codes():
    """Monitors and timers read these numbers; they are those of sysexits.h, and the README's."""
    assert {code.name: int(code) for code in Exit} == {
        "OK": 0, "USAGE": 2, "NO_CONTENT": 69, "BUG": 70, "IO": 74, "TEMPORARY": 75, "UNKNOWN": 76, "BLOCKED": 77,
        "CONFIG": 78,
    }  # fmt: skip


def test_the_model_in_a_stored_run():
    """A stored run tells it by what it measured."""
    now = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
    run = RunRecord("2026-11-22T14:00Z", now, now, 0, RunOutcome.POSTED, "m", {Metric.MODEL_SECONDS: 2.0})
    assert run.model_use is ModelUse.WROTE
