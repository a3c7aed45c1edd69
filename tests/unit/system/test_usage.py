"""What a run measures of itself."""

from src.domain.runs import Metric
from src.system import usage


def test_memory_is_counted_in_the_unit_of_the_system(monkeypatch):
    """Linux counts kibibytes and macOS bytes: both come out as megabytes."""
    linux = usage.peak_usage()[Metric.PROGRAM_PEAK_MB]
    assert 5 < linux < 5000
    monkeypatch.setattr(usage, "_RSS_UNITS_PER_MB", 1024 * 1024)
    assert usage.peak_usage()[Metric.PROGRAM_PEAK_MB] < linux / 500
