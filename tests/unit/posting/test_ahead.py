"""Texts are written ahead once half of them are gone, in the time that the run has left."""

import pytest

from src.domain.posts import Status
from src.domain.texts import Candidate, Composition, Draft, Verdict
from src.posting import apart
from src.posting.ahead import write_ahead
from tests.support.logs import caught
from tests.support.scripted import scripted_run
from tests.support.stored import NOW, draft, put


class Writer:
    """A writer of many that gives these compositions, and remembers how many were wanted in which time."""

    def __init__(self, *compositions):
        self.compositions, self.asked = compositions, []

    def __call__(self, settings, history, now, count, seconds):
        self.asked.append((count, seconds))
        return list(self.compositions)


def filling(*compositions, wanted=4, waiting=0, **env):
    """Return a run that keeps so many texts in the queue, in which some wait already."""
    settings = {"QUEUE_AHEAD": str(wanted), "DEADLINE_SECONDS": "480", **env}
    run = scripted_run(settings, write_many=Writer(*compositions))
    for number in range(waiting):
        run.db.queue.add_written(draft(100 + number), NOW, approved=True)
    return run


@pytest.mark.parametrize(
    ("wanted", "waiting", "asked"),
    [(4, 0, 4), (4, 1, 3), (4, 2, 2), (4, 3, 0), (5, 2, 3), (5, 3, 0), (1, 0, 1), (1, 1, 0), (0, 0, 0)],
)
def test_how_many_are_written(wanted, waiting, asked):
    """With half of QUEUE_AHEAD left, or less, it is filled; without the setting nothing is written."""
    run = filling(wanted=wanted, waiting=waiting)
    write_ahead(run)
    assert run.write_many.asked == ([(asked, 465.0)] if asked else [])


@pytest.mark.parametrize(("approval", "drafts", "asked"), [("true", 3, 0), ("true", 2, 2), ("false", 3, 4)])
def test_drafts_count_where_approval_is_asked(approval, drafts, asked):
    """Texts that wait for a person fill the queue too, where a person approves them."""
    run = filling(REQUIRE_APPROVAL=approval)
    for number in range(drafts):
        run.db.add_draft(draft(number), NOW)
    write_ahead(run)
    assert sum(count for count, _ in run.write_many.asked) == asked


@pytest.mark.parametrize(("left", "asked"), [(44.5, []), (45.0, [(4, 30.0)]), (50.0, [(4, 35.0)])])
def test_the_time_that_is_needed(left, asked):
    """Fifteen seconds are kept for the end of the run; with less than thirty more nothing is begun."""
    run = filling()
    run.clock.sleep(480 - left)
    write_ahead(run)
    assert run.write_many.asked == asked


def test_nothing_is_written_in_a_pause():
    """While posting is paused no text is missed."""
    run = filling()
    run.db.notes.pause(NOW, None)
    paused = scripted_run({"QUEUE_AHEAD": "4"}, write_many=run.write_many)
    paused.timetable = run.db.notes.timetable(run.settings.schedule, NOW)
    write_ahead(paused)
    assert run.write_many.asked == []


def test_a_run_that_cannot_write():
    """A run without a writer of many leaves the queue as it is."""
    run = scripted_run({"QUEUE_AHEAD": "4"})
    write_ahead(run)
    assert run.db.with_status(Status.APPROVED) == []


@pytest.mark.parametrize(("approval", "status"), [("false", Status.APPROVED), ("true", Status.DRAFT)])
def test_what_becomes_of_the_texts(approval, status):
    """Each waits in the queue, as a draft where a person approves; candidates are kept, also without a text."""
    judged = Candidate("s-1", "An opening.", -1.5, Verdict(("too-long",)))
    run = filling(
        Composition(draft(1), (judged,)), Composition(None, (judged,)), Composition(draft(2)),
        waiting=0, REQUIRE_APPROVAL=approval,
    )  # fmt: skip
    with caught() as records:
        write_ahead(run)
    assert [post.source_id for post in run.db.with_status(status)] == ["s-1", "s-2"]
    assert len(run.db.connection.rows("SELECT 1 FROM candidates")) == 2
    (line,) = [record for record in records if record.msg == "queue.filled"]
    assert (line.texts, line.waiting) == (2, 2)


def test_the_log_counts_what_waited_too():
    """The number of waiting texts is that of before and that of now."""
    run = filling(Composition(draft(1)), waiting=1)
    with caught() as records:
        write_ahead(run)
    (line,) = [record for record in records if record.msg == "queue.filled"]
    assert (line.texts, line.waiting) == (1, 2)


def test_other_profiles(tmp_path):
    """A statement that another profile took is left out; those of this account's past are entered."""
    (tmp_path / "profiles").mkdir()
    run = filling(Composition(draft(1)), Composition(draft(2)), DATA_DIR=str(tmp_path))
    anna = run.settings.model_copy(update={"data_dir": tmp_path / "profiles/anna", "profile": "anna"})
    apart.reserve(anna, "s-1", NOW)
    put(run.db, Status.POSTED, "Of old.", tweet_id=7, sent_at=NOW, source_id="s-9")
    write_ahead(run)
    assert [post.source_id for post in run.db.with_status(Status.APPROVED)] == ["s-2"]
    assert set(apart.taken(anna, NOW)) == {"s-2", "s-9"}


def test_a_text_without_a_statement():
    """A text that is no statement's belongs to nobody else: it waits like the others."""
    run = filling(Composition(Draft("An own thought of the model.", "model")))
    write_ahead(run)
    assert len(run.db.with_status(Status.APPROVED)) == 1
