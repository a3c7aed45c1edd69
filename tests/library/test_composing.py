"""Composing from the shipped library: months of ticks, and random openings."""

import random
from datetime import timedelta

import pytest

from src import config
from src.content.freshness import supply
from src.content.library import Library
from src.content_generator import choose_statement
from src.domain.texts import History
from tests.support import fuzz
from tests.support.library import shipped
from tests.support.supply import NOW, hold_to_the_promise, live, neighbours

LIBRARY = shipped()


def test_a_month_of_ticks():
    """720 simulated hours: no statement twice within the cool-down, no near-duplicates, every topic seen."""
    settings = config.load({"CANDIDATES": "0"})
    random.seed(1)
    texts, topics, used = [], [], {}
    for hour in range(720):
        now = NOW + timedelta(hours=hour)
        statement, text = choose_statement(
            settings,
            frozenset(),
            LIBRARY,
            History(tuple(reversed(texts)), (), tuple(reversed(topics)), dict(used)),
            now,
        )
        assert statement.id not in used
        used[statement.id] = now
        texts.append(text)
        topics.append(statement.topic)
    assert len(set(texts)) == 720
    assert set(topics) == set(LIBRARY.topics)


def a_thirtieth(folder, **extra):
    """A thirtieth of the shipped library, and settings with a thirtieth of its cool-down."""
    budget = {"DAILY_BUDGET_USD": "9", "MONTHLY_BUDGET_USD": "99"}
    quick = {"DATA_DIR": str(folder), "CANDIDATES": "0", "COOLDOWN_DAYS": "1", **budget, **extra}
    return Library(LIBRARY.statements[::30], ()), config.load(quick)


def test_to_the_end_of_a_part_of_the_library(tmp_path):
    """A thirtieth of the shipped library, at a thirtieth of its cool-down, that never repeats: nine in ten of its vetted
    texts go out, each once, no topic twice in a row while another waits, and the forecast names the end."""
    some, quick = a_thirtieth(tmp_path, REPEAT_AFTER_DAYS="0")
    expected = supply(quick, some.statements, History(), NOW)
    life = live(quick, some, 1000, until_silent=True)
    hold_to_the_promise(life, quick)
    assert expected.texts * 0.9 <= len(life.posted) <= expected.texts == len(some.statements) * 6
    assert expected.days == pytest.approx(len(life.posted) / 24, rel=0.1)
    assert neighbours(life) <= 3
    (silent,) = life.silent
    assert (silent[1].exit_code, silent[1].outcome) == (69, "no-content")


def test_a_part_of_the_library_for_good(tmp_path):
    """The same part with a repeat window of 12 days fills every hour of 20 days: its texts come back in time."""
    some, quick = a_thirtieth(tmp_path, REPEAT_AFTER_DAYS="12")
    life = live(quick, some, 20 * 24)
    hold_to_the_promise(life, quick)
    assert (len(life.posted), life.silent, neighbours(life)) == (20 * 24, [], 0)
    assert len({text for *_, text in life.posted}) < 20 * 24, "the second round has begun"


def test_random_texts_break_no_hard_gate():
    """0 of 1,000 random model outputs that pass the gates break X's rules, by independent code. tests/crash has more."""
    assert fuzz.random_texts(1000) > 30
