"""The queue: own texts, times, texts written ahead, review; each through the commands and the runs."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from src import content_generator
from src.commands import queue, review, texts
from src.commands.arguments import Parser
from src.commands.command import Context
from src.domain.errors import UsageError
from src.domain.texts import Composition, Draft
from src.system import terminal
from src.system.clock import Clock
from tests.support.upkeep import open_now

HOUR = timedelta(hours=1)
WORDS = (
    "apple river stone cloud tiger maple ocean ember frost amber violin castle pepper garden meteor walnut"
    " anchor bishop copper dragon falcon glacier hammer island jungle kettle lantern magnet needle orchid"
).split() + ["quarry", "ribbon", "saddle", "tunnel", "umbrella", "velvet", "window"]


def now():
    return datetime.now(UTC)


def command(world, *words):
    """Run `queue WORDS` as one types it."""
    parser = Parser()
    queue.configure(parser)
    parser.set_defaults(json=False)
    options = parser.parse_args(list(words))
    assert queue.problem(options) == ""
    return queue.run(Context(options, world.settings, Clock(), "c"))


def add(world, text, *words):
    """Add an own text; return its number."""
    (added,) = command(world, "add", text, *words).data["added"]
    return added["id"]


def written(world, *texts_, approved=True):
    """Put texts of the program's into the queue."""
    with open_now(world) as db:
        return [
            db.queue.add_written(Draft(text, "wording", f"s-{text}", "Git"), now(), approved=approved).id
            for text in texts_
        ]


def posted(world, count=1):
    """Let so many hours post; return the texts that went out."""
    for _ in range(count):
        world.next_slot()
        result = world.tick()
        assert result.outcome == "posted", result
    return world.x.texts()[-count:]


def test_own_texts_go_first(world):
    """Before approved drafts and what was written ahead; in the order in which they were added."""
    world.warm()
    written(world, "Written ahead of its time.")
    draft = written(world, "A draft that someone liked.", approved=False)[0]
    command(world, "approve", str(draft))
    add(world, "The talk about parsers is on Tuesday.")
    add(world, "Bring a question about grammars.")
    assert posted(world, 5)[:4] == [
        "The talk about parsers is on Tuesday.",
        "Bring a question about grammars.",
        "A draft that someone liked.",
        "Written ahead of its time.",
    ]
    assert world.texts.asked == 1  # for the fifth
    world.check_promise()


def test_a_text_with_a_time(world):
    """It waits until then, and then goes before all that have none."""
    world.warm()
    with_time = add(world, "At three the talk begins.", "--at", "2026-11-22 20:00")
    add(world, "Before that there is coffee.")
    add(world, "And cake for those who stay.")
    told = command(world).data["next"]
    assert [(item["content"], item["expected_at"][11:16]) for item in told] == [
        ("Before that there is coffee.", "17:07"),
        ("And cake for those who stay.", "18:00"),
        ("At three the talk begins.", "20:00"),
    ]
    assert told[2]["not_before"] == "2026-11-22T20:00:00+00:00"
    assert posted(world, 3)[:2] == ["Before that there is coffee.", "And cake for those who stay."]
    assert world.x.texts()[-1] == "At three the talk begins."
    assert world.rows("SELECT slot, origin, source_id, topic FROM posts WHERE id = ?", with_time)[0][:] == (
        "2026-11-22T20:00Z", "person", None, None
    )  # fmt: skip


def test_the_list_says_what_goes_out_and_when(world):
    """Time, number, length, price and origin of each text; the drafts that wait; how many more there are."""
    world.warm()
    world.extra["TIME_ZONE"] = "Europe/Berlin"
    number = add(world, "The talk about parsers is on Tuesday.")
    written(world, "One more.", "And another one.")
    written(world, "A draft.", approved=False)
    shown = command(world, "list", "-n", "2")
    assert shown.text.splitlines() == [
        f"{number:>5}  2026-11-22 18:07 CET   37 of 280  $0.015  yours",
        "       The talk about parsers is on Tuesday.",
        f"{number + 1:>5}  2026-11-22 19:00 CET    9 of 280  $0.015  library: s-One more.",
        "       One more.",
        "and 1 more: -n 3 shows all",
        "1 draft waits for you: `queue review`",
    ]
    assert command(world).data["drafts"][0]["content"] == "A draft."


def test_an_empty_queue_says_how_to_fill_it(world):
    """Before the first run, and after it."""
    assert "`queue fill -n 24` writes ahead" in command(world).text
    world.warm()
    assert "`queue fill -n 24` writes ahead" in command(world).text
    world.extra["REQUIRE_APPROVAL"] = "true"
    assert "writes drafts for you to approve" in command(world).text


def test_wanted_times_and_a_pause_in_the_list(world):
    """The expected time is that of the next wanted time without a post, and after a pause."""
    world.warm()
    world.extra |= {"POST_TIMES": "09:00,18:00"}
    add(world, "One for the evening.")
    add(world, "One for the morning.")
    assert [item["expected_at"] for item in command(world).data["next"]] == [
        "2026-11-23T09:00:00+00:00",  # at 18:00 it is too soon after the hourly post of 16:07
        "2026-11-23T18:00:00+00:00",
    ]
    with open_now(world) as db:
        db.notes.pause(now(), now() + 30 * HOUR)
    assert command(world).data["next"][0]["expected_at"] == "2026-11-24T09:00:00+00:00"
    with open_now(world) as db:
        db.notes.pause(now(), None)
    shown = command(world)
    assert shown.data["next"][0]["expected_at"] is None
    assert shown.text.startswith("paused: nothing goes out until you resume")


def test_texts_of_a_file_and_of_standard_input(world, tmp_path, monkeypatch):
    """An empty line parts two texts; one that is refused adds none of them."""
    world.warm()
    file = tmp_path / "texts.txt"
    file.write_text("The first text\nof two lines.\n\n\n  The second one.  \n", encoding="utf-8")
    assert command(world, "add", "--file", str(file)).text.startswith("2 texts added")
    assert [p["content"] for p in world.ours()][-2:] == ["The first text\nof two lines.", "The second one."]
    monkeypatch.setattr("sys.stdin", io.StringIO("A third text.\n\nSee setup.py for it.\n"))
    with pytest.raises(
        UsageError, match="text 2 of 2: this text is refused: .*setup.py.*; nothing was added"
    ):
        command(world, "add", "-")
    assert world.ours()[-1]["content"] == "The second one."
    with pytest.raises(UsageError, match="missing.txt cannot be read"):
        command(world, "add", "--file", str(tmp_path / "missing.txt"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Look at https://example.org/talk now.", "link"),
        ("Thanks @someone for the talk.", "@someone"),
        ("word " * 60, "of 280"),
    ],
)
def test_a_refusal_names_its_part(world, text, reason):
    """The word, the link, or the count and the limit."""
    with pytest.raises(UsageError, match="this text is refused") as raised:
        command(world, "add", text)
    assert reason in str(raised.value)


def test_an_own_text_takes_part_in_novelty(world):
    """The same words again are refused, and a new text is not like it."""
    world.warm()
    add(world, "The talk about parsers is on Tuesday.")
    with pytest.raises(UsageError, match="this text is refused"):
        command(world, "add", "The talk about parsers is on Tuesday!")
    posted(world)
    with pytest.raises(UsageError, match="this text is refused"):
        command(world, "add", "The talk about parsers is on Tuesday!")


@pytest.mark.parametrize("at", ["2026-11-22 14:00", "yesterday", "2026-13-01"])
def test_a_time_that_cannot_be(world, at):
    """One that is over, or no time at all, adds nothing."""
    with pytest.raises(UsageError, match="is over already|is not a date or a time"):
        command(world, "add", "A text of mine.", "--at", at)


def test_moving(world):
    """To the front, to a time, and back to the place of before."""
    world.warm()
    first, second, third = (add(world, text) for text in ("Apple one.", "Banana two.", "Cherry three."))
    command(world, "move", str(third), "--first")
    assert [item["id"] for item in command(world).data["next"]] == [third, first, second]
    told = command(world, "move", f"{first}-{second}", "--at", "2026-11-23 09:00")
    assert told.text.splitlines()[0] == f"draft {first} goes out from 2026-11-23 09:00 UTC on"
    command(world, "move", str(third), str(second), "--back")
    assert [item["id"] for item in command(world).data["next"]] == [second, third, first]


def test_several_at_once(world):
    """Ids and ranges; what cannot be changed is told, and the others still change."""
    world.warm()
    one, two, three, four = written(world, "Apple.", "Banana.", "Cherry.", "Date.", approved=False)
    told = command(world, "approve", "999", str(one))
    assert told.exit_code == 2
    assert "there is no draft 999" in told.text
    told = command(world, "approve", f"{two}-{three}")
    assert told.text.splitlines() == [
        f"draft {n} approved: it goes out before anything new" for n in (two, three)
    ]
    assert [t["status"] for t in told.data["texts"]] == ["approved"] * 2
    command(world, "reject", str(four))
    with pytest.raises(UsageError, match=f"draft {four} was rejected") as raised:
        command(world, "approve", str(four))
    assert f"queue unreject {four}" in raised.value.fix.render()
    assert "waits for you again" in command(world, "unreject", str(four)).text
    assert command(world, "approve", str(four)).data["status"] == "approved"


# ---- written ahead ---------------------------------------------------------------------------------------------


class Writer:
    """A model that writes what is asked for, and counts how often it was started."""

    def __init__(self):
        self.starts = []

    def __call__(self, settings, history, at, count, seconds):
        self.starts.append(count)
        number = sum(self.starts)
        return [
            Composition(Draft(self.text(number - n), "model", f"w-{number - n}", "Git")) for n in range(count)
        ]

    @staticmethod
    def text(number):
        """Return a text that is like no other."""
        words = (WORDS[(number * step) % len(WORDS)] for step in (1, 7, 11, 13))
        return f"{' '.join(words).capitalize()} {number * 7919}."


@pytest.fixture
def writer(monkeypatch):
    made = Writer()
    monkeypatch.setattr("src.twitter_manager.compose_many", made)
    return made


def test_the_queue_is_refilled_when_half_are_gone(world, writer):
    """A run writes all that lack with one start, after its own post; the runs between start no model."""
    world.warm()
    asked = world.texts.asked
    world.extra["QUEUE_AHEAD"] = "6"
    posted(world)
    assert (writer.starts, world.texts.asked) == ([6], asked + 1)
    posted(world, 3)
    assert writer.starts == [6, 3]
    posted(world, 9)
    assert writer.starts == [6, 3, 3, 3, 3]
    assert world.texts.asked == asked + 1
    world.check_promise()


@pytest.mark.parametrize(
    ("place", "kept"), [("ahead.composed", 0), ("ahead.before_commit", 0), ("ahead.committed", 1)]
)
def test_killed_while_writing_ahead(world, writer, place, kept):
    """The run's post is out; what was kept goes out once, also where the model writes it again, and the queue fills."""
    world.warm()
    world.extra["QUEUE_AHEAD"] = "6"
    before = len(world.x.texts())
    assert world.forked(f"{place}:kill") == -9
    assert len(world.x.texts()) == before + 1
    waiting = [r["content"] for r in world.rows("SELECT * FROM posts WHERE status = 'approved'")]
    assert waiting == [Writer.text(6)][:kept]
    posted(world, 8)
    assert waiting == [text for text in world.x.texts() if text in waiting]
    assert world.rows("SELECT count(*) FROM posts WHERE status = 'approved'")[0][0] >= 3
    world.check_promise()


def test_a_text_written_ahead_is_judged_again(world):
    """One that the blocklist forbids since is rejected, and the next goes out; nobody is asked."""
    world.warm()
    bad, good = written(world, "A frobnicated build.", "A build that works.")
    words = world.folder / "words.txt"
    words.write_text("frobnicated\n")
    world.extra["BLOCKLIST_FILE"] = str(words)
    assert posted(world) == ["A build that works."]
    assert world.rows("SELECT status FROM posts WHERE id = ?", bad)[0][0] == "rejected"
    assert world.rows("SELECT status FROM posts WHERE id = ?", good)[0][0] == "posted"


def test_a_text_written_ahead_outlives_a_run_that_dies(world):
    """Claimed and provably not sent, it goes back into the queue."""
    world.warm()
    (number,) = written(world, "A text that was written ahead.")
    world.next_slot()
    assert world.forked("claim.committed:kill") == -9
    assert posted(world) == ["A text that was written ahead."]
    assert world.rows("SELECT status FROM posts WHERE id = ?", number)[0][0] == "posted"


def test_approval_that_is_asked_for_later(world):
    """Texts written ahead become drafts; own texts need nobody's approval."""
    world.warm()
    written(world, "A text that was written ahead.")
    add(world, "My own words about a build.")
    world.extra["REQUIRE_APPROVAL"] = "true"
    assert posted(world) == ["My own words about a build."]
    assert [r["content"] for r in world.rows("SELECT * FROM posts WHERE status = 'draft'")] == [
        "A text that was written ahead."
    ]
    assert world.rows("SELECT error_message FROM posts WHERE status = 'draft'")[0][0] is None


@pytest.mark.parametrize(("approval", "status"), [("false", "approved"), ("true", "draft")])
def test_filling_by_hand(world, monkeypatch, approval, status):
    """`queue fill` writes with one start; with REQUIRE_APPROVAL they are drafts."""
    made = Writer()
    monkeypatch.setattr(
        content_generator, "compose_many", lambda s, h, n, count, seconds: made(s, h, n, count, seconds)
    )
    world.warm()
    world.extra["REQUIRE_APPROVAL"] = approval
    told = command(world, "fill", "-n", "5")
    assert made.starts == [5]
    assert [r["status"] for r in world.rows("SELECT * FROM posts WHERE origin = 'model'")] == [status] * 5
    assert ("5 written; 5 in the queue" in told.text) is (approval == "false")


def test_no_refill_in_a_pause(world, writer):
    """Nothing is written that would grow old."""
    world.warm()
    world.extra["QUEUE_AHEAD"] = "6"
    with open_now(world) as db:
        db.notes.pause(now(), None)
    world.tick()
    assert writer.starts == []


def test_a_refill_that_fails_costs_no_tweet(world, monkeypatch):
    """The post is on record before the model is asked; what then fails is logged."""
    world.warm()
    world.extra["QUEUE_AHEAD"] = "6"

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("src.twitter_manager.compose_many", full)
    posted(world)
    world.check_promise()


# ---- review ----------------------------------------------------------------------------------------------------


def test_a_review(world, monkeypatch):
    """Approve, edit, reject, later: one letter each; the text, its length, verdict and time are shown."""
    world.warm()
    numbers = written(world, "Apple.", "Banana.", "Cherry.", "Date.", approved=False)
    answers = iter(["a", "x", "e", "a", "r", "l"])
    screen = []
    monkeypatch.setattr(terminal, "ask", lambda _question, **_: next(answers))
    monkeypatch.setattr(terminal, "write", lambda text, **_: screen.append(text))
    monkeypatch.setattr(review, "edited", lambda _editor, text, **_: text.replace("Banana", "A ripe banana"))
    told = command(world, "review")
    assert told.data == {"approved": 2, "rejected": 1, "edited": 1, "left": 1}
    statuses = {r["id"]: (r["status"], r["content"]) for r in world.rows()}
    assert [statuses[n] for n in numbers] == [
        ("approved", "Apple."),
        ("approved", "A ripe banana."),
        ("rejected", "Cherry."),
        ("draft", "Date."),
    ]
    assert screen[0].startswith(
        f"\n1 of 4, draft {numbers[0]}, 6 of 280; passes every gate; goes out in the next"
    )
    assert "2 approved, 1 rejected, 1 edited; 1 draft waits" in told.text


def test_a_review_that_nobody_answers(world, monkeypatch):
    """Without a terminal nothing is changed."""
    world.warm()
    written(world, "Apple.", approved=False)
    monkeypatch.setattr(terminal, "ask", lambda _question, **_: "")
    assert command(world, "review").data == {"approved": 0, "rejected": 0, "edited": 0, "left": 1}


def test_an_edit_that_is_refused_stays_in_the_review(world, monkeypatch):
    """The reason is shown, and the text is asked for again."""
    world.warm()
    (number,) = written(world, "Apple.", approved=False)
    answers = iter(["e", "q"])
    screen = []
    monkeypatch.setattr(terminal, "ask", lambda _question, **_: next(answers))
    monkeypatch.setattr(terminal, "write", lambda text, **_: screen.append(text))
    monkeypatch.setattr(review, "edited", lambda _editor, _text, **_: "See setup.py now.")
    command(world, "review")
    assert any("setup.py" in text and "refused" in text for text in screen)
    assert world.rows("SELECT content FROM posts WHERE id = ?", number)[0][0] == "Apple."


@pytest.mark.parametrize(
    ("editor", "text"), [("false", "Old."), ("no-such-editor-here", "Old."), ("sed -i s/Old/New/", "New.")]
)
def test_the_editor(editor, text, monkeypatch):
    """Its text comes back; where it fails the old one stays."""
    monkeypatch.setattr(terminal, "write", lambda _text, **_: None)
    assert review.edited(editor, "Old.") == text


@pytest.mark.parametrize("text", ["7-3", "0", "a", "1-", "1-5000"])
def test_no_range(text):
    """An id or a range of ids is wanted."""
    with pytest.raises(Exception, match="is not"):
        texts.ids(text)


def test_data_is_json(world):
    """What the commands return can be printed as JSON."""
    world.warm()
    add(world, "The talk about parsers is on Tuesday.", "--at", "2026-12-01 15:00")
    assert json.loads(json.dumps(command(world).data))["next"][0]["not_before"] == "2026-12-01T15:00:00+00:00"
