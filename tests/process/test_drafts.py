"""Review: drafts are written, read, changed, and go out only as the owner says."""

import json
import time
from datetime import UTC, datetime

import pytest

from src.domain.texts import Draft
from src.watch import health
from tests import fake_x
from tests.support.upkeep import open_now
from tests.support.world import World

WORDING = {"CANDIDATES": "0"}


@pytest.fixture
def still(tmp_path):
    """A world in real time with slots of a day."""
    with fake_x.FakeX() as x:
        yield World(tmp_path, x, None, extra={"POST_INTERVAL_MINUTES": "1440", **WORDING})


def generate(still, count=3):
    done = still.cli("drafts", "generate", "-n", str(count), "--json")
    assert done.returncode == 0, done.stderr
    return [d["id"] for d in json.loads(done.stdout)["drafts"]]


def test_approved_drafts_go_first(still):
    """Drafts differ, wait, and an approved one is what the next tick posts."""
    ids = generate(still)
    drafts = json.loads(still.cli("drafts", "list", "--json").stdout)["drafts"]
    assert len({d["content"] for d in drafts}) == 3
    assert still.cli("drafts", "approve", str(ids[1])).returncode == 0
    assert still.cli().returncode == 0
    assert still.x.texts() == [drafts[1]["content"]]
    still.check_promise()


def test_approval_required(still):
    """With REQUIRE_APPROVAL nothing goes out unapproved: that is no failure, and `status` says how many wait."""
    still.extra["REQUIRE_APPROVAL"] = "true"
    (first, *_rest) = generate(still)
    done = still.cli("--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["message"] == "no draft is approved, 3 wait for you"
    shown = still.cli("status")
    assert shown.returncode == 0
    assert "waits for you\n  approval: no text is approved; 3 drafts wait for you" in shown.stdout
    assert still.x.texts() == []
    still.cli("drafts", "approve", str(first))
    assert still.cli().returncode == 0
    assert len(still.x.texts()) == 1


def test_edit_passes_the_same_gates(still):
    """An edited text is refused for what any text is refused for; a good one must be approved again."""
    (first, *_rest) = generate(still)
    still.cli("drafts", "approve", str(first))
    bad = still.cli("drafts", "edit", str(first), "Look at setup.py now.")
    assert (bad.returncode, "link" in bad.stderr) == (2, True)
    good = still.cli("drafts", "edit", str(first), "-", input="My own words about a build.\n")
    assert good.returncode == 0
    shown = json.loads(still.cli("drafts", "show", str(first), "--json").stdout)
    assert (shown["status"], shown["content"], shown["origin"], shown["reasons"]) == (
        "draft",
        "My own words about a build.",
        "person",
        [],
    )
    still.cli("drafts", "approve", str(first))
    still.cli()
    assert still.x.texts() == ["My own words about a build."]


def test_an_edited_text_is_composed_and_bounded(still):
    """A decomposed accent is composed as X composes it; 10 MB on standard input are refused at once, naming the bound."""
    (first,) = generate(still, 1)
    assert still.cli("drafts", "edit", str(first), "My cafe\u0301 of builds.").returncode == 0
    assert (
        json.loads(still.cli("drafts", "show", str(first), "--json").stdout)["content"]
        == "My café of builds."
    )
    assert still.cli("drafts", "edit", str(first), "-", input="A cafe\u0301 again.\n").returncode == 0
    before = time.monotonic()
    long = still.cli("drafts", "edit", str(first), "-", input="word " * 2_000_000)
    assert (long.returncode, "more than 1,000 characters" in long.stderr) == (2, True)
    assert time.monotonic() - before < 30
    assert json.loads(still.cli("drafts", "show", str(first), "--json").stdout)["content"] == "A café again."


def test_a_refusal_quotes_the_word(still):
    """The refusal of an edited text says which part of it is forbidden, and how it was read."""
    (first,) = generate(still, 1)
    bad = still.cli("drafts", "edit", str(first), "What a sh1t show in the build.")
    assert (bad.returncode, "`sh1t` reads as `shit`" in bad.stderr) == (2, True)


def test_a_word_that_never_matches_is_told(still, tmp_path):
    """`check` and `sources check` name file and line of an owner's entry that no text can have."""
    words = tmp_path / "words"
    words.write_text("fine\na\u200bb\n", encoding="utf-8")
    still.extra["BLOCKLIST_FILE"] = str(words)
    listed = still.cli("sources", "check")
    assert (listed.returncode, f"{words}:2: " in listed.stderr) == (78, True)
    assert f"{words}:2: " in still.cli("check").stdout


def test_reject_and_wrong_ids(still):
    """A rejected draft cannot be approved; posts and unknown ids are no drafts."""
    (first, *_rest) = generate(still, 1)
    assert still.cli("drafts", "reject", str(first)).returncode == 0
    assert still.cli("drafts", "approve", str(first)).returncode == 2
    assert still.cli("drafts", "approve", "99").returncode == 2
    still.cli()
    posted = str(still.ours()[-1]["id"])
    assert still.cli("drafts", "edit", posted, "Another text of mine.").returncode == 2


def test_an_approved_text_survives_a_slot_without_x(world):
    """A text a person approved that could not be sent goes back to the queue instead of expiring."""
    from src import db_manager
    from src.domain.posts import Status
    from src.domain.texts import Draft
    from src.system.clock import Clock

    world.tick()
    world.next_slot()
    db = db_manager.open_database(world.database, Clock().now())
    draft = db.add_draft(Draft("A text that a person likes.", "person"), Clock().now())
    db.approve(draft, Clock().now())
    db.close()
    url, world.extra["X_API_BASE_URL"] = world.x.url, "http://127.0.0.1:9"
    assert world.tick().outcome == "not-sent"
    assert world.statuses()[-1] == Status.PENDING
    world.extra["X_API_BASE_URL"] = url
    world.next_slot()
    assert world.tick().outcome == "posted"
    assert world.x.texts()[-1] == "A text that a person likes."
    assert world.texts.asked == 1


def test_an_approved_text_is_judged_again(world):
    """A word of it is on the blocklist since: it waits again with the reason, an alert says so, another text goes out."""
    world.warm()
    with open_now(world) as db:
        for text in ("A frobnicated build is quick.", "A second approved text."):
            db.approve(db.add_draft(Draft(text, "person"), datetime.now(UTC)), datetime.now(UTC))
    words = world.folder / "words.txt"
    words.write_text("frobnicated\n")
    world.extra["BLOCKLIST_FILE"] = str(words)
    result = world.tick()
    assert (result.outcome, world.x.texts()[-1]) == ("posted", "A second approved text.")
    (returned,) = world.rows("SELECT * FROM posts WHERE status = 'draft'")
    assert returned["content"] == "A frobnicated build is quick."
    assert "blocklist" in returned["error_message"]
    assert [note.code for note in result.notes] == ["draft-returned"]
    with open_now(world) as db:
        (finding,) = health.find(
            health.look(db, world.settings, datetime.now(UTC)), world.settings, datetime.now(UTC)
        )
    assert finding.code == "returned-draft"
    assert "drafts reject" in finding.fix.render()


def test_who_asks_for_approval_gets_it(world):
    """A text that X refused for the account's sake waits for a person where approval is asked for since."""
    world.warm()
    world.x.on_post(fake_x.unauthorized())
    assert world.tick().outcome == "blocked"
    refused = world.ours()[-1]["content"]
    world.extra["REQUIRE_APPROVAL"] = "true"
    for _ in range(5):
        world.move(minutes=21)
        world.tick()
    assert refused not in world.x.texts()
    assert [r["content"] for r in world.rows("SELECT * FROM posts WHERE status = 'draft'")] == [refused]
