"""An own text now: when it may go out, and what becomes of it where it may not."""

from datetime import timedelta

import pytest

from src.domain.answers import Outcome, SendResult
from src.domain.errors import UsageError
from src.domain.fixes import NO_FIX, Fix
from src.domain.posts import Status
from src.domain.runs import Exit, Hold, RunOutcome
from src.posting.own_text import NotNowError, require_due, send_now
from tests.support.scripted import Scripted, scripted_run, tweet_at
from tests.support.stored import NOW, SLOT, put

TEXT = "We are live now."
BESIDE = "`post --extra TEXT` sends it now beside the slots; `queue add TEXT` puts it in line"
HOUR = timedelta(hours=1)


def used(run):
    put(run.db, Status.POSTED, "Of this hour.", slot=SLOT, tweet_id=7, sent_at=NOW - timedelta(minutes=1))


def paused(run):
    run.db.notes.pause(NOW, None)
    run.timetable = run.db.notes.timetable(run.settings.schedule, NOW)


def held(fix=NO_FIX, kind="wait"):
    def hold(run):
        run.db.notes.put_hold(Hold(kind, "a-limit", NOW + HOUR, fix, 1, NOW))

    return hold


@pytest.mark.parametrize(
    ("state", "env", "extra", "outcome", "code", "fix"),
    [
        (used, {}, False, RunOutcome.SLOT_USED, Exit.TEMPORARY, BESIDE),
        (used, {}, True, None, None, None),
        (paused, {}, False, RunOutcome.PAUSED, Exit.TEMPORARY, BESIDE),
        (paused, {}, True, None, None, None),
        (None, {"QUIET_HOURS": "14:00-15:00"}, False, RunOutcome.QUIET_HOURS, Exit.TEMPORARY, BESIDE),
        (None, {"QUIET_HOURS": "14:00-15:00"}, True, None, None, None),
        (held(), {}, False, RunOutcome.ON_HOLD, Exit.TEMPORARY, "type the same again later"),
        (held(), {}, True, RunOutcome.ON_HOLD, Exit.TEMPORARY, "type the same again later"),
        (held(Fix("pay"), "blocked"), {}, True, RunOutcome.ON_HOLD, Exit.BLOCKED, "pay"),
        (None, {}, False, None, None, None),
        (None, {}, True, None, None, None),
    ],
)
def test_when_an_own_text_may_go_out(state, env, extra, outcome, code, fix):
    """Beside the slots a used slot, a pause and quiet hours do not count; the fix names what helps."""
    run = scripted_run(env)
    if state:
        state(run)
    if outcome is None:
        require_due(run, TEXT, extra=extra)
        return
    with pytest.raises(NotNowError, match="^not now: ") as raised:
        require_due(run, TEXT, extra=extra)
    assert (raised.value.exit_code, raised.value.fix.render()) == (code, fix)


def sending(*answers):
    return scripted_run(account=Scripted(answers))


@pytest.mark.parametrize(("extra", "slot"), [(False, SLOT), (True, "2026-11-22T14:07:00Z")])
def test_it_is_sent_once(extra, slot):
    """It takes the open slot, or one of its own beside the slots."""
    run = sending(SendResult(Outcome.POSTED, tweet_id=tweet_at(NOW).id, http_status=201))
    result = send_now(run, TEXT, extra=extra)
    assert (result.exit_code, result.outcome) == (Exit.OK, RunOutcome.POSTED)
    assert run.account.sent == [TEXT]
    assert run.db.post(result.post_id).slot == slot


def test_a_login_that_cannot_be_renewed():
    """Nothing is kept and nothing sent; the result says why."""
    run = sending()
    run.account.ready = lambda: SendResult(Outcome.BLOCKED, reason="revoked", fix=Fix("log in"))
    result = send_now(run, TEXT, extra=False)
    assert (result.exit_code, result.fix) == (Exit.BLOCKED, Fix("log in"))
    assert run.db.connection.value("SELECT count(*) FROM posts") == 0


def test_the_slot_was_taken_in_this_moment():
    """The text is not left in the queue, where it would go out unasked; the owner is told."""
    run = sending()
    put(run.db, Status.PENDING, "Theirs.", slot=SLOT)
    with pytest.raises(UsageError, match="^the slot or the text was taken in this moment$"):
        send_now(run, TEXT, extra=False)
    assert [post.content for post in run.db.with_status(Status.REJECTED)] == [TEXT]
    assert run.account.sent == []


def test_a_text_that_never_left():
    """It waits, and the result says so."""
    run = sending(*[SendResult(Outcome.NOT_SENT, reason="no network", fix=Fix("plug it in"))] * 3)
    result = send_now(run, TEXT, extra=True)
    assert (result.exit_code, result.outcome, result.fix) == (
        Exit.TEMPORARY, RunOutcome.NOT_SENT, Fix("plug it in")
    )  # fmt: skip
    assert result.message == (
        "X could not be reached (no network);"
        " the text waits in the queue and goes out with the next run that can send it"
    )
    assert run.db.post(result.post_id).status is Status.PENDING
