"""`sources`: topics and how long they last, statements that are retired, and what runs make of both."""

from types import SimpleNamespace

import pytest

from src import content_generator
from src.commands import check, sources
from src.commands.command import Context
from src.domain.errors import UsageError
from src.system.clock import Clock
from tests.support.world import new_world

WORDS = "apple river stone cloud tiger maple ocean ember frost amber".split()


@pytest.fixture
def small(tmp_path):
    """Make an account with a library of two topics, and the real composer."""
    file = tmp_path / "small.jsonl"
    lines = []
    for number in range(20):
        topic, word = ("Git", "SQL")[number % 2], WORDS[number // 2]
        lines.append(
            f'{{"id": "{topic.lower()}-{number}", "topic": "{topic}", "reference": "none",'
            f' "statement": "A {word} {topic} number {number} keeps its {word} {number * 7} times {word[::-1]}."}}\n'
        )
    file.write_text("".join(lines))
    extra = {"BUILTIN_LIBRARY": "false", "SOURCES": str(file), "CANDIDATES": "0"}
    with new_world(tmp_path, **extra) as world:
        world.texts = lambda s, h, n, seconds: content_generator.compose(s, h, n, seconds=seconds)
        world.warm = None
        world.x.tweet_by_hand("An old tweet from before.")
        yield world


def command(world, action, *ids):
    """Run an action of `sources`."""
    options = SimpleNamespace(action=action, id=list(ids))
    return sources.COMMAND.run(Context(options, world.settings, Clock(), "c"))


def posted(world, count):
    """Let some hours pass and return the statements that went out."""
    for _ in range(count):
        world.next_slot()
        assert world.tick().outcome == "posted"
    return [row["source_id"] for row in world.ours()][-count:]


def test_only_wanted_topics_go_out(small):
    """TOPICS leaves the others out; a typo ends the run with 78 and the nearest."""
    small.extra["TOPICS"] = "sql"
    assert all(name.startswith("sql-") for name in posted(small, 6))
    small.extra["TOPICS"] = "-SQL"
    assert all(name.startswith("git-") for name in posted(small, 4))
    small.extra["TOPICS"] = "SLQ"
    small.next_slot()
    assert small.forked() == 78


def test_topics_are_listed_with_how_long_they_last(small):
    """Each topic with its count, whether it is posted, and its days alone; then all of them together."""
    small.extra |= {"TOPICS": "Git", "POSTS_PER_DAY": "2"}
    told = command(small, "topics")
    assert told.data == {
        "topics": [
            {"topic": "Git", "statements": 10, "posted": True, "days_alone": 5.0},
            {"topic": "SQL", "statements": 10, "posted": False, "days_alone": 5.0},
        ],
        "posts_per_day": 2.0,
        "statements": 10,
        "days": 5.0,
    }
    assert told.text.splitlines()[1:] == [
        "     10  Git                        5 days",
        "-    10  SQL                        5 days",
        "10 statements in 1 of 2 topics: 5 days together",
    ]
    options = SimpleNamespace(online=False)
    rows = check.COMMAND.run(Context(options, small.settings, Clock(), "c")).data["parts"]
    (says,) = [row["says"] for row in rows if row["part"] == "library"]
    assert says.startswith("10 statements in 1 of 2 topics; at 2 a day a slot first stays empty on ")


def test_a_retired_statement_never_goes_out(small):
    """Not as a new text and not as an approved one, until it is taken back."""
    assert command(small, "hidden").text == "no statement is retired"
    names = [f"git-{n}" for n in range(0, 20, 2)] + [f"sql-{n}" for n in range(1, 17, 2)]
    told = command(small, "hide", *names)
    assert "never posted again" in told.text
    assert "`undo ID` deletes a tweet that is on X already" in told.text
    assert command(small, "hidden").data["hidden"][0]["id"] == "git-0"
    assert set(posted(small, 2)) == {"sql-17", "sql-19"}
    small.next_slot()
    result = small.tick()
    assert (result.outcome, result.exit_code) == ("no-content", 69)
    assert "git-0: may be posted again" in command(small, "unhide", "git-0").text
    assert posted(small, 1) == ["git-0"]


def test_an_id_that_the_library_does_not_have(small):
    """The nearest one is named; taking back what was not retired is refused."""
    with pytest.raises(UsageError, match="the library has no statement 'git-00'; did you mean git-0?"):
        command(small, "hide", "git-00")
    with pytest.raises(UsageError, match="not retired: git-2"):
        command(small, "unhide", "git-2")
