"""The text for a slot: which one is taken, which is put back, and what a new one is given."""

from dataclasses import replace
from datetime import timedelta

import pytest

from src.domain.notes import Note, NoteCode
from src.domain.posts import Status
from src.domain.texts import Candidate, Composition, Draft, Verdict
from src.posting import apart
from src.posting.next_text import first_free_slot, next_post
from tests.support.logs import caught
from tests.support.scripted import scripted_run
from tests.support.stored import NEXT, NOW, SLOT, draft, insert, put

HOUR = timedelta(hours=1)
WORDS = "Git keeps every version of a file that was committed once."
OTHER = "A shell expands a star before the program sees it."


class Composer:
    """A composer that gives these compositions in order, and remembers what it was given."""

    def __init__(self, *compositions):
        self.left, self.given = list(compositions), []

    def __call__(self, settings, history, now, seconds):
        self.given.append((history, now, seconds))
        return self.left.pop(0)


def composing(*compositions, env=None, **parts):
    """Return a run with this composer."""
    return scripted_run(env, compose=Composer(*compositions), **parts)


@pytest.fixture
def beside(tmp_path):
    """Make the settings of a run on a machine that has a profile beside this account."""
    (tmp_path / "profiles").mkdir()
    return {"DATA_DIR": str(tmp_path)}


def of_a_profile(run, name="anna"):
    """Return the settings of a profile beside this account."""
    home = run.settings.data_dir / "profiles" / name
    return run.settings.model_copy(update={"data_dir": home, "profile": name})


# ---- which text ------------------------------------------------------------------------------------------------


def test_what_is_claimed_for_the_slot_goes_first():
    """A text that is frozen for this slot goes out before what waits and before a new one."""
    run = composing()
    run.db.queue.add_own(OTHER, NOW)
    pending = run.db.claim(draft(), SLOT, NOW)
    assert next_post(run) == pending
    assert run.compose.given == []


def test_what_waits_goes_before_a_new_text():
    """The next text of the queue is claimed for the slot; without one a new text is composed."""
    run = composing(Composition(draft(7)))
    first, second = (run.db.queue.add_own(words, NOW) for words in (WORDS, OTHER))
    claimed = next_post(run)
    assert (claimed.id, claimed.status, claimed.slot) == (first.id, Status.PENDING, SLOT)
    run.slot = NEXT
    assert next_post(run).id == second.id
    run.slot = "2026-11-22T16:00Z"
    assert next_post(run).content == draft(7).content


@pytest.mark.parametrize("preview", [False, True])
def test_with_approval_only_a_dry_run_writes(preview):
    """With REQUIRE_APPROVAL a run composes no text; a dry run shows what would be written."""
    run = composing(Composition(draft()), env={"REQUIRE_APPROVAL": "true"}, preview=preview)
    post = next_post(run)
    assert (post is not None, len(run.compose.given)) == (preview, preview)


@pytest.mark.parametrize("preview", [False, True])
def test_approval_that_is_asked_for_since(preview):
    """What was written ahead waits for a person then; a dry run shows it as it will be and changes nothing."""
    run = composing(Composition(None), env={"REQUIRE_APPROVAL": "true"}, preview=preview)
    post = run.db.queue.add_written(Draft(WORDS, "wording"), NOW, approved=True)
    assert next_post(run) is None
    assert run.db.post(post.id).status is (Status.REJECTED if preview else Status.DRAFT)


def test_a_refused_text_that_nobody_approved():
    """A text of an account that X refused has no person's approval: with REQUIRE_APPROVAL it is asked for."""
    run = composing(env={"REQUIRE_APPROVAL": "true"})
    number = put(run.db, Status.APPROVED, WORDS, attempts=1)
    assert next_post(run) is None
    assert run.db.post(number).error_message == "nobody has approved it"
    run.db.approve(run.db.post(number), NOW)
    assert next_post(run).id == number


def test_the_window_of_repeats_is_kept():
    """The database knows the window and the length of a slot before a text is claimed: its triggers read them."""
    run = composing(Composition(None), env={"REPEAT_AFTER_DAYS": "30"})
    assert next_post(run) is None
    assert (run.db.notes.get("repeat_after_days"), run.db.notes.get("slot_minutes")) == ("30", "60")


# ---- the slot of a dry run -------------------------------------------------------------------------------------


def test_a_dry_run_takes_the_first_slot_that_no_post_holds():
    """From the open one on, also while the schedule is paused; a run takes its own."""
    run = composing(Composition(draft(7)), preview=True)
    put(run.db, Status.UNKNOWN, slot=SLOT)
    put(run.db, Status.UNKNOWN, "Other.", slot=NEXT)
    run.db.notes.pause(NOW, None)
    assert first_free_slot(run) == "2026-11-22T16:00Z"
    assert next_post(run).slot == "2026-11-22T16:00Z"
    plain = composing(Composition(draft(7)))
    plain.slot = NEXT
    assert next_post(plain).slot == NEXT
    assert first_free_slot(composing()) == SLOT


# ---- what may not go out ---------------------------------------------------------------------------------------


def test_a_text_that_the_gates_refuse_now(tmp_path):
    """A person decides on it again, with the reason; the next text goes out, and the owner is told."""
    blocked = tmp_path / "words.txt"
    blocked.write_text("committed\n")
    run = composing(env={"BLOCKLIST_FILE": str(blocked)})
    refused, good = (run.db.queue.add_own(words, NOW) for words in (WORDS, OTHER))
    with caught() as records:
        assert next_post(run).id == good.id
    back = run.db.post(refused.id)
    assert (back.status, back.approved_at) == (Status.DRAFT, None)
    assert back.error_message.startswith("it is refused now: ")
    (note,) = run.notes
    assert note.code is NoteCode.DRAFT_RETURNED
    assert note.message == f"draft {refused.id} waits again: {back.error_message}"
    assert f"queue reject {refused.id}" in note.fix.render()
    assert ("draft.returned", refused.id) in {(r.msg, getattr(r, "post_id", 0)) for r in records}


def test_a_text_written_ahead_that_is_refused_now():
    """Nobody is asked about what the program wrote: it is rejected, and nobody is told."""
    run = composing(Composition(None))
    post = run.db.queue.add_written(Draft(WORDS, "wording", "s-1"), NOW, approved=True)
    run.db.notes.hide(["s-1"])
    assert next_post(run) is None
    assert (run.db.post(post.id).status, run.notes) == (Status.REJECTED, [])


def test_the_text_of_a_retired_statement():
    """A draft of a statement that the owner retired waits for a person."""
    run = composing(Composition(None))
    post = run.db.add_draft(Draft(WORDS, "wording", "s-1"), NOW)
    run.db.approve(post, NOW)
    run.db.notes.hide(["s-1"])
    assert next_post(run) is None
    assert run.db.post(post.id).error_message == "its statement s-1 was retired"


NEAR = "Git keeps every version of a file that was committed twice."


@pytest.mark.parametrize(
    ("columns", "goes"),
    [
        ({"approved_at": NOW}, False),
        ({"queued_at": NOW}, False),
        ({"approved_at": NOW, "queued_at": NOW}, False),
        ({"approved_at": NOW, "queued_at": NOW, "origin": "feed"}, True),
        ({"attempts": 1}, True),
    ],
)
def test_a_text_like_one_on_x_since(columns, goes):
    """A text that waited is compared with what went out since; an item of a feed and a refused text are not.

    "1.4.3 is out" is near "1.4.2 is out", and a text that X refused was compared in its own run.
    """
    run = composing(Composition(None))
    put(run.db, Status.POSTED, NEAR, tweet_id=7, sent_at=NOW - HOUR, created_at=NOW - HOUR)
    number = put(run.db, Status.APPROVED, WORDS, created_at=NOW - HOUR, **columns)
    claimed = next_post(run)
    assert (claimed.id if claimed else None) == (number if goes else None)


@pytest.mark.parametrize(("preview", "goes"), [(False, False), (True, True)])
def test_a_statement_of_another_profile(beside, preview, goes):
    """What another profile posted goes back to a person. A dry run takes nothing from another profile."""
    run = composing(Composition(None), env=beside, preview=preview)
    post = run.db.add_draft(Draft(WORDS, "wording", "s-1"), NOW)
    run.db.approve(post, NOW)
    apart.reserve(of_a_profile(run), "s-1", NOW)
    assert (next_post(run) is not None) is goes
    if not goes:
        assert run.db.post(post.id).error_message == "another profile posted its statement s-1"


@pytest.mark.parametrize(("preview", "reserved"), [(False, {"s-1"}), (True, set())])
def test_a_waiting_text_takes_its_statement(beside, preview, reserved):
    """From now on the statement is this account's; an own text has none. A dry run takes nothing."""
    run = composing(env=beside, preview=preview)
    post = run.db.add_draft(Draft(WORDS, "wording", "s-1"), NOW)
    run.db.approve(post, NOW)
    assert next_post(run).id == post.id
    assert set(apart.taken(of_a_profile(run), NOW)) == reserved
    run.slot = NEXT
    own = run.db.queue.add_own(OTHER, NOW)
    assert next_post(run).id == own.id
    assert set(apart.taken(of_a_profile(run), NOW)) == reserved


LINKS = {"LINKS": "own", "PRICE_LINK_POST_USD": "0.2", "DAILY_BUDGET_USD": "0.1"}


def with_links(run):
    """Put two own texts with links into the queue."""
    texts = (
        "Read how a shell expands its words: https://example.org/shell",
        "Why branches are cheap, in ten pages: https://example.org/git",
    )
    return [run.db.queue.add_own(text, NOW) for text in texts]


@pytest.mark.parametrize("then", ["another goes", "none goes"])
def test_texts_that_a_budget_does_not_allow(then):
    """They wait, a text without a link goes before them, and one word about the budget is enough."""
    run = composing(Composition(None), env=LINKS)
    first, second = with_links(run)
    plain = run.db.queue.add_own(OTHER, NOW) if then == "another goes" else None
    claimed = next_post(run)
    assert (claimed and claimed.id) == (plain and plain.id)
    (note,) = run.notes
    assert note.code is NoteCode.LINK_OVER_BUDGET
    assert note.message.startswith(f"post {first.id} waits: ")
    assert {run.db.post(post.id).status for post in (first, second)} == {Status.APPROVED}


# ---- a new text ------------------------------------------------------------------------------------------------


def test_what_a_composer_is_given_and_gives():
    """It gets the time of the run less what the network needs; its notes, measures and candidates are kept."""
    judged = Candidate("s-1", "An opening.", -1.5, Verdict(("too-long",)))
    note = Note(NoteCode.NO_TEXT_LEFT, "told")
    made = Composition(draft(), (judged,), (note,), {"generate_seconds": 2.5})
    run = composing(made, env={"DEADLINE_SECONDS": "480"})
    post = next_post(run)
    ((_, now, seconds),) = run.compose.given
    assert (now, seconds) == (NOW, 350.0)
    assert (post.content, post.status, post.slot) == (draft().content, Status.PENDING, SLOT)
    assert (run.notes, run.metrics["generate_seconds"]) == ([note], 2.5)
    (row,) = run.db.connection.rows("SELECT run_id, opening, reasons FROM candidates")
    assert tuple(row) == ("run", "An opening.", "too-long")


def test_a_composer_always_gets_a_second():
    """A run with little time left composes without the model: one second is none for it."""
    run = composing(Composition(None), env={"DEADLINE_SECONDS": "131"})
    run.clock.sleep(1)
    assert next_post(run) is None
    assert run.compose.given[0][2] == 1.0


def test_no_draft_ends_the_search():
    """A composer without a text is not asked again."""
    run = composing(Composition(None))
    assert next_post(run) is None
    assert len(run.compose.given) == 1


@pytest.mark.parametrize(("preview", "lines"), [(False, {"s-1", "s-9"}), (True, set())])
def test_a_new_text_takes_its_statement(beside, preview, lines):
    """It is this account's from now on, as are those of its past. A dry run takes nothing."""
    run = composing(Composition(draft(1)), env=beside, preview=preview)
    put(run.db, Status.POSTED, OTHER, tweet_id=7, sent_at=NOW - HOUR, source_id="s-9")
    assert next_post(run).source_id == "s-1"
    assert set(apart.taken(of_a_profile(run), NOW)) == lines


@pytest.mark.parametrize(("preview", "taken"), [(False, "s-2"), (True, "s-1")])
def test_a_new_text_of_another_profile_s_statement(beside, preview, taken):
    """Where another profile took the statement in this moment, it is not chosen again; a dry run shows it."""
    run = composing(Composition(draft(1)), Composition(draft(2)), env=beside, preview=preview)
    apart.reserve(of_a_profile(run), "s-1", NOW)
    assert next_post(run).source_id == taken
    if not preview:
        assert [history.hidden for history, *_ in run.compose.given] == [frozenset(), frozenset({"s-1"})]
        assert [post.source_id for post in run.db.with_status(Status.PENDING)] == ["s-2"]


def test_a_text_that_the_database_knows():
    """It is not claimed; the composer is asked for another, with this one in the past."""
    run = composing(Composition(draft(1)), Composition(draft(2)))
    put(run.db, Status.POSTED, draft(1).content, tweet_id=7, sent_at=NOW - 400 * 24 * HOUR)
    run.settings = run.settings.model_copy(update={"repeat_after_days": 0})
    assert next_post(run).source_id == "s-2"
    (_, *_), (second, *_) = run.compose.given
    assert second.last_used["s-1"] == NOW
    assert second.texts[0] == draft(1).content


def test_ten_known_texts_are_enough():
    """After ten texts that the database knows, the run goes without one."""
    run = composing(*[Composition(draft(1))] * 12)
    put(run.db, Status.POSTED, draft(1).content, tweet_id=7, sent_at=NOW - HOUR)
    assert next_post(run) is None
    assert len(run.compose.given) == 10


def test_another_process_took_the_slot():
    """The slot was taken while the text was written: there is none for this run, and no further try."""
    run = composing(Composition(draft(1)), Composition(draft(2)))

    def late(settings, history, now, seconds):
        insert(run.db, "posts", content="Theirs.", status="pending", slot=SLOT, fingerprint="f")
        return composer(settings, history, now, seconds)

    composer, run.compose = run.compose, late
    assert next_post(run) is None
    assert len(composer.given) == 1


def test_the_time_of_composing_is_measured():
    """Everything until the text is claimed counts as composing."""
    run = composing()
    run.db.queue.add_own(replace(draft(), content=OTHER).content, NOW)
    next_post(run)
    run.clock.sleep(2)
    run.phase("")
    assert run.metrics["compose_seconds"] == 2.0
