"""Composing from the shipped library: months of ticks, and random openings."""

from collections import Counter
from datetime import timedelta

import pytest

from src import config
from src.content import variety
from src.content.freshness import EVER, joined, supply
from src.content.library import Library
from src.content_generator import choose_statement, vetted_opening
from src.domain.texts import Draft, History
from tests.support import fuzz
from tests.support.library import shipped
from tests.support.supply import NOW, hold_to_the_promise, live, neighbours

LIBRARY = shipped()


def test_a_month_of_ticks():
    """720 simulated hours: no statement twice, every topic, at most 40 % questions, no first word above 8 %, and no
    first word or pattern twice within five tweets."""
    settings = config.load({"CANDIDATES": "0"})
    history, patterns = History(), []
    for hour in range(720):
        now = NOW + timedelta(hours=hour)
        statement, text = choose_statement(settings, frozenset(), LIBRARY, history, now)
        assert statement.id not in history.last_used
        opening = vetted_opening(frozenset(), statement, text, history, EVER) or ""
        draft = Draft(joined(opening, text), "wording", statement.id, statement.topic, opening)
        history = history.with_draft(draft, now)
        patterns.append(statement.pattern)
    tweets = history.texts
    words = [variety.first_word(tweet) for tweet in tweets]
    assert len(set(tweets)) == 720
    assert set(history.topics) == set(LIBRARY.topics)
    assert sum(map(variety.is_question, tweets)) <= 0.4 * 720
    assert max(Counter(words).values()) <= 0.08 * 720
    assert twice_within_five(words) == 0
    assert twice_within_five(patterns) == 0


def twice_within_five(names):
    """Count the places where a name stands that one of the four before it was."""
    return sum(bool(name) and name in names[max(0, i - 4) : i] for i, name in enumerate(names))


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
    assert (
        expected.texts * 0.9
        <= len(life.posted)
        <= expected.texts
        == sum(len(s.texts) * (len(s.openings) + 1) for s in some.statements)
    )
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
