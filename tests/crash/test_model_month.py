"""A month in which the embedded model writes: the same promise as without it."""

import pytest

from src import config
from tests.support.library import shipped
from tests.support.supply import Life, hold_to_the_promise, live, neighbours, resident_model

MONTH = 30 * 24


def settings_of(tmp_path, **extra):
    budget = {"DAILY_BUDGET_USD": "100", "MONTHLY_BUDGET_USD": "1000"}
    return config.load({"DATA_DIR": str(tmp_path), "CANDIDATES": "0", **budget, **extra})


@pytest.mark.model
@pytest.mark.torch
@pytest.mark.timeout(3600)
def test_a_month_with_the_model(tmp_path, capsys):
    """After a month without it, 720 ticks in which the embedded model writes: the same promise, and it leads some."""
    path = tmp_path / "twitter.db"
    settings = settings_of(tmp_path)
    first = live(settings, shipped(), MONTH, database=path)
    with_model = settings_of(tmp_path, CANDIDATES="16", MODELS_DIR=str(config.ROOT / "data" / "models"))
    with resident_model():
        second = live(with_model, shipped(), MONTH, database=path, before=first)
    with capsys.disabled():
        print(f"\na month with the model: {len(second.posted)} posts, {second.led} led by it")
    both = Life(first.posted + second.posted)
    hold_to_the_promise(both, settings)
    assert (len(both.posted), second.silent, neighbours(both)) == (2 * MONTH, [], 0)
    assert second.led >= MONTH // 10
