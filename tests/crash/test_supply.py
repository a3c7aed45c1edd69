"""The shipped library over years, and small libraries to their end: no slot stays empty that a text could fill."""

import random
from datetime import timedelta

import pytest

from src import config
from src.content.freshness import FAR_HORIZON_DAYS, supply
from src.content.library import Library, Statement
from src.domain.texts import History
from tests.support.library import library_read_once, shipped
from tests.support.supply import (
    NOW,
    hold_to_the_promise,
    live,
    live_together,
    neighbours,
    profiles_of_one_machine,
    shared_within,
)

YEAR = 365 * 24


def quick(tmp_path, **extra):
    return config.load(
        {
            "DATA_DIR": str(tmp_path),
            "CANDIDATES": "0",
            "DAILY_BUDGET_USD": "100",
            "MONTHLY_BUDGET_USD": "1000",
            **extra,
        }
    )


def told(capsys, name, life):
    slowest = sorted(life.seconds)[-len(life.seconds) // 100 or -1]
    with capsys.disabled():
        print(
            f"\n{name}: {len(life.posted)} posts, {len(life.silent)} empty slots,"
            f" {len({c for *_, c in life.posted})} texts, {neighbours(life)} neighbours of one topic,"
            f" composing {sorted(life.seconds)[len(life.seconds) // 2] * 1000:.0f} ms in the middle,"
            f" {slowest * 1000:.0f} ms for 99 of 100"
        )


@pytest.mark.timeout(4 * 3600)
def test_two_years_of_the_shipped_library(tmp_path, capsys):
    """17,520 hourly ticks: a tweet in every slot, no text within 365 days, no statement before its cool-down."""
    settings = quick(tmp_path)
    life = live(settings, shipped(), 2 * YEAR, database=tmp_path / "twitter.db")
    told(capsys, "two years", life)
    hold_to_the_promise(life, settings)
    assert (len(life.posted), life.silent, neighbours(life)) == (2 * YEAR, [], 0)


@pytest.mark.timeout(4 * 3600)
def test_the_forecast_of_a_library_that_never_repeats(tmp_path, capsys):
    """With REPEAT_AFTER_DAYS=0 the forecast names the day of the first empty slot within 3 %, and the run the way out."""
    settings = quick(tmp_path, REPEAT_AFTER_DAYS="0")
    expected = supply(settings, shipped().statements, History(), NOW, FAR_HORIZON_DAYS)
    life = live(settings, shipped(), 3 * YEAR, until_silent=True)
    told(
        capsys,
        f"never again, forecast {expected.days:.1f} days, came after {len(life.posted) / 24:.1f}",
        life,
    )
    hold_to_the_promise(life, settings)
    assert expected.days == pytest.approx(len(life.posted) / 24, rel=0.03)
    assert life.silent[0][1].exit_code == 69


def some(count):
    """A library of so many statements of one text each, that are not alike."""
    order = random.Random(7)
    words = [w for s in shipped().statements for w in s.statement.split() if w.isalpha() and w.islower()]
    made = []
    for number in range(count):
        sentence = f"Case {number} " + " ".join(order.sample(words, 9)) + "."
        made.append(Statement(f"s-{number}", f"Topic {number % 7}", sentence))
    return Library(tuple(made), ())


@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize(
    ("count", "cooldown", "window", "posts"),
    [
        # In 60 days: one statement comes back when both its cool-down and the window of its text are over.
        (1, 1, 10, 6),
        (6, 1, 10, 36),
        (6, 30, 10, 12),
        (6, 1, 0, 6),
        (200, 1, 30, 400),
        (200, 1, 5, 1440),
    ],
)
def test_small_libraries(tmp_path, count, cooldown, window, posts):
    """Libraries of 1, 6 and 200 statements post as much as cool-down and repeat window allow, and no more."""
    settings = quick(tmp_path, COOLDOWN_DAYS=str(cooldown), REPEAT_AFTER_DAYS=str(window))
    life = live(settings, some(count), 60 * 24)
    hold_to_the_promise(life, settings)
    assert len(life.posted) == posts
    for _, result in life.silent:
        assert result.exit_code == 69
        assert ("until 20" if window else "has been sent") in result.message


@pytest.mark.timeout(4 * 3600)
def test_a_library_that_grows_and_shrinks(tmp_path):
    """An owner's file that gains and loses statements on the way: every slot is filled while there are enough."""
    settings = quick(tmp_path, COOLDOWN_DAYS="2", REPEAT_AFTER_DAYS="3")
    everything = some(300).statements

    def library(now):
        day = (now - NOW) // timedelta(days=1)
        return Library(everything[(day % 20) * 5 : 150 + (day % 20) * 5], ())

    life = live(settings, library, 60 * 24)
    hold_to_the_promise(life, settings)
    assert (len(life.posted), life.silent) == (60 * 24, [])


def test_four_profiles_for_a_quarter(tmp_path, capsys):
    """At six a day each: every slot has its post, and no statement is shared within thirty days."""
    extra = {
        "POSTS_PER_DAY": "6",
        "CANDIDATES": "0",
        "DAILY_BUDGET_USD": "100",
        "MONTHLY_BUDGET_USD": "1000",
    }
    with library_read_once():
        posted = live_together(profiles_of_one_machine(tmp_path, 4, **extra), 91)
    shared = shared_within(posted, 30)
    with capsys.disabled():
        print(
            f"\nfour profiles: {[len(posts) for posts in posted]} posts, {len(shared)} shared within 30 days"
        )
    assert shared == []
    assert [len(posts) for posts in posted] == [546] * 4
