"""Runs, attempts, candidates and the ledger: each question counts the rows that it should."""

from datetime import timedelta

import pytest

from src.domain.answers import Outcome
from src.domain.runs import Attempt, RunOutcome
from src.domain.texts import Candidate, Verdict
from tests.support.stored import NOW, SLOT, everything, insert, put, put_attempt, put_run

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
FAILED = {"generate_seconds": 2.0, "model_failed": 1.0}
WROTE = {"generate_seconds": 2.0}


def put_runs(db, *runs):
    """Record runs: (exit code, outcome), oldest first."""
    for n, (code, outcome) in enumerate(runs):
        put_run(db, f"run {n}", code, outcome)


# ---- runs ------------------------------------------------------------------------------------------------------


def test_the_latest_run(db):
    """The latest tick is the one that started last; other commands do not count."""
    assert db.journal.latest_run() is None
    put_run(db, "a", 75, RunOutcome.LATER)
    put_run(db, "b", None)
    assert (db.journal.latest_run().finished, db.journal.latest_run().exit_code) == (None, None)
    put_run(db, "c", 0, command="maintain")
    assert db.journal.latest_run().exit_code is None


def test_one_run_is_finished(db):
    """The end of a run is written into its own row, with what it measured."""
    put_run(db, "a", None)
    put_run(db, "b", None)
    db.journal.finish_run("a", 75, RunOutcome.LATER, "why", {"seconds": 1.5}, NOW + HOUR)
    first, second = db.journal.runs_since(NOW)
    assert (first.slot, first.started, first.finished) == (SLOT, NOW, NOW + HOUR)
    assert (first.exit_code, first.outcome, first.message, first.metrics) == (
        75,
        RunOutcome.LATER,
        "why",
        {"seconds": 1.5},
    )
    assert second.finished is None


def test_runs_since(db):
    """The ticks that started then or later, oldest first."""
    for name, hours in (("a", 2), ("b", 1), ("c", 0)):
        put_run(db, name, at=NOW + hours * HOUR)
    put_run(db, "d", at=NOW + HOUR, command="maintain")
    put_run(db, "e", at=NOW - SECOND)
    assert [run.started - NOW for run in db.journal.runs_since(NOW)] == [0 * HOUR, HOUR, 2 * HOUR]


@pytest.mark.parametrize(
    ("runs", "count"),
    [
        ([], 0),
        ([(75, RunOutcome.LATER)], 1),
        ([(1, RunOutcome.TROUBLE)], 1),
        ([(0, RunOutcome.POSTED), (75, RunOutcome.LATER), (74, RunOutcome.TROUBLE)], 2),
        ([(74, RunOutcome.TROUBLE), (0, RunOutcome.POSTED)], 0),
        ([(74, RunOutcome.TROUBLE), (0, RunOutcome.SLOT_USED)], 1),
        ([(74, RunOutcome.TROUBLE), (0, RunOutcome.POSTED), (75, RunOutcome.LATER)], 1),
        ([(74, RunOutcome.TROUBLE), (None, RunOutcome.POSTED)], 1),
    ],
)
def test_failures_in_a_row(db, runs, count):
    """Runs that failed, back to one that posted; runs with nothing to do and unfinished ones are passed over."""
    put_runs(db, *runs)
    put_run(db, "other", 74, RunOutcome.TROUBLE, command="maintain")
    assert db.journal.failures_in_a_row() == count


@pytest.mark.parametrize(
    ("measured", "count"),
    [
        ([], 0),
        ([FAILED], 1),
        ([FAILED, {"seconds": 0.1}], 1),
        ([FAILED, {"seconds": 0.1}, FAILED], 2),
        ([FAILED, WROTE], 0),
        ([FAILED, WROTE, FAILED], 1),
    ],
)
def test_model_failures_in_a_row(db, measured, count):
    """Runs that did not ask the model neither count nor end the count; a text that it wrote does."""
    for n, metrics in enumerate(measured):
        put_run(db, f"run {n}", metrics=metrics)
    put_run(db, "other", metrics=FAILED, command="maintain")
    assert db.journal.model_failures_in_a_row() == count


def test_unfinished_runs_are_not_counted(db):
    """A run that has not ended says nothing about the model."""
    put_run(db, "a", metrics=FAILED)
    insert(db, "runs", run_id="b", command="tick", started=0, metrics='{"model_failed": 1}')
    assert db.journal.model_failures_in_a_row() == 1


@pytest.mark.parametrize("count", ["failures_in_a_row", "model_failures_in_a_row", "texts_refused_in_a_row"])
def test_how_far_back_is_counted(db, count):
    """A count reads no more rows than it is told to, by itself a hundred runs or ten texts."""
    post, most = put(db, "failed"), 10 if count == "texts_refused_in_a_row" else 100
    for n in range(most + 1):
        insert(
            db,
            "runs",
            run_id=f"{n}",
            command="tick",
            started=0,
            finished=0,
            exit_code=74,
            metrics='{"model_failed": 1}',
        )
        put_attempt(db, post, "refused")
    assert getattr(db.journal, count)() == most
    assert getattr(db.journal, count)(3) == 3


@pytest.mark.parametrize(
    ("outcome", "reason", "stored"),
    [
        *((outcome, "", str(outcome)) for outcome in RunOutcome if outcome is not RunOutcome.ON_HOLD),
        (RunOutcome.ON_HOLD, "no-credits", "nothing-due:hold-no-credits"),
    ],
)
def test_outcomes_as_stored(db, outcome, reason, stored):
    """Every outcome comes back as it was written; only the table joins a hold and its reason."""
    db.journal.begin_run("r", "tick", SLOT, "0", NOW)
    db.journal.finish_run("r", 0, outcome, "m", {}, NOW, reason=reason)
    assert db.connection.value("SELECT outcome FROM runs") == stored
    assert (db.journal.latest_run().outcome, db.journal.latest_run().reason) == (outcome, reason)


@pytest.mark.parametrize("stored", ["of tomorrow", None])
def test_an_outcome_of_another_version(db, stored):
    """A word that this version does not know is no outcome, and stops nothing."""
    insert(db, "runs", run_id="r", command="tick", started=0, finished=0, exit_code=0, outcome=stored)
    assert (db.journal.latest_run().outcome, db.journal.latest_run().reason) == (None, "")


@pytest.mark.parametrize("text", [None, "null", "[1]", '{"a": "x"}', '{"a": null}', '"a"', "{"])
def test_odd_metrics_are_left_out(db, text):
    """Whatever another program wrote into a run's metrics, the run can be read."""
    insert(db, "runs", run_id="r", command="tick", started=0, metrics=text)
    assert db.journal.latest_run().metrics == {}


def test_a_run_with_empty_columns(db):
    """A run without slot and message has empty texts."""
    insert(db, "runs", run_id="r", command="tick", started=0)
    assert (db.journal.latest_run().slot, db.journal.latest_run().message) == ("", "")


# ---- attempts --------------------------------------------------------------------------------------------------


def test_the_last_answer(db):
    """It is that of the last attempt of this post, and UNKNOWN without an answer or an attempt."""
    first, second = put(db, "failed"), put(db, "failed", "Other.")
    assert db.journal.last_answer(db.post(first)) is Outcome.UNKNOWN
    put_attempt(db, first, "not_sent", NOW + HOUR)
    put_attempt(db, first, "refused")
    put_attempt(db, second, "later")
    assert db.journal.last_answer(db.post(first)) is Outcome.REFUSED
    put_attempt(db, second, None)
    assert db.journal.last_answer(db.post(second)) is Outcome.UNKNOWN


def test_the_last_attempt(db):
    """It is the one of this post that began last."""
    first, second = put(db, "failed"), put(db, "failed", "Other.")
    assert db.journal.last_attempt(db.post(first)) is None
    for post, hours in ((first, 2), (first, 1), (second, 3)):
        put_attempt(db, post, "unknown", NOW + hours * HOUR)
    assert db.journal.last_attempt(db.post(first)) == NOW + 2 * HOUR


@pytest.mark.parametrize(
    ("outcomes", "count"),
    [
        ([], 0),
        (["refused"], 1),
        (["posted", "refused", "refused"], 2),
        (["refused", "posted"], 0),
        (["refused", "not_sent", "refused", None], 2),
        (["refused", "unknown", "refused"], 1),
    ],
)
def test_texts_refused_in_a_row(db, outcomes, count):
    """Refusals back to another answer; what was not sent or has no answer is passed over."""
    post = put(db, "failed")
    for outcome in outcomes:
        put_attempt(db, post, outcome)
    assert db.journal.texts_refused_in_a_row() == count


def test_attempts_since(db):
    """The requests that left then or later, oldest first, with all that X answered."""
    post = put(db, "failed")
    answer = {"slot": SLOT, "http_status": 403, "reason": "why", "detail": "because", "latency_ms": 9}
    put_attempt(db, post, "refused", NOW + HOUR, **answer)
    put_attempt(db, post, None, NOW)
    put_attempt(db, post, "posted", NOW - SECOND)
    found = db.journal.attempts_since(NOW)
    assert found == [
        Attempt("", NOW, "", None, "", "", 0),
        Attempt(SLOT, NOW + HOUR, "refused", 403, "why", "because", 9),
    ]
    assert found[0].latency_ms is not False


# ---- candidates and the ledger ---------------------------------------------------------------------------------


def test_candidates(db):
    """The openings judged since a time, how many were taken, and how many each gate refused."""
    refused = Candidate("s", "Why?", -1.0, Verdict(("echo", "too-long")))
    db.journal.add_candidates("r", [refused, Candidate("s", "So?", 0.5, Verdict(), chosen=True)], NOW)
    db.journal.add_candidates("r", [refused, Candidate("s", "Hm?", 0.5, Verdict(("echo",)))], NOW + HOUR)
    db.journal.add_candidates("r", [refused], NOW - SECOND)
    assert db.journal.candidates_since(NOW) == (4, 1, {"echo": 3, "too-long": 2})
    assert db.journal.candidates_since(NOW + 2 * HOUR) == (0, 0, {})
    row = db.connection.rows("SELECT run_id, source_id, opening, score, reasons, chosen FROM candidates")[0]
    assert tuple(row) == ("r", "s", "Why?", -1.0, "echo,too-long", 0)


def test_the_ledger_by_day(db):
    """What X bills since a time, by day and kind, each summed up."""
    for at, kind, units in ((NOW, "post", 1), (NOW + HOUR, "post", 2), (NOW, "read", 4)):
        db.journal.spend(at, kind, units, units / 2)
    db.journal.spend(NOW + 24 * HOUR, "read", 8, 4.0)
    db.journal.spend(NOW - SECOND, "read", 16, 8.0)
    assert db.journal.spending_by_day(NOW) == [
        ("2026-11-22", "post", 3, 1.5),
        ("2026-11-22", "read", 4, 2.0),
        ("2026-11-23", "read", 8, 4.0),
    ]


@pytest.mark.parametrize("table", ["candidates", "runs", "attempts"])
@pytest.mark.parametrize(("at", "gone"), [(NOW - SECOND, 1), (NOW, 0)])
def test_what_is_pruned(db, table, at, gone):
    """Rows from before the time of their table go, and no others."""
    put_attempt(db, put(db, "failed"), "refused", at)
    put_run(db, "r", at=at)
    db.journal.add_candidates("r", [Candidate("s", "Why?", 0.0, Verdict())], at)
    times = {name: NOW if name == table else NOW - 9 * HOUR for name in ("candidates", "runs", "attempts")}
    assert db.journal.prune(**times) == {"candidates": 0, "runs": 0, "attempts": 0, table: gone}
    left = {name: len(everything(db, name)) for name in times}
    assert left == {"candidates": 1, "runs": 1, "attempts": 1, table: 1 - gone}


@pytest.mark.parametrize(
    ("status", "gone"),
    [
        *((status, 1) for status in ("posted", "failed", "expired", "rejected")),
        *((status, 0) for status in ("pending", "sending", "unknown", "unconfirmed", "approved", "draft")),
    ],
)
def test_the_attempts_of_an_open_post_stay(db, status, gone):
    """They forbid to send its text again, however old they are."""
    put(db, "draft" if gone else "failed", "First.")
    put_attempt(db, put(db, status, tweet_id=5 if status == "posted" else None), "refused", NOW - HOUR)
    assert db.journal.prune(candidates=NOW, runs=NOW, attempts=NOW)["attempts"] == gone
