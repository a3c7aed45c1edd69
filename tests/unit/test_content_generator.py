"""Composing: fresh statements, judged openings, and a model process that may fail in any way."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta

import pytest

from src import config, content_generator
from src.content.freshness import EVER, sendable, supply
from src.content.library import Library, Statement, load
from src.content.tweet_text import find_hashtags, weighted_length
from src.content_generator import assemble, choose_statement, compose, judge_all
from src.domain.errors import ModelError
from src.domain.notes import NoteCode
from src.domain.texts import History
from src.model import choose
from src.model.client import Written
from tests.support.library import library_read_once
from tests.support.supply import live

SETTINGS = config.load({})
NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick_library():
    """The shipped library takes most of a second to read; each composition would."""
    with library_read_once():
        yield


@pytest.fixture
def settings(tmp_path):
    return config.load({"DATA_DIR": str(tmp_path), "LOG_DIR": str(tmp_path), "GENERATE_SECONDS": "20"})


@pytest.mark.parametrize("broken", ["MANIFEST.json", "config.json"])
def test_model_files_that_cannot_be_read(settings, broken):
    """A file of the model that cannot be read (another user's, a disk that fails) costs the opening, never the tweet."""
    folder = choose.embedded_folder(settings.models_dir)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "MANIFEST.json").write_text(
        '{"source": {}, "files": {"config.json": "0"}}' if broken == "config.json" else "{ not JSON"
    )
    (folder / "config.json").mkdir()
    composition = compose(settings, History(), NOW, seconds=10)
    assert composition.draft.origin == "wording"
    assert any("cannot be read" in note.message for note in composition.notes)


def test_vetted_openings_must_be_fresh(tmp_path):
    """A vetted opening used lately gives way to the next one, and then to none."""
    statement = Statement(
        "a-1",
        "Git",
        "git reflog records where HEAD has been.",
        (),
        ("Lost a commit?", "Where has HEAD been?"),
    )

    def take(*used):
        return content_generator.vetted_opening(
            frozenset(), statement, statement.statement, History(openings=used), EVER
        )

    assert take() == "Lost a commit?"
    assert take("Lost a commit?") == "Where has HEAD been?"
    assert take("Lost a commit?", "Where has HEAD been?") == ""


def test_the_owners_blocklist_holds_for_hashtags(tmp_path):
    """A hashtag with one of the owner's words is left out, taken apart at its capitals too; the next one takes its place."""
    (tmp_path / "words").write_text("java\nwidget\n")
    (tmp_path / "own.jsonl").write_text(
        json.dumps(
            {
                "id": "a-1",
                "topic": "Git",
                "statement": "A sentence about nothing.",
                "hashtags": ["Java", "BestWidget", "Git"],
                "reference": "none",
            }
        )
    )
    blocking = config.load(
        {
            "DATA_DIR": str(tmp_path),
            "CANDIDATES": "0",
            "HASHTAGS": "2",
            "SOURCES": str(tmp_path / "own.jsonl"),
            "BUILTIN_LIBRARY": "false",
            "BLOCKLIST_FILE": str(tmp_path / "words"),
        }
    )
    assert compose(blocking, History(), NOW, seconds=10).draft.content == "A sentence about nothing. #Git"


def test_texts_are_composed_on_the_way(tmp_path):
    """A decomposed accent in the owner's file or in the model's answer is composed, and the text goes out."""
    file = tmp_path / "own.jsonl"
    text = "The cafe\u0301 of a build is open."
    file.write_text(json.dumps({"id": "a", "topic": "Git", "statement": text, "reference": "x"}))
    own = config.load(
        {"DATA_DIR": str(tmp_path), "CANDIDATES": "0", "SOURCES": str(file), "BUILTIN_LIBRARY": "false"}
    )
    assert compose(own, History(), NOW, seconds=10).draft.content == "The café of a build is open."
    (statement,) = load([file]).statements
    written = Written((("Where is the cafe\u0301?", 0.0),))
    (candidate,) = judge_all(frozenset(), written, statement, statement.statement, History())
    assert (candidate.opening, candidate.verdict.passed) == ("Where is the café?", True)


def test_no_model_wanted(settings, tmp_path):
    """CANDIDATES=0 leaves the model out without complaint."""
    quiet = config.load({"DATA_DIR": str(tmp_path), "CANDIDATES": "0"})
    composition = compose(quiet, History(), NOW, seconds=10)
    assert composition.draft.origin == "wording"
    assert composition.notes == ()


def test_missing_model(settings):
    """Without an installed model the vetted wording goes out and the note names the command."""
    composition = compose(settings, History(), NOW, seconds=10)
    assert composition.draft.origin == "wording"
    assert "make model" in composition.notes[-1].render()


def test_nothing_fresh_is_said(tmp_path):
    """An empty library yields no text and says what to do."""
    bare = config.load({"DATA_DIR": str(tmp_path), "BUILTIN_LIBRARY": "false"})
    composition = compose(bare, History(), NOW, seconds=1)
    assert composition.draft is None
    assert "SOURCES" in composition.notes[-1].render()


def test_owner_sources(tmp_path):
    """SOURCES adds the owner's statements, and broken ones are told of."""
    mine = tmp_path / "mine.jsonl"
    mine.write_text(
        json.dumps(
            {
                "id": "mine-1",
                "topic": "Mine",
                "statement": "Our release train leaves on Tuesday.",
                "reference": "wiki",
            }
        )
        + "\nbroken\n"
    )
    own = config.load(
        {"DATA_DIR": str(tmp_path), "BUILTIN_LIBRARY": "false", "SOURCES": str(mine), "CANDIDATES": "0"}
    )
    composition = compose(own, History(), NOW, seconds=1)
    assert composition.draft.content == "Our release train leaves on Tuesday."
    assert "1 broken records" in composition.notes[0].message


def test_another_wording_after_the_cooldown():
    """Past its cool-down a statement comes back in another wording; inside it, it does not come back."""
    one = Statement("a-1", "A", "First wording of it.", ("Quite another way to put the thing.",))
    settings = config.load({"COOLDOWN_DAYS": "30"})
    library = Library((one,), ())
    used = History(("First wording of it.",), (), ("A",), {"a-1": NOW})
    assert choose_statement(settings, frozenset(), library, used, NOW + timedelta(days=29)) is None
    assert (
        choose_statement(settings, frozenset(), library, used, NOW + timedelta(days=31))[1]
        == "Quite another way to put the thing."
    )


def test_an_opening_by_hand_may_name_what_its_text_does_not(tmp_path):
    """It leads although a model's would be refused for the number; one that gives its text away does not."""
    mine = tmp_path / "mine.jsonl"
    record = {
        "id": "a-1",
        "topic": "Git",
        "statement": "git reflog records where HEAD has been.",
        "reference": "man",
    }
    for opening, leads in (
        ("Three commits gone since 9:30.", True),
        ("It records where HEAD has been.", False),
    ):
        mine.write_text(json.dumps({**record, "openings": [opening]}) + "\n")
        own = config.load(
            {"DATA_DIR": str(tmp_path), "BUILTIN_LIBRARY": "false", "SOURCES": str(mine), "CANDIDATES": "0"}
        )
        content = compose(own, History(), NOW, seconds=1).draft.content
        assert content == (assemble(opening, record["statement"]) if leads else record["statement"])


def test_the_models_opening_may_not_repeat_a_tweet():
    """However long ago it was: a tweet that was sent is refused as a candidate, and the same opening elsewhere is not."""
    one = Statement("a-1", "Git", "git reflog records where HEAD has been.")
    opening, text = "Lost a commit?", "git reflog records where HEAD has been."
    written = Written(((opening, 0.0),))
    sent = History(sent={"a-1": {f"{opening}\n\n{text}": NOW}})
    (again,) = judge_all(frozenset(), written, one, text, sent)
    (fresh,) = judge_all(frozenset(), written, one, text, History(sent={"a-1": {text: NOW}}))
    (later,) = judge_all(frozenset(), written, one, text, sent, since=NOW + timedelta(seconds=1))
    assert (again.verdict.reasons, fresh.verdict.reasons) == (("near-duplicate",), ())
    assert later.verdict.reasons == ()


def test_a_used_wording_comes_back_under_another_opening():
    """Wordings used least come first, then openings that never led the text, then the text alone; hashtags make no other text."""
    one = Statement(
        "a-1",
        "Git",
        "git reflog records where HEAD has been.",
        ("After a bad reset, the reflog still lists the commits.",),
        ("Lost a commit?",),
    )
    first, second = one.texts

    def ever(*tweets):
        return sendable(one, dict.fromkeys(tweets, NOW), EVER)

    assert ever() == [
        ("Lost a commit?", first),
        ("", first),
        ("Lost a commit?", second),
        ("", second),
    ]
    assert ever(f"Lost a commit?\n\n{first} #git")[0] == ("Lost a commit?", second)
    assert ever(f"What now?\n\n{first}", second)[:2] == [("Lost a commit?", first), ("", first)]
    everything = [f"Lost a commit?\n\n{first}", first, f"Lost a commit?\n\n{second}", second]
    assert ever(*everything) == []
    sent = {tweet: NOW + timedelta(days=day) for day, tweet in zip((3, 1, 2, 4), everything, strict=True)}
    assert sendable(one, sent, NOW + timedelta(days=3, seconds=1)) == [
        ("", first),
        ("Lost a commit?", second),
        ("Lost a commit?", first),
    ]
    library, used = Library((one,), ()), History(sent={"a-1": sent})
    never = config.load({"REPEAT_AFTER_DAYS": "0"})
    assert choose_statement(never, frozenset(), library, used, NOW + timedelta(days=3000)) is None
    assert choose_statement(SETTINGS, frozenset(), library, used, NOW + timedelta(days=365)) is None
    assert choose_statement(SETTINGS, frozenset(), library, used, NOW + timedelta(days=367)) == (one, first)


def test_what_a_statement_posted_is_its_own_business():
    """A text is compared with those of other statements and of the owner, however short the cool-down is."""
    one = Statement("a-1", "Git", "git reflog records where HEAD has been.", (), ("Lost a commit?",))
    text = one.statement
    own = History(
        (f"Lost a commit?\n\n{text}",), ("Lost a commit?",), sent={"a-1": {f"Lost a commit?\n\n{text}": NOW}}
    )
    others = History((text,))
    settings = config.load({"COOLDOWN_DAYS": "0", "REPEAT_AFTER_DAYS": "1"})
    later = NOW + timedelta(days=2)
    assert choose_statement(settings, frozenset(), Library((one,), ()), own, later) == (one, text)
    assert choose_statement(settings, frozenset(), Library((one,), ()), others, later) is None


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ("0", "every text of 6 statements has been sent; "),
        ("365", "no fresh statement is left until 2027-11-22 14:00 UTC; "),
    ],
)
def test_a_tiny_library_says_that_it_is_used_up(tmp_path, window, words):
    """Six statements of one text each: six posts, then a reason that is true, and how many would be needed."""
    verbs = (
        "records what changed",
        "shows the newest commit",
        "finds a lost branch",
        "removes untracked files",
        "writes one archive",
        "compares two trees",
    )
    lines = [
        json.dumps(
            {"id": f"a-{n}", "topic": "Git", "statement": f"This command {verb}.", "reference": "git(1)"}
        )
        for n, verb in enumerate(verbs)
    ]
    (tmp_path / "own.jsonl").write_text("\n".join(lines))
    library = load([tmp_path / "own.jsonl"])
    quick = config.load({"DATA_DIR": str(tmp_path), "CANDIDATES": "0", "COOLDOWN_DAYS": "1"})
    quick = quick.model_copy(update={"repeat_after_days": int(window)})
    assert supply(quick, library.statements, History(), NOW).days == 6 / 24
    life = live(quick, library, 10, until_silent=True)
    assert len(life.posted) == 6
    ((_, result),) = life.silent
    assert result.exit_code == 69
    (note,) = result.notes
    assert note.code is NoteCode.NO_TEXT_LEFT
    ways = "add statements (SOURCES): 8784 fill a year at this pace; or post less often"
    assert note.render() == words + (ways if window == "0" else ways.replace("8784", "8760"))


def test_assemble():
    """Opening, blank line, text; hashtags only while they fit."""
    assert assemble("Why?", "Because.", ["a1"]) == "Why?\n\nBecause. #a1"
    assert assemble("", "Because.") == "Because."
    full = assemble("", "x" * 275, ["abc", "abcdefgh"])
    assert weighted_length(full) <= 280
    assert find_hashtags(full) == ["#abc"]


def test_model_trouble_names_the_fix(settings):
    """Each reason not to load a model is a sentence with a fix."""
    with pytest.raises(ModelError) as caught:
        choose.locate(settings)
    assert caught.value.fix
    assert stat.S_ISDIR(os.stat(settings.data_dir).st_mode)
