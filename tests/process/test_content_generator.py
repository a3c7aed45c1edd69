"""Composing with the model's process, which may fail in any way."""

import json
import subprocess
import time
from datetime import UTC, datetime

import pytest

from src import config, content_generator
from src.content_generator import compose
from src.db_manager import empty_database
from src.domain.texts import History
from src.model import child as child_process
from src.model import choose, client
from src.model.choose import Model
from src.model.client import write
from tests.support.child import child, good_answer
from tests.support.library import library_read_once, shipped
from tests.support.needs import embedded_model

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
LIBRARY = shipped()


@pytest.fixture(autouse=True)
def quick_library():
    """The shipped library takes most of a second to read, which counts as the model's time."""
    with library_read_once():
        yield


@pytest.fixture
def settings(tmp_path):
    return config.load({"DATA_DIR": str(tmp_path), "LOG_DIR": str(tmp_path), "GENERATE_SECONDS": "20"})


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


def safetensors(header):
    """A file of weights with this header and no data."""
    return len(header).to_bytes(8, "little") + header


HEADERS = [
    b'{"a": {"dtype": "F32"}}',  # no shape
    b'{"a": {"dtype": "F32", "shape": ["x"], "data_offsets": [0, 4]}}',
    b"[1, 2]",
    b'{"a": ' * 5000,
]


@pytest.mark.parametrize(
    "weights", [*map(safetensors, HEADERS), (2**62).to_bytes(8, "little"), b"\xff" * 4, b""]
)
def test_broken_weights(settings, tmp_path, weights):
    """Weights that cannot be read, whatever is wrong with their header, cost the opening; the note has a fix."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(weights)
    config_of_a_llama = {"model_type": "llama", "vocab_size": 8, "hidden_size": 8, "num_attention_heads": 1}
    (folder / "config.json").write_text(json.dumps(config_of_a_llama))
    (folder / "tokenizer.json").write_text(
        '{"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}'
    )
    patient = settings.model_copy(update={"generate_seconds": 90, "model": str(folder)})
    composition = compose(patient, History(), NOW, seconds=90)
    assert composition.draft.origin == "wording"
    (note,) = [note for note in composition.notes if note.code == "model-failed"]
    assert note.fix


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (PermissionError(13, "Permission denied"), "let this user"),
        (FileNotFoundError(2, "No such file"), "let this user"),
        (OSError(12, "Cannot allocate memory"), "free some memory"),
        (OSError(11, "Resource temporarily unavailable"), "ulimit -u"),
        (OSError(24, "Too many open files"), "ulimit -n"),
        (OSError(5, "Input/output error"), "looks at its files"),
        (subprocess.SubprocessError("Exception occurred in preexec_fn."), "looks at its files"),
    ],
)
def test_why_a_process_cannot_be_started(monkeypatch, settings, error, fix):
    """What keeps the model's process from starting is told with a fix that fits it, and the tweet goes out."""

    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(choose, "locate", lambda settings: Model(settings.models_dir, "fake", tuned=True))
    composition = compose(settings, History(), NOW, seconds=10)
    assert composition.draft.origin == "wording"
    (note,) = [note for note in composition.notes if note.code == "model-failed"]
    assert fix in note.render()


def test_a_hanging_child_leaves_nothing_behind(monkeypatch, settings, tmp_path):
    """Out of time, the model's process and what it started are gone."""
    child(
        monkeypatch,
        f"import subprocess, os, time; p = subprocess.Popen(['sleep', '60']); open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{p.pid}}'); time.sleep(60)",
    )
    compose(settings, History(), NOW, seconds=5)
    for pid in (tmp_path / "pids").read_text().split():
        assert is_gone(pid)


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
for item in json.loads(sys.stdin.readline())["statements"]:
    print('{{"id": "' + item["id"] + '", "openings": {openings}, "tokens": {tokens}, "seconds": {seconds}}}')
""",
    )
    composition = compose(settings, History(), NOW, seconds=20)
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
    composition = compose(settings, History(), NOW, seconds=20)
    assert composition.draft.origin == "wording"
    assert any(
        "could not be started" in note.message and "/nowhere/python" in note.message
        for note in composition.notes
    )


def test_memory_limit(monkeypatch, tmp_path):
    """GENERATE_MEMORY_MB bounds the model's process."""
    limited = config.load({"DATA_DIR": str(tmp_path), "GENERATE_MEMORY_MB": "300"})
    child(monkeypatch, "x = bytearray(600 << 20)")
    composition = compose(limited, History(), NOW, seconds=20)
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
    composition = compose(settings, History(), NOW, seconds=20)
    draft = composition.draft
    assert draft.origin == "model"
    assert draft.opening == "What should a developer know?"
    statement = next(s for s in LIBRARY.statements if s.id == draft.source_id)
    assert draft.content == f"{draft.opening}\n\n{draft.content.rpartition(chr(10))[2]}"
    assert draft.content.rpartition("\n\n")[2] in statement.texts
    assert [c.chosen for c in composition.candidates] == [False, True, False]
    assert "link" in composition.candidates[0].verdict.reasons


def test_not_good_enough(monkeypatch, settings):
    """Below the threshold a vetted opening of the statement leads instead, and the run says so."""
    child(monkeypatch, good_answer([["What should a developer know?", -5.0, 0]]))
    draft = (composition := compose(settings, History(), NOW, seconds=20)).draft
    assert draft.origin == "wording"
    assert "good enough; the library's own opening leads" in composition.notes[-1].message
    statement = next(s for s in LIBRARY.statements if s.id == draft.source_id)
    assert draft.opening in statement.openings
    assert draft.content.startswith(f"{draft.opening}\n\n")


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


OWN_TWEETS = [
    ["Here is a tweet: use git.", -0.1, -0.1],
    ["Keep each commit small, so that a review stays short.", -0.9, -0.9],
    ["Name a branch after the change that it brings to the code.", -1.5, -1.5],
]


@pytest.fixture
def chat_model(monkeypatch, settings):
    """Stand in for a chat model of the hub that writes whole tweets; return the settings for it."""
    child(monkeypatch, good_answer(OWN_TWEETS))
    monkeypatch.setattr(choose, "locate", lambda s: Model(s.models_dir, "owner/name", bar=5.0))
    return settings.model_copy(update={"mode": "free", "topics": ("Git",)})


def test_a_whole_tweet_by_the_model(chat_model):
    """MODE=free: the best tweet that every gate lets pass goes out, without a source; all are kept with their verdicts."""
    composition = compose(chat_model, History(), NOW, seconds=60)
    draft = composition.draft
    assert (draft.content, draft.origin, draft.source_id, draft.topic) == (
        OWN_TWEETS[1][0],
        "model",
        "",
        "Git",
    )
    verdicts = [(c.opening, c.verdict.passed, c.chosen) for c in composition.candidates]
    assert verdicts == [
        (OWN_TWEETS[0][0], False, False),
        (OWN_TWEETS[1][0], True, True),
        (OWN_TWEETS[2][0], True, False),
    ]


def test_a_near_repeat_never_goes_out(chat_model):
    """A tweet of the model that is nearly one of the past is refused; the next one takes its place, then the library."""
    near = "Keep each commit small, so that the review stays short!"
    composition = compose(chat_model, History(texts=(near,)), NOW, seconds=60)
    assert composition.draft.content == OWN_TWEETS[2][0]
    assert composition.candidates[1].verdict.reasons == ("near-duplicate",)
    again = compose(chat_model, History(texts=(near, OWN_TWEETS[2][0])), NOW, seconds=60)
    assert again.draft.origin == "wording"


def test_a_reworded_statement_is_no_repeat_of_itself(monkeypatch, settings):
    """MODE=rewrite: a rewrite that is nearly what the statement sent before is refused."""
    short = (s for s in LIBRARY.statements if len(s.statement) < 180)
    statement = next(s for s in short if "\n" not in s.statement)
    rewrite = statement.statement.rstrip(".") + "!"
    sent = {statement.id: {statement.statement: NOW}}
    written = client.Written(((rewrite, -0.5),))

    def judged(history):
        return content_generator.judge_all(
            frozenset(), written, statement, statement.statement, history, "rewrite"
        )[0].verdict.reasons

    assert judged(History()) == ()
    assert judged(History(sent=sent)) == ("near-duplicate",)


def test_the_models_opening_always_leads(monkeypatch, settings):
    """OPENINGS=model: the best opening that passes the gates leads, whatever its score; a refused one still does not."""
    child(
        monkeypatch, good_answer([["See setup.py now?", 2.9, 0], ["What should a developer know?", -9.0, 0]])
    )
    composition = compose(settings.model_copy(update={"openings": "model"}), History(), NOW, seconds=20)
    assert (composition.draft.origin, composition.draft.opening) == ("model", "What should a developer know?")


@pytest.mark.parametrize("update", [{"openings": "vetted"}, {"candidates": 0}])
def test_the_model_is_left_out(monkeypatch, settings, update):
    """OPENINGS=vetted and CANDIDATES=0 start no process; a vetted text goes out and nothing is noted."""
    child(monkeypatch, f"open({str(settings.data_dir / 'started')!r}, 'w')")
    composition = compose(settings.model_copy(update=update), History(), NOW, seconds=20)
    assert composition.draft.origin == "wording"
    assert composition.notes == ()
    assert not (settings.data_dir / "started").exists()


def rounds_of(folder, *answers, then="pass"):
    """Return a model's process that gives one answer a round, notes each request, and ends by `then`."""
    return f"""
import json, sys
answers = {list(answers)!r}
for line in sys.stdin:
    open({str(folder / "asked")!r}, "a").write(line)
    openings = answers.pop(0)
    for item in json.loads(line)["statements"]:
        print(json.dumps({{"id": item["id"], "openings": openings, "tokens": 9, "seconds": 0.1}}), flush=True)
    if not answers:
        {then}
        break
"""


def asked(folder):
    return [json.loads(line) for line in (folder / "asked").read_text().splitlines()]


REFUSED = [["See setup.py now?", 2.9, 0]]
POOR = [["Would a reviewer know?", -5.0, 0]]
GOOD = [["What should a developer know?", 2.6, 0]]


def test_a_second_round_brings_a_good_one(monkeypatch, settings, tmp_path):
    """The model writes again until an opening is good enough, with other seeds; all that it wrote is kept."""
    child(monkeypatch, rounds_of(tmp_path, REFUSED, GOOD, GOOD))
    composition = compose(settings, History(), NOW, seconds=20)
    assert composition.draft.opening == GOOD[0][0]
    assert [c.opening for c in composition.candidates] == [REFUSED[0][0], GOOD[0][0]]
    first, second = asked(tmp_path)
    assert "model" in first
    assert "model" not in second
    assert first["statements"] == second["statements"]
    assert (first["n"], second["n"]) == (16, 16)
    assert second["seed"] >= first["seed"] + 1000


def test_three_rounds_are_all(monkeypatch, settings, tmp_path):
    """After three rounds without a good one a vetted opening leads."""
    child(monkeypatch, rounds_of(tmp_path, POOR, REFUSED, POOR, GOOD))
    composition = compose(settings, History(), NOW, seconds=20)
    assert composition.draft.origin == "wording"
    assert len(asked(tmp_path)) == 3
    assert [c.opening for c in composition.candidates] == [REFUSED[0][0], POOR[0][0]]


def test_a_good_first_round_is_the_only_one(monkeypatch, settings, tmp_path):
    """No time is spent on a further round where the first brought a good one."""
    child(monkeypatch, rounds_of(tmp_path, GOOD, GOOD))
    assert compose(settings, History(), NOW, seconds=20).draft.origin == "model"
    assert len(asked(tmp_path)) == 1


@pytest.mark.parametrize("then", ["raise SystemExit('broken')", "import time; time.sleep(60)", "print('no')"])
def test_a_later_round_that_fails_takes_nothing_away(monkeypatch, settings, tmp_path, then):
    """The first round's candidates are kept when the process dies or hangs in the second; nothing is called a failure."""
    child(monkeypatch, rounds_of(tmp_path, POOR, then=then))
    composition = compose(settings, History(), NOW, seconds=6)
    assert composition.draft.origin == "wording"
    assert [c.opening for c in composition.candidates] == [POOR[0][0]]
    assert [note.code for note in composition.notes] == ["no-good-opening"]


def test_openings_above_texts_of_other_sources(monkeypatch, settings):
    """A text of a feed gets the model's opening by the same gates and the same bar, and none where none may lead."""
    texts = [("a", "Tool", "Tool 2 is faster."), ("b", "", "See what a developer should know about b.")]
    child(
        monkeypatch, good_answer([["See setup.py now?", 2.9, 0], ["What should a developer know?", 2.6, 0]])
    )
    good = "What should a developer know?"
    assert content_generator.write_openings(settings, texts, NOW, seconds=20) == {"a": good, "b": good}
    child(monkeypatch, good_answer(POOR))
    assert content_generator.write_openings(settings, texts, NOW, seconds=20) == {}
    child(monkeypatch, "raise SystemExit(1)")
    assert content_generator.write_openings(settings, texts, NOW, seconds=20) == {}


@pytest.mark.parametrize("update", [{"openings": "vetted"}, {"candidates": 0}, {"mode": "free"}])
def test_no_opening_without_the_model(monkeypatch, settings, update):
    """Where the model is left out, or writes whole texts, no process is started for a feed."""
    child(monkeypatch, f"open({str(settings.data_dir / 'started')!r}, 'w')")
    texts = [("a", "Tool", "Tool 2 is faster.")]
    assert content_generator.write_openings(settings.model_copy(update=update), texts, NOW, seconds=9) == {}
    assert not (settings.data_dir / "started").exists()
