"""How a run ends: what each answer of X leads to, and the hold that it leaves."""

from datetime import timedelta

import pytest

from src.domain.answers import Outcome, SendResult
from src.domain.fixes import Fix
from src.domain.notes import Note, NoteCode
from src.domain.runs import Exit, Hold, RunOutcome
from src.posting import ending
from src.posting.breaker import keys_mark
from tests.support.logs import caught
from tests.support.scripted import KEYS, scripted_run
from tests.support.stored import NOW, SLOT, put, sent

UNTIL = NOW + timedelta(minutes=30)
DO = Fix("do that")


def concluded(result, *, refused=0):
    """Let X answer a post with this; return the run and its result. So many texts were refused before it."""
    run = scripted_run()
    run.db.journal.texts_refused_in_a_row = lambda: refused
    post, attempt = sent(run.db)
    post = run.db.settle(post, attempt, result, NOW)
    return run, ending.conclude(run, post, result)


def test_posted():
    """A posted tweet clears the hold, and the result names it."""
    run = scripted_run()
    run.db.notes.put_hold(Hold("blocked", "r", None, DO, 2, NOW))
    post, attempt = sent(run.db)
    result = SendResult(Outcome.POSTED, tweet_id=77)
    ended = ending.conclude(run, run.db.settle(post, attempt, result, NOW), result)
    assert (ended.exit_code, ended.outcome, ended.tweet_id) == (Exit.OK, RunOutcome.POSTED, 77)
    assert run.db.notes.current_hold() is None


@pytest.mark.parametrize(("until", "words"), [(UNTIL, "14:37"), (None, "later")])
def test_a_limit_holds_the_next_posts(until, words):
    """The hold ends when the limit does, and the result names that time."""
    run, ended = concluded(SendResult(Outcome.LATER, reason="rate", fix=DO, until=until))
    assert (ended.exit_code, ended.outcome, ended.fix) == (Exit.TEMPORARY, RunOutcome.LATER, DO)
    assert words in ended.message
    assert run.db.notes.current_hold() == Hold("wait", "rate", until, DO, 1, NOW)


def test_a_refused_account_holds_the_next_posts():
    """The hold counts, and it is of these keys."""
    run, ended = concluded(SendResult(Outcome.BLOCKED, reason="suspended", detail="the account", fix=DO))
    assert (ended.exit_code, ended.outcome, ended.fix) == (Exit.BLOCKED, RunOutcome.BLOCKED, DO)
    assert ended.message == "X refused (the account is suspended: the account), 1 in a row"
    assert run.db.notes.current_hold().kind == "blocked"
    assert run.db.notes.get("hold_keys") == keys_mark(run.settings)


@pytest.mark.parametrize(
    ("outcome", "refused", "code", "ends"),
    [
        (Outcome.REFUSED, 1, Exit.TEMPORARY, RunOutcome.REFUSED),
        (Outcome.REFUSED, 2, Exit.BLOCKED, RunOutcome.BLOCKED),
        (Outcome.DUPLICATE, 2, Exit.TEMPORARY, RunOutcome.REFUSED),
    ],
)
def test_refused_texts(outcome, refused, code, ends):
    """One refusal is about the text, of several different texts it is the account; a duplicate is no such sign."""
    run, ended = concluded(SendResult(outcome, reason="words"), refused=refused)
    assert (ended.exit_code, ended.outcome) == (code, ends)
    assert (run.db.notes.current_hold() is not None) is (code is Exit.BLOCKED)


@pytest.mark.parametrize(
    ("fix", "words"), [(DO, "do that"), (Fix(), "nothing to do: the next runs look for it on the timeline")]
)
def test_an_unknown_outcome(fix, words):
    """The fix is that of the answer; without one there is nothing to do."""
    _, ended = concluded(SendResult(Outcome.UNKNOWN, reason="timeout", fix=fix))
    assert (ended.exit_code, ended.outcome, ended.fix.render()) == (Exit.UNKNOWN, RunOutcome.UNKNOWN, words)


@pytest.mark.parametrize(
    ("outcome", "fix", "code", "words", "held"),
    [
        (Outcome.BLOCKED, DO, Exit.BLOCKED, "do that", "blocked"),
        (Outcome.LATER, Fix(), Exit.TEMPORARY, "nothing to do: the next run tries again", "wait"),
        (Outcome.NOT_SENT, Fix(), Exit.TEMPORARY, "nothing to do: the next run tries again", None),
        (Outcome.UNKNOWN, DO, Exit.TEMPORARY, "do that", None),
    ],
)
def test_a_login_that_was_not_renewed(outcome, fix, code, words, held):
    """Nothing was sent; whether a hold follows depends on the answer."""
    run = scripted_run()
    ended = ending.cannot_sign(run, SendResult(outcome, reason="r", fix=fix, until=UNTIL))
    assert (ended.exit_code, ended.fix.render()) == (code, words)
    hold = run.db.notes.current_hold()
    assert (hold and hold.kind) == held


@pytest.mark.parametrize(
    ("mark", "kind", "ends"),
    [
        ("another", "blocked", True),
        ("another", "wait", False),
        ("same", "blocked", False),
        (None, "blocked", False),
    ],
)
def test_refusals_of_other_keys(mark, kind, ends):
    """A hold after refusals ends when the keys are others since; a hold whose keys nobody knows stays."""
    run = scripted_run(KEYS)
    run.db.notes.put_hold(Hold(kind, "r", UNTIL, DO, 1, NOW))
    run.db.notes.put(hold_keys=keys_mark(run.settings) if mark == "same" else mark)
    with caught() as records:
        ending.forget_refusals_of_other_keys(run)
    assert (run.db.notes.current_hold() is None) is ends
    assert [r.reason for r in records if r.msg == "hold.ended"] == ["the keys were changed"] * ends


@pytest.mark.parametrize("told", [(), ("first", "second")])
def test_no_content(told):
    """The result has the notes of the composer; without any it says that no text passed."""
    run = scripted_run()
    run.notes = [Note(NoteCode.NO_TEXT_LEFT, words) for words in told]
    ended = ending.no_content(run)
    assert (ended.exit_code, ended.outcome) == (Exit.NO_CONTENT, RunOutcome.NO_CONTENT)
    assert ended.message == ("; ".join(told) or "no text passed the gates")
    assert ended.notes == tuple(run.notes)


@pytest.mark.parametrize("preview", [False, True])
def test_the_slot_was_taken_meanwhile(preview):
    """A run whose slot another process took has nothing to do; a dry run takes whatever slot it likes."""
    run = scripted_run(preview=preview)
    put(run.db, "unknown", slot=SLOT, sent_at=NOW)
    expected = RunOutcome.NO_CONTENT if preview else RunOutcome.SLOT_USED
    assert ending.no_content(run).outcome is expected


def test_nothing_is_approved():
    """With REQUIRE_APPROVAL the drafts are counted."""
    run = scripted_run({"REQUIRE_APPROVAL": "true"})
    put(run.db, "draft")
    ended = ending.no_content(run)
    assert (ended.exit_code, ended.message) == (Exit.OK, "no draft is approved, 1 waits for you")
