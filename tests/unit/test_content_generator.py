"""Composing: fresh statements, judged openings, and a model process that may fail in any way."""

import json
import os
import random
import stat
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from src import config, content_generator
from src.content.freshness import supply, unsent
from src.content.library import Library, Statement, load
from src.content.tweet_text import find_hashtags, weighted_length
from src.content_generator import assemble, choose_statement, compose, judge_all
from src.db_manager import empty_database
from src.domain.answers import TWITTER_EPOCH_MS, Outcome, SendResult
from src.domain.errors import ModelError
from src.domain.notes import NoteCode
from src.domain.slots import slot_of
from src.domain.texts import History
from src.model import child as child_process
from src.model import choose, client
from src.model.choose import Model
from src.model.client import Written, write
from tests.conftest import embedded_model

SETTINGS = config.load({})
NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
LIBRARY = load([config.ROOT / "data" / "library"])


@pytest.fixture
def settings(tmp_path):
    return config.load({"DATA_DIR": str(tmp_path), "LOG_DIR": str(tmp_path), "GENERATE_SECONDS": "20"})


def child(monkeypatch, code):
    """Put a script in the place of the model's process."""
    real = client.subprocess.Popen

    def start(command, **options):
        return real([sys.executable, "-c", code], **options)

    monkeypatch.setattr(client.subprocess, "Popen", start)
    monkeypatch.setattr(choose, "locate", lambda settings: Model(settings.models_dir, "fake", tuned=True))


def good_answer(openings):
    return f"""
import json, sys
request = json.load(sys.stdin)
for item in request["statements"]:
    print(json.dumps({{"id": item["id"], "openings": {openings!r}, "tokens": 9, "seconds": 0.1}}))
"""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "want of memory"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("import time; time.sleep(60)", "longer than"),
        ("raise SystemExit('no such weights')", "no such weights"),
        ("print('rubbish')", "unusable"),
        ("import sys; sys.stdout.buffer.write(b'\\0' * 100 + b'\\xff\\n{\"id\": 3}')", "unusable"),
        ("print('x' * 10_000_000)", "without end"),
        ("import sys; sys.stdin.close()", "unusable"),
        ('print(\'{"id": "x", "openings": [[1]], "tokens": 1, "seconds": 1}\')', "unusable"),
    ],
)
def test_whatever_happens_to_the_model_the_wording_goes_out(monkeypatch, settings, code, words):
    """A model process that is killed, crashes, hangs or prints rubbish costs the opening, never the tweet, and is told."""
    child(monkeypatch, code)
    room = 2 if "sleep" in code else 60  # to start Python on a busy machine
    patient = settings.model_copy(update={"generate_seconds": room})
    composition = compose(patient, History(), NOW, seconds=room)
    assert composition.draft.origin == "wording"
    assert words in " ".join(note.render() for note in composition.notes)


def test_a_hanging_child_leaves_nothing_behind(monkeypatch, settings, tmp_path):
    """Out of time, the model's process and what it started are gone."""
    child(
        monkeypatch,
        f"import subprocess, os, time; p = subprocess.Popen(['sleep', '60']); open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{p.pid}}'); time.sleep(60)",
    )
    compose(settings, History(), NOW, seconds=5)
    for pid in (tmp_path / "pids").read_text().split():
        assert is_gone(pid)


def is_gone(pid, seconds=10.0):
    """Whether a process that was killed ends: on a busy machine the kernel takes a moment."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if open(f"/proc/{pid}/stat").read().split()[2] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("openings", "tokens", "seconds"),
    [
        ('[["Why?", NaN]]', "1", "1"),
        ('[["Why?", 1e999]]', "1", "1"),
        ("[]", "1e999", "1"),
        ("[]", "1" + "0" * 400, "1"),
        ("[]", "1", "-Infinity"),
        ('[["\\\\r", 1], ["", 2], [" ", 3]]', "1", "0"),
        ('[["\\\\ud800 half", 1]]', "1", "1"),
        ("[" * 100000, "1", "1"),
    ],
)
def test_answers_that_no_model_gives(monkeypatch, settings, openings, tokens, seconds):
    """Numbers that are none, half characters, empty texts: the wording goes out, and what is kept fits into the database."""
    child(
        monkeypatch,
        f"""
import json, sys
for item in json.load(sys.stdin)["statements"]:
    print('{{"id": "' + item["id"] + '", "openings": {openings}, "tokens": {tokens}, "seconds": {seconds}}}')
""",
    )
    composition = compose(settings, History(), NOW, seconds=10)
    assert composition.draft.origin == "wording"
    assert composition.notes
    db = empty_database(NOW)
    db.journal.add_candidates("r", composition.candidates, NOW)
    db.journal.begin_run("r", "tick", "", "0", NOW)
    db.journal.finish_run("r", 0, "posted", "", composition.metrics, NOW)
    assert json.loads(json.dumps(db.journal.latest_run().metrics, allow_nan=False))


def test_a_process_that_cannot_be_started(monkeypatch, settings):
    """No room for one more process (here: no such interpreter) costs the opening, never the tweet."""
    monkeypatch.setattr(child_process.sys, "executable", "/nowhere/python")
    monkeypatch.setattr(choose, "locate", lambda settings: Model(settings.models_dir, "fake", tuned=True))
    monkeypatch.setattr(content_generator, "mode_for", lambda *_: "hook")
    monkeypatch.setattr(client, "mode_for", lambda *_: "hook")
    composition = compose(settings, History(), NOW, seconds=10)
    assert composition.draft.origin == "wording"
    assert any(
        "could not be started" in note.message and "/nowhere/python" in note.message
        for note in composition.notes
    )


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


def test_memory_limit(monkeypatch, tmp_path):
    """GENERATE_MEMORY_MB bounds the model's process."""
    limited = config.load({"DATA_DIR": str(tmp_path), "GENERATE_MEMORY_MB": "300"})
    child(monkeypatch, "x = bytearray(600 << 20)")
    composition = compose(limited, History(), NOW, seconds=10)
    assert composition.draft.origin == "wording"
    assert any("MemoryError" in note.message for note in composition.notes)


def test_best_opening_that_passes_is_taken(monkeypatch, settings):
    """The best-scored opening that passes every gate leads, the vetted text follows word for word, all are kept."""
    child(
        monkeypatch,
        good_answer(
            [
                ["See setup.py now?", 2.9, 0],
                ["What should a developer know?", 2.6, 0],
                ["Why is it so?", -9.0, 0],
            ]
        ),
    )
    composition = compose(settings, History(), NOW, seconds=10)
    draft = composition.draft
    assert draft.origin == "model"
    assert draft.opening == "What should a developer know?"
    statement = next(s for s in LIBRARY.statements if s.id == draft.source_id)
    assert draft.content == f"{draft.opening}\n\n{draft.content.rpartition(chr(10))[2]}"
    assert draft.content.rpartition("\n")[2] in statement.texts
    assert [c.chosen for c in composition.candidates] == [False, True, False]
    assert "link" in composition.candidates[0].verdict.reasons


def test_not_good_enough(monkeypatch, settings):
    """Below the threshold a vetted opening of the statement leads instead, and the run says so."""
    child(monkeypatch, good_answer([["What should a developer know?", -5.0, 0]]))
    draft = (composition := compose(settings, History(), NOW, seconds=10)).draft
    assert draft.origin == "wording"
    assert "good enough; the library's own opening leads" in composition.notes[-1].message
    statement = next(s for s in LIBRARY.statements if s.id == draft.source_id)
    assert draft.opening in statement.openings
    assert draft.content.startswith(f"{draft.opening}\n\n")


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
            frozenset(), statement, statement.statement, History(openings=used)
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
    (candidate,) = judge_all(SETTINGS, written, statement, statement.statement, History())
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


def test_a_month_of_ticks():
    """720 simulated hours: no statement twice within the cool-down, no near-duplicates, every topic seen."""
    settings = config.load({"CANDIDATES": "0"})
    random.seed(1)
    texts, topics, used = [], [], {}
    for hour in range(720):
        now = NOW + timedelta(hours=hour)
        statement, text = choose_statement(
            settings,
            frozenset(),
            LIBRARY,
            History(tuple(reversed(texts)), (), tuple(reversed(topics)), dict(used)),
            now,
        )
        assert statement.id not in used
        used[statement.id] = now
        texts.append(text)
        topics.append(statement.topic)
    assert len(set(texts)) == 720
    assert set(topics) == set(LIBRARY.topics)


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
    assert unsent(one, ()) == [
        ("Lost a commit?", first),
        ("", first),
        ("Lost a commit?", second),
        ("", second),
    ]
    assert unsent(one, {f"Lost a commit?\n\n{first} #git"})[0] == ("Lost a commit?", second)
    assert unsent(one, {f"What now?\n\n{first}", second})[:2] == [("Lost a commit?", first), ("", first)]
    everything = {f"Lost a commit?\n\n{first}", first, f"Lost a commit?\n\n{second}", second}
    assert unsent(one, everything) == []
    assert (
        choose_statement(
            SETTINGS, frozenset(), Library((one,), ()), History(sent={"a-1": frozenset(everything)}), NOW
        )
        is None
    )


def post_hourly(world_settings, library, hours, monkeypatch):
    """Compose and claim as a tick does, on a real database, until a text is missing: the statement and text of each hour."""
    monkeypatch.setattr(content_generator.sources, "load", lambda paths: library)
    db, posted = empty_database(NOW), []
    for hour in range(hours):
        now = NOW + timedelta(hours=hour)
        composition = compose(
            world_settings, db.archive.content_history(now, world_settings.cooldown_days), now, seconds=1
        )
        if composition.draft is None:
            return posted, composition
        slot = slot_of(now, 60)
        post = db.claim(composition.draft, slot, now)
        assert post, "the database knew the text"
        attempt = db.begin_send(post, "r", now)
        tweet_id = (int(now.timestamp() * 1000) - TWITTER_EPOCH_MS) << 22
        db.settle(post, attempt, SendResult(Outcome.POSTED, tweet_id=tweet_id), now)
        posted.append((now, composition.draft))
    return posted, None


def hold_to_the_cooldown(posted, days):
    last = {}
    for now, draft in posted:
        assert now - last.get(draft.source_id, now - timedelta(days=days)) >= timedelta(days=days), draft
        last[draft.source_id] = now


def test_every_text_is_sent_before_the_library_falls_silent(monkeypatch, tmp_path):
    """A thirtieth of the shipped library, at a thirtieth of its cool-down, posts nine in ten of its vetted texts, each once, before a slot stays empty."""
    some = Library(LIBRARY.statements[::30], ())
    quick = config.load({"DATA_DIR": str(tmp_path), "CANDIDATES": "0", "COOLDOWN_DAYS": "1"})
    expected = supply(quick, some.statements, History(), NOW)
    posted, end = post_hourly(quick, some, 1000, monkeypatch)
    hold_to_the_cooldown(posted, 1)
    assert len({draft.content for _, draft in posted}) == len(posted)
    assert expected.texts * 0.9 <= len(posted) <= expected.texts == len(some.statements) * 6
    assert expected.days == pytest.approx(len(posted) / 24, rel=0.1)
    assert "has been sent" in end.notes[-1].message or "too much like" in end.notes[-1].message


def test_a_tiny_library_says_that_it_is_used_up(monkeypatch, tmp_path):
    """Six statements of one text each: six posts, and then a reason that is true and a supply that says zero."""
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
    assert supply(quick, library.statements, History(), NOW).days == 6 / 24
    posted, end = post_hourly(quick, library, 10, monkeypatch)
    assert len(posted) == 6
    (note,) = end.notes
    assert note.code is NoteCode.NO_TEXT_LEFT
    assert (
        note.render() == "every text of the 6 statements has been sent; add statements or wordings (SOURCES)"
    )


@pytest.mark.crash
def test_three_thousand_hours_of_the_shipped_library(monkeypatch, tmp_path):
    """The shipped library and the real composer fill 3,000 hours: 84 days are not the end."""
    quick = config.load({"DATA_DIR": str(tmp_path), "CANDIDATES": "0"})
    posted, end = post_hourly(quick, LIBRARY, 3000, monkeypatch)
    assert (len(posted), end) == (3000, None)
    hold_to_the_cooldown(posted, quick.cooldown_days)
    assert len({draft.content for _, draft in posted}) == 3000


def test_assemble():
    """Opening, blank line, text; hashtags only while they fit."""
    assert assemble("Why?", "Because.", ["a1"]) == "Why?\n\nBecause. #a1"
    assert assemble("", "Because.") == "Because."
    full = assemble("", "x" * 275, ["abc", "abcdefgh"])
    assert weighted_length(full) <= 280
    assert find_hashtags(full) == ["#abc"]


def test_ten_thousand_texts_break_no_hard_gate():
    """0 of 10,000 random model outputs that pass the gates break X's rules, by independent code."""
    parser = pytest.importorskip("tests.support.independent")
    rng = random.Random(7)
    words = "Why does the build fail when a commit in git is lost? Lost #tag @you setup.py https://x.co $HOME \u202e \x1b[2J ** <|im_end|> example.com 99% CamelCase snake_case 日本 😀 […] – “q”".split(
        " "
    )
    passed = 0
    for number in range(10_000):
        statement = LIBRARY.statements[number % len(LIBRARY.statements)]
        pool = words if number % 2 else [*statement.statement.split(), "Why", "does", "it", "fail?"]
        opening = " ".join(rng.choice(pool) for _ in range(rng.randrange(1, 14)))
        opening = opening[:1].upper() + opening[1:] + rng.choice(["?", "", "."])
        written = Written(((opening, 0.0),))
        for candidate in judge_all(frozenset(), written, statement, statement.statement, History()):
            if candidate.verdict.passed:
                passed += 1
                assert parser.hard_problems(assemble(candidate.opening, statement.statement)) == []
    assert passed > 300


@pytest.mark.model
def test_the_real_model_writes(tmp_path):
    """The real embedded model writes openings for a statement, reproducibly, and its process stays offline."""
    settings = config.load({"DATA_DIR": str(config.ROOT / "data"), "CANDIDATES": "8"})
    model = embedded_model(settings)
    item = [(LIBRARY.statements[0].id, LIBRARY.statements[0].statement)]
    first = write(settings, model, item, seconds=120, seed=7)[item[0][0]]
    again = write(settings, model, item, seconds=120, seed=7)[item[0][0]]
    assert first.openings == again.openings
    assert len(first.openings) >= 4
    assert first.tokens > 20
    scores = [score for _, score in first.openings]
    assert scores == sorted(scores, reverse=True)


def test_model_trouble_names_the_fix(settings):
    """Each reason not to load a model is a sentence with a fix."""
    with pytest.raises(ModelError) as caught:
        choose.locate(settings)
    assert caught.value.fix
    assert stat.S_ISDIR(os.stat(settings.data_dir).st_mode)
