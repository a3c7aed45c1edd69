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
from tests.support.supply import NOW, hold_to_the_cooldown, post_hourly

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


def test_every_text_is_sent_before_the_library_falls_silent(monkeypatch, tmp_path):
    """A thirtieth of the shipped library, at a thirtieth of its cool-down, posts nine in ten of its vetted texts, each once, before a slot stays empty."""
    some = Library(LIBRARY.statements[::30], ())
    quick = config.load({"DATA_DIR": str(tmp_path), "CANDIDATES": "0", "COOLDOWN_DAYS": "1"})
    expected = supply(quick, some.statements, History(), NOW)
    posted, end = post_hourly(quick, some, 1000, monkeypatch)
    hold_to_the_cooldown(posted, 1)
    assert len({draft.content for _, draft in posted}) == len(posted)
    assert expected.texts * 0.9 <= len(posted) <= expected.texts == len(some.statements) * 6
    assert expected.days == pytest.approx(len(posted) / 24, rel=0.1)
    assert "has been sent" in end.notes[-1].message or "too much like" in end.notes[-1].message


def test_random_texts_break_no_hard_gate():
    """0 of 1,000 random model outputs that pass the gates break X's rules, by independent code. tests/crash has more."""
    assert fuzz.random_texts(1000) > 30
