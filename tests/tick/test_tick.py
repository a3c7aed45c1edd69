"""One run, turn by turn: the ways it can end that the fault matrix does not name."""

import json
import sqlite3
import sys

import pytest

from src import twitter_manager
from src.db_manager import Database
from src.domain.runs import Exit
from tests import fake_x
from tests.support.world import new_world


@pytest.fixture
def world(tmp_path):
    """An account with a past."""
    with new_world(tmp_path) as made:
        made.warm()
        yield made


def test_no_text(world):
    """Without a text that may go out the run says why and ends with 69; the slot stays free."""
    world.texts.queue.append(None)
    result = world.tick()
    assert (result.exit_code, result.outcome, result.message) == (Exit.NO_CONTENT, "no-content", "told")
    world.move(minutes=1)
    assert world.tick().outcome == "posted"


def test_a_text_that_was_sent_before(world):
    """A text that the database refuses is not the end: another is written in the same run, and no slot stays empty."""
    world.texts.queue += ["The very same text.", "The very same text.", "Quite another one."]
    assert world.tick().outcome == "posted"
    world.next_slot()
    asked = world.texts.asked
    assert (world.tick().outcome, world.texts.asked - asked) == ("posted", 2)
    assert [r["content"] for r in world.ours()[-2:]] == ["The very same text.", "Quite another one."]
    world.check_promise()


def test_only_texts_that_were_sent_before(world):
    """A composer that knows nothing else is asked ten times, and the run says that there is no text."""
    world.texts.queue += ["The very same text."] * 19
    world.tick()
    world.next_slot()
    asked = world.texts.asked
    result = world.tick()
    assert (result.exit_code, result.outcome, world.texts.asked - asked) == (
        Exit.NO_CONTENT,
        "no-content",
        10,
    )


def test_waiting_for_approval(world):
    """Where a person must approve, nothing is written and nothing goes out without; to wait is no failure."""
    world.extra["REQUIRE_APPROVAL"] = "true"
    result = world.tick()
    assert (result.exit_code, result.outcome, world.texts.asked) == (Exit.OK, "waiting-for-approval", 0)


def test_refused_text(world):
    """A refused text costs its slot (75): nothing else goes out in it, and the next slot gets another text."""
    world.x.on_post(fake_x.bad_text())
    result = world.tick()
    assert (result.exit_code, result.outcome, world.x.posts_seen()) == (Exit.TEMPORARY, "refused", 2)
    world.move(minutes=20)
    assert (world.tick().outcome, world.x.posts_seen()) == ("nothing-due:slot-used", 2)
    for status in ("unknown", "failed"):
        world.next_slot()
        assert world.tick().outcome == "posted"
        assert world.ours()[1]["status"] == status
    world.check_promise()


def test_long_slot_after_a_refused_text(world):
    """A slot that lasts is tried again, with another text, once two reads, 45 minutes later, prove no tweet."""
    world.extra["POST_INTERVAL_MINUTES"] = "1440"
    world.move(hours=24)
    world.x.on_post(fake_x.bad_text())
    assert world.tick().outcome == "refused"
    for _ in range(3):
        world.move(minutes=15.5)
        assert world.tick().outcome == "nothing-due:slot-used"
    world.move(minutes=1)
    assert world.tick().outcome == "posted"
    assert [r["status"] for r in world.ours()[-2:]] == ["failed", "posted"]
    assert [r["slot"] for r in world.ours()[-2:]] == [None, "2026-11-23T00:00Z"]


def test_texts_refused_in_a_row(world):
    """One refusal is about the text. A second one of another text counts for the breaker, and says so."""
    world.x.always_post = fake_x.invalid_request()
    results = []
    for _ in range(5):
        results.append(world.tick())
        world.next_slot()
    assert [int(r.exit_code) for r in results] == [75, 77, 77, 77, 77]
    assert "X refused 2 different texts in a row" in results[1].message
    assert world.x.posts_seen() - 1 == 4  # the third hold opens the breaker
    world.x.always_post = None
    world.move(hours=6)
    assert world.tick().outcome == "posted"
    world.check_promise()


def test_refused_but_made(world):
    """A text that X refused and made all the same is found, keeps its slot, and is in the ledger."""
    world.x.on_post(fake_x.refuse(400, True, title="Invalid Request"))
    assert world.tick().outcome == "refused"
    world.move(minutes=1)
    assert world.tick().outcome == "nothing-due:slot-used"
    (made,) = world.ours()[-1:]
    assert (made["status"], made["resolved_by"], made["slot"]) == ("posted", "timeline", "2026-11-22T17:00Z")
    spent = world.rows("SELECT count(*), total(usd) FROM spending WHERE kind = 'post'")[0]
    assert tuple(spent) == (2, 0.03)
    world.check_promise()


def test_refused_and_the_timeline_is_gone(world):
    """While nobody can see whether a refused text was made, its slot is held, and only that."""
    world.x.on_post(fake_x.bad_text())
    world.x.always_get = fake_x.not_found()
    assert world.tick().exit_code == Exit.TEMPORARY
    for hours in range(1, 60):
        world.next_slot()
        assert world.tick().outcome == "posted", hours
    assert world.ours()[1]["status"] == "unknown"  # no word of X's says that a person has to look
    world.x.always_get = None
    for _ in range(2):
        world.next_slot()
        assert world.tick().outcome == "posted"
    assert world.ours()[1]["status"] == "failed"


@pytest.mark.parametrize("made", [True, False])
def test_blocked_and_tried_again(world, made):
    """A text that X turned away goes out again, first in line, only when it is proven absent."""
    world.x.on_post(fake_x.refuse(401, made, title="Unauthorized"))
    assert world.tick().exit_code == Exit.BLOCKED
    (blocked,) = world.ours()[-1:]
    world.move(minutes=46)
    assert world.tick().exit_code == (Exit.OK if made else Exit.BLOCKED)
    assert world.x.posts_seen() == 2
    world.move(minutes=20)
    assert world.tick().outcome == "posted"
    texts = world.x.texts()
    assert texts.count(blocked["content"]) == 1
    assert (texts[-1] == blocked["content"]) is not made
    world.check_promise()


@pytest.mark.parametrize(
    "view",
    [fake_x.server_error(503, accept=False), fake_x.unauthorized(), fake_x.rate_limited(None)],
)
def test_blocked_and_the_timeline_is_gone(world, view):
    """While the timeline cannot be asked, the text is not sent again, and the run says that X refuses."""
    world.x.on_post(fake_x.unauthorized())
    world.tick()
    world.x.always_get = view
    world.move(minutes=1)
    assert world.tick().exit_code == Exit.BLOCKED
    assert world.x.posts_seen() == 2


def test_blocked_for_days(world):
    """Texts of an account that is locked for days are not given up: they go first when it is free again."""
    world.x.always_post = fake_x.unauthorized()
    world.x.always_get = fake_x.unauthorized()
    for _ in range(100):
        world.tick()
        world.next_slot()
    waiting = [r["content"] for r in world.ours() if r["status"] == "unknown"]
    assert len(waiting) == len(world.ours()) - 1 > 3
    world.x.always_post = world.x.always_get = None
    for _ in range(len(waiting) + 10):
        world.tick()
        world.next_slot()
    assert set(waiting) <= set(world.x.texts())
    assert world.statuses().count("posted") == len(world.statuses())
    world.check_promise()


def test_the_slot_is_taken_while_the_model_writes(world):
    """Another process that took the slot meanwhile (a shared folder without locks) is no error."""
    real = world.texts

    def slow(settings, history, now, seconds):
        with sqlite3.connect(world.database) as other:
            other.create_function("fingerprint", 1, str)
            other.execute(
                "INSERT INTO posts(content, status, slot, origin) VALUES ('x', 'pending', ?, 'person')",
                (f"{now:%Y-%m-%dT%H}:00Z",),
            )
            other.execute("UPDATE posts SET status = 'sending' WHERE content = 'x'")
        return real(settings, history, now, seconds)

    world.texts = slow
    result = world.tick()
    assert (result.exit_code, result.outcome) == (Exit.OK, "nothing-due:slot-used")


def test_the_post_is_taken_before_the_send(world, monkeypatch):
    """A post that another process began to send is left to it."""
    monkeypatch.setattr(Database, "begin_send", lambda *_: None)
    assert world.tick().exit_code == Exit.UNKNOWN
    assert world.x.posts_seen() == 1


def test_no_time_left_to_look(world):
    """The looks at the timeline after a lost answer stop at the deadline of the run."""
    world.extra["DEADLINE_SECONDS"] = "30"
    world.x.on_post(fake_x.close(accept=False))
    reads = world.x.reads_seen()
    assert world.tick().exit_code == Exit.UNKNOWN
    assert world.x.reads_seen() == reads + 2


def test_main_in_a_terminal(world, monkeypatch, capsys):
    """In a terminal a successful run says what it did; an interrupt ends with 130; a bug is told in one line."""
    for name, value in {**world.env, "CANDIDATES": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert twitter_manager.main([]) == 0
    assert capsys.readouterr().out.startswith("posted ")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(twitter_manager, "carry_out", stop)
    assert twitter_manager.main([]) == 130

    def broken(*_):
        raise ZeroDivisionError(world.x.credentials.api_key)

    monkeypatch.setattr(twitter_manager, "carry_out", broken)
    assert twitter_manager.main([]) == 70
    said = capsys.readouterr().err
    assert "a bug: ZeroDivisionError: ***" in said
    assert world.x.credentials.api_key not in said


def test_a_window_of_nothing(world):
    """A rate-limit window whose limit is 0 has no share that is left, and the run goes on."""
    world.x.limits = {"x-rate-limit-limit": "0", "x-rate-limit-remaining": "0"}
    assert world.tick().outcome == "posted"
    metrics = json.loads(world.rows("SELECT metrics FROM runs ORDER BY id DESC LIMIT 1")[0]["metrics"])
    assert metrics["x-rate-limit-remaining"] == 0
    assert "x-rate-limit-left-share" not in metrics
