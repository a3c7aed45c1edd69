"""The report over real databases: text, data, numbers for Prometheus, and the page in a real browser."""

import contextlib
import json
import os
import re
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from src import db_manager
from src.commands import report as report_command
from src.domain.errors import StorageError
from src.domain.runs import Exit
from src.system.log import sanitise
from src.watch.report import measures as report
from src.watch.report.prometheus import as_prometheus
from tests import fake_x
from tests.support.library import library_read_once, small_library
from tests.support.report import ATTACKS, HOURS, make, samples
from tests.support.world import new_world

pytestmark = pytest.mark.xdist_group("report")  # its fixtures and imports are expensive


@pytest.fixture(autouse=True)
def quick_library():
    """Judging a library takes long, and each look at it would."""
    with library_read_once():
        yield


@pytest.fixture
def world(tmp_path):
    with new_world(tmp_path, **small_library(tmp_path, 200)) as made:
        yield made


# ---- what runs measure ---------------------------------------------------------------------------------------------


def test_each_run_measures_itself(world):
    """Phases, memory, processor time, attempts, answers, limits left and cost are kept with the run."""
    world.warm()
    world.x.limits = {"x-rate-limit-remaining": "42"}
    world.tick()
    world.next_slot()
    world.x.on_post(fake_x.close(accept=True))
    world.tick()
    plain, lost = (
        json.loads(row["metrics"])
        for row in world.rows("SELECT metrics FROM runs ORDER BY id DESC LIMIT 2")[::-1]
    )
    assert {
        "open_seconds",
        "settle_seconds",
        "due_seconds",
        "compose_seconds",
        "send_seconds",
        "seconds",
        "program_peak_mb",
        "cpu_seconds",
    } <= set(plain)
    assert (plain["attempts"], plain["http_status"], plain["cost_usd"], plain["x-rate-limit-remaining"]) == (
        1,
        201,
        0.015,
        42,
    )
    assert plain["send_ms"] >= 0
    assert (lost["attempts"], lost["http_status"], lost["reads"]) == (1, 0, 1)
    assert lost["cost_usd"] == pytest.approx(0.015 + 0.001 * 2)
    assert lost["send_seconds"] >= 2, "the pause before the look at the timeline counts as sending"
    ledger = world.rows("SELECT total(usd) FROM spending")[0][0]
    assert ledger == pytest.approx(
        sum(json.loads(row["metrics"])["cost_usd"] for row in world.rows("SELECT metrics FROM runs"))
    )


def test_a_run_that_fails_measures_itself_too(world):
    """A run that ends in trouble, or with nothing to do, keeps what it measured."""
    world.warm()
    world.tick()
    world.move(minutes=1)
    world.tick()
    idle = json.loads(world.rows("SELECT metrics FROM runs ORDER BY id DESC LIMIT 1")[0][0])
    assert {"settle_seconds", "due_seconds", "seconds", "cpu_seconds"} <= set(idle)
    assert "compose_seconds" not in idle


def test_where_no_slot_was_due(world):
    """A slot that has not ended was not due: the report does not call it posted."""
    world.x.on_post(fake_x.rate_limited(None))
    world.tick()
    assert "\n\nno slot was due yet\n" in make(world).text


def test_where_every_slot_has_its_post(world):
    world.warm()
    world.tick()
    assert "\n\nevery slot has its post\n" in make(world).text


# ---- counting ------------------------------------------------------------------------------------------------------


def test_counts_are_those_of_x(stretch):
    """What the report says was posted is what X holds; every slot is accounted for, every gap has its cause."""
    posted = sum(t.via == "api" for t in stretch.tweets)
    rate = stretch.report.overview.rates["30d"]
    assert rate.posted == posted == sum(day.fates["posted"] for day in stretch.report.by_day)
    assert rate.due == HOURS == len(stretch.report.slots)
    assert sum(gap.slots for gap in stretch.report.gaps) == HOURS - posted
    causes = {gap.cause for gap in stretch.report.gaps}
    for words in (
        "no run on record",
        "no credits are left",
        "could not be reached",
        "limit was used up",
        "the tweet is not there",
    ):
        assert any(words in cause for cause in causes), (words, causes)
    assert stretch.report.answers["201 posted"] == sum(
        json.loads(row["metrics"]).get("http_status") == 201 for row in stretch.runs
    )
    spent = sum(usd for day in stretch.report.by_day for usd in day.usd.values())
    assert spent == pytest.approx(sum(json.loads(row["metrics"]).get("cost_usd", 0) for row in stretch.runs))


def test_text_tells_all(stretch):
    """The text has the judgement, what was measured, X's answers, gaps with causes and the last posts with links."""
    assert stretch.text.splitlines()[0] == "healthy"
    for words in (
        "whole run, seconds",
        "answer of X, milliseconds",
        "peak of the program, MB",
        "× 201 posted",
        "no credits are left",
        "last posts",
    ):
        assert words in stretch.text
    newest = max(t.id for t in stretch.tweets)
    assert f"https://x.com/i/web/status/{newest}" in stretch.text
    assert stretch.data["posts"][0]["tweet_id"] == str(newest)
    assert stretch.data["success"]["30d"]["posted"] == stretch.report.overview.rates["30d"].posted


def test_spread():
    """Middle, 95 of 100, and most."""
    assert report.spread([]) is None
    assert report.spread([3.0]) == report.Spread(1, 3.0, 3.0, 3.0)
    found = report.spread(range(101))
    assert (found.middle, found.high, found.top) == (50, 95, 100)


# ---- Prometheus ----------------------------------------------------------------------------------------------------


def test_prometheus_reads_what_was_counted(stretch):
    """The text parses, every series has its help, and the numbers are the report's."""
    found = samples(stretch.numbers)
    assert all(
        family.documentation and family.type == "gauge"
        for family in text_string_to_metric_families(stretch.numbers)
    )
    assert all(name.startswith("twitter_manager_") for name, _ in found)
    rate, measures = stretch.report.overview.rates["24h"], stretch.report.measures
    assert found["twitter_manager_slots_posted", (("window", "24h"),)] == rate.posted
    assert found["twitter_manager_success_ratio", (("window", "24h"),)] == rate.share
    assert found["twitter_manager_healthy", ()] == float(not stretch.report.findings)
    assert found["twitter_manager_answer_seconds", (("quantile", "0.5"),)] == pytest.approx(
        measures.latency_ms.middle / 1000
    )
    assert (
        found["twitter_manager_phase_seconds", (("phase", "send"), ("quantile", "1"))]
        == measures.phases["send"].top
    )
    assert (
        found["twitter_manager_peak_memory_bytes", (("process", "program"),)]
        == measures.program_mb.top * 2**20
    )
    assert found["twitter_manager_rate_limit_remaining", (("window", "x-user-limit-24hour"),)] > 0
    assert found["twitter_manager_posts", (("status", "posted"),)] == len(stretch.tweets)
    assert found["twitter_manager_library_days_left", ()] == pytest.approx(
        800 / 24, abs=0.1
    )  # one text a statement, none of which was sent


def test_prometheus_knows_what_is_wrong(world):
    """A refusal shows as a reason, in the exit code and in the breaker's count."""
    world.warm()
    world.x.on_post(fake_x.no_credits())
    world.tick()
    found = samples(make(world).numbers)
    assert (found["twitter_manager_healthy", ()], found["twitter_manager_exit_code", ()]) == (0, 77)
    assert found["twitter_manager_reason", (("name", "blocked"),)] == 1
    assert found["twitter_manager_breaker_refusals_in_a_row", ()] == 1


# ---- files and the command -------------------------------------------------------------------------------------------


def test_a_file_is_whole_or_as_it_was(tmp_path):
    """A link in the place of the file is replaced, not followed; when writing fails, the old file is untouched and nothing is left."""
    target, other = tmp_path / "page", tmp_path / "other"
    other.write_text("theirs")
    target.symlink_to(other)
    report_command._write(target, "ours")
    assert (target.read_text(), other.read_text(), target.is_symlink()) == ("ours", "theirs", False)
    with pytest.raises(UnicodeEncodeError):
        report_command._write(target, "half \ud800")
    assert target.read_text() == "ours"
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(StorageError) as trouble:
        report_command._write(folder, "x")
    assert trouble.value.exit_code is Exit.IO
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "other", "page"]


def test_numbers_carry_the_profile(world):
    """Several accounts of one machine are told apart by a label; without a profile there is none."""
    world.warm()
    settings = world.settings.model_copy(update={"profile": "anna"})
    made = report.read(settings, datetime.now(UTC), 7)
    found = samples(as_prometheus(made, settings))
    assert {dict(labels)["profile"] for _, labels in found} == {"anna"}
    assert found["twitter_manager_slots_due", (("profile", "anna"), ("window", "24h"))] == 1


def test_before_the_first_run(world):
    """Without a database everything can be asked for and says that there is nothing; no database is made."""
    made = make(world)
    assert "no-database" not in made.text
    assert "Nothing measured yet." in made.html
    assert samples(made.numbers)["twitter_manager_slots_due", (("window", "24h"),)] == 0
    assert not world.database.exists()


def test_ten_thousand_posts(world):
    """After more than a year the page still shows the last days, and is of the size of a picture."""
    world.warm()
    now = datetime.now(UTC)
    with contextlib.closing(sqlite3.connect(world.database)) as db:
        slots = [(now - timedelta(hours=n + 5)) for n in range(10_000)]
        db.executemany(
            "INSERT INTO posts(content, status, origin, slot, fingerprint, tweet_id, sent_at, created_at, attempts) VALUES (?, 'posted', 'wording', ?, ?, ?, ?, ?, 1)",
            (
                (f"text {n}", f"{at:%Y-%m-%dT%H}:00Z", f"f{n}", n + 1, at.timestamp(), at.timestamp())
                for n, at in enumerate(slots)
            ),
        )
        db.executemany(
            "INSERT INTO runs(run_id, command, slot, started, finished, exit_code, outcome, metrics) VALUES (?, 'tick', ?, ?, ?, 0, 'posted', ?)",
            (
                (
                    f"x{n}",
                    f"{at:%Y-%m-%dT%H}:00Z",
                    at.timestamp(),
                    at.timestamp(),
                    '{"compose_seconds": 2.5, "send_seconds": 0.1}',
                )
                for n, at in enumerate(slots)
            ),
        )
        db.commit()
    made = make(world)
    assert made.report.overview.rates["30d"].posted >= 700
    assert len(made.report.by_day) == 31
    assert len(made.html) < 200_000
    assert len(make(world, days=365).report.by_day) == 366


# ---- hostile texts ---------------------------------------------------------------------------------------------------


def test_enough_attacks():
    """At least fifty, all different."""
    assert len(set(ATTACKS)) >= 50


def test_attacks_in_text_and_numbers(hostile):
    """The text for terminals has no control characters; Prometheus' parser reads hostile names back as they were."""
    for words, made in hostile[0]:
        lines = "\n".join(map(sanitise, made.text.splitlines()))
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", lines)
        names = {
            dict(labels)["window"]
            for name, labels in samples(made.numbers)
            if name == "twitter_manager_rate_limit_remaining"
        }
        assert names == set(words[:3])


def test_a_database_opened_for_the_report_is_not_written(world):
    """The report reads a copy: the file keeps every byte."""
    world.warm()
    before = world.database.read_bytes()
    make(world)
    assert world.database.read_bytes() == before
    assert db_manager.open_for_reading(world.database) is not None
    assert os.listdir(world.database.parent).count("twitter.db-journal") == 0
