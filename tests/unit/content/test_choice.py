"""What the owner wants posted: topics, dates and retired statements."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from src import config
from src.content import choice, library
from src.content.freshness import may_run, supply
from src.content.library import Library, Statement
from src.domain.errors import ConfigError
from src.domain.texts import History

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
SETTINGS = config.load({})
LIBRARY = Library(
    tuple(Statement(f"s-{n}", topic, "A text.") for n, topic in enumerate(("Git", "SQL", "CI/CD"))), ()
)


@pytest.mark.parametrize(
    ("topics", "chosen"),
    [
        ("", {"Git", "SQL", "CI/CD"}),
        ("Git", {"Git"}),
        ("git, ci/cd", {"Git", "CI/CD"}),
        ("-SQL", {"Git", "CI/CD"}),
        ("- sql,-git", {"CI/CD"}),
        ("Git,SQL,-SQL", {"Git"}),
    ],
)
def test_topics(topics, chosen):
    """TOPICS names what is posted, or with a minus what is not, in any case of letters."""
    settings = config.load({"TOPICS": topics})
    assert {statement.topic for statement in choice.wanted(settings, LIBRARY)} == chosen


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("Gti", "TOPICS: the library has no topic 'Gti'; did you mean Git?"),
        ("-Sqll", "TOPICS: the library has no topic 'Sqll'; did you mean SQL?"),
        ("Gardening", "TOPICS: the library has no topic 'Gardening'"),
    ],
)
def test_a_topic_that_the_library_does_not_have(topic, message):
    """A typo gets the nearest topic."""
    with pytest.raises(ConfigError) as raised:
        choice.wanted(config.load({"TOPICS": topic}), LIBRARY)
    assert str(raised.value) == message
    assert "sources topics" in raised.value.fix.render()


@pytest.mark.parametrize(
    ("first", "last", "zone", "may"),
    [
        (None, None, "UTC", True),
        ("2026-11-22", "2026-11-22", "UTC", True),
        ("2026-11-23", None, "UTC", False),
        (None, "2026-11-21", "UTC", False),
        ("2026-11-23", None, "Europe/Berlin", True),  # it is 00:30 there
        (None, "2026-11-22", "Europe/Berlin", False),
    ],
)
def test_dates_of_a_statement(first, last, zone, may):
    """A statement goes out from its first to its last day, by the clock of the owner."""
    dates = [date.fromisoformat(day) if day else None for day in (first, last)]
    one = Statement("s-1", "Git", "A text.", not_before=dates[0], not_after=dates[1])
    settings = config.load({"TIME_ZONE": zone})
    assert may_run(settings, one, History(), NOW) is may
    if last is None or may:
        assert supply(settings, [one], History(), NOW).fresh == may
        assert supply(settings, [one], History(), NOW).total == 1
    else:
        assert supply(settings, [one], History(), NOW).total == 0


def test_what_retired_and_taken_statements_do():
    """A retired statement is out of the supply; one that another profile took rests until its days are over."""
    one = Statement("s-1", "Git", "A text.")
    hidden = History(hidden=frozenset({"s-1"}))
    assert not may_run(SETTINGS, one, hidden, NOW)
    assert supply(SETTINGS, [one], hidden, NOW).total == 0
    taken = History(elsewhere={"s-1": NOW + timedelta(days=2)})
    assert not may_run(SETTINGS, one, taken, NOW)
    left = supply(SETTINGS, [one], taken, NOW)
    assert (left.total, left.fresh, left.elsewhere) == (1, 0, 1)
    assert may_run(SETTINGS, one, taken, NOW + timedelta(days=2))


@pytest.mark.parametrize(
    ("dates", "problem"),
    [
        ({"not_before": "2026-12-01"}, ""),
        ({"not_before": "2026-12-01", "not_after": "2026-12-01"}, ""),
        ({"not_before": "soon"}, "'not_before' must be a date such as 2026-12-24, not 'soon'"),
        ({"not_after": "2026-12-1"}, "'not_after' must be a date such as 2026-12-24, not '2026-12-1'"),
        ({"not_after": 20261201}, "'not_after' must be a date"),
        (
            {"not_before": "2026-12-02", "not_after": "2026-12-01"},
            "'not_after' 2026-12-01 is before 'not_before'",
        ),
    ],
)
def test_dates_as_a_record_has_them(tmp_path, dates, problem):
    """A date that cannot be read is a problem of its record, with the form that is wanted."""
    record = {"id": "a-1", "topic": "Git", "statement": "A text of mine.", "reference": "none", **dates}
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(record))
    loaded = library.load([file])
    assert [problem in p.message for p in loaded.problems] == ([True] if problem else [])
    if not problem:
        assert loaded.statements[0].not_before == date(2026, 12, 1)
