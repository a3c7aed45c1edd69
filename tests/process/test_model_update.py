"""`model update`: tried before it is used, switched at once, the one before kept; killed anywhere, a model is in use."""

import json
import os
import signal
import stat
import threading
import time

import pytest

from src import content_generator
from src.content import library as sources
from src.domain.errors import ConfigError, ModelError, ProgramError, UsageError
from src.domain.texts import History
from src.model import choose, client, files, versions
from src.model.voice import voice_of
from src.system import failpoints
from src.upkeep import model_update
from tests import fake_x
from tests.support import tiny_model
from tests.support.fake_hub import Fault
from tests.support.models import NAME, OPENINGS, embedded, row_of, some_files, update
from tests.support.world import START, World


def left(settings):
    return sorted(p.name for p in settings.models_dir.iterdir())


def test_from_the_embedded_to_a_hub_model_and_back(server, make, writer):
    """update switches to the hub model and keeps the embedded; rollback goes back, and forth again."""
    settings = make(server.add(NAME, some_files()))
    old = embedded(settings)
    before = choose.locate(settings)
    assert (before.folder, before.stand_in) == (old, True)
    assert before.note.startswith(f"{NAME} at revision ")
    assert before.fix.render() == "type: python -m src.twitter_manager model update"
    new, words = update(settings)
    found = choose.locate(settings)
    assert (found.folder, found.name, found.stand_in, found.note, found.fix.render()) == (
        new,
        NAME,
        False,
        "",
        "",
    )
    assert "model rollback" in words
    assert choose.rollback(settings) == old
    back = choose.locate(settings)
    assert (back.folder, back.stand_in, back.note, back.fix.render()) == (old, True, "", "")
    assert choose.rollback(settings) == new
    assert choose.locate(settings).folder == new
    assert "in use already" in update(settings)[1]
    assert choose.locate(make(model="embedded")).folder == old


def test_a_model_that_stands_in_never_words_the_claim(server, make, writer):
    """MODE=rewrite or free is meant for the model that MODEL names: a small one in its place writes openings."""
    repo = server.add(NAME, some_files())
    settings = make(repo, MODE="free")
    embedded(settings)
    assert client.mode_for(settings, choose.locate(settings)) == "hook"
    update(make(repo))
    assert client.mode_for(settings, choose.locate(settings)) == "free"
    choose.rollback(settings)
    assert client.mode_for(settings, choose.locate(settings)) == "hook"


def test_a_new_revision(server, make, writer):
    """A new MODEL_REVISION is reported and the old one writes until `model update`; the one before the last is removed."""
    repos = [server.add(NAME, some_files(seed)) for seed in (1, 2, 3)]
    folders = [update(make(repos[0]))[0]]
    for repo in repos[1:]:
        waiting = choose.locate(make(repo))
        assert (waiting.folder, waiting.stand_in) == (folders[-1], False)
        assert repo.revision[:12] in waiting.note
        folders.append(update(make(repo))[0])
        assert choose.locate(make(repo)).folder == folders[-1]
    assert [f.exists() for f in folders] == [False, True, True]
    assert choose.locate(make(repos[1])).folder == folders[1]
    assert choose.rollback(make(repos[2])) == folders[1]


def test_a_revision_on_the_command_line(server, make, writer):
    """--revision tries a commit without touching .env, and says what to write there."""
    first, second = (server.add(NAME, some_files(seed)) for seed in (1, 2))
    update(make(first))
    folder, words = update(make(first), second.revision)
    assert f"MODEL_REVISION={second.revision}" in words
    assert choose.locate(make(first)).folder == folder
    assert choose.locate(make(second)).folder == folder
    bare, _ = update(make(), second.revision)
    assert choose.locate(make()).folder == bare


@pytest.mark.parametrize(
    ("model", "revision", "words"),
    [
        (NAME, "main", "'main' is not a commit"),
        ("name", "f" * 40, "neither"),
    ],
)
def test_only_whole_commits(make, model, revision, words):
    """By a branch or a part of a name nothing is fetched."""
    with pytest.raises(ConfigError, match=words) as caught:
        update(make(model=model), revision)
    assert caught.value.fix


def test_a_name_alone(server, make, writer):
    """Without MODEL_REVISION the branch is resolved and pinned; the hub may move on, the next `model update` follows."""
    first = server.add(NAME, some_files(1))
    settings = make()
    old = embedded(settings)
    assert choose.locate(settings).folder == old
    folder, words = update(settings)
    assert files.manifest(folder)["source"] == {"hub": NAME, "revision": first.revision}
    assert "MODEL_REVISION" not in words
    assert "MB of memory, there are" in words
    second = server.add(NAME, some_files(2))
    assert choose.locate(settings).folder == folder
    moved, words = update(settings)
    assert f"{NAME} at {second.revision[:12]} instead of {NAME} at {first.revision[:12]}" in words
    assert choose.locate(settings).folder == moved != folder
    assert choose.rollback(settings) == folder


def test_the_trial_sets_the_bar(server, make, writer):
    """What three in four statements reached lets an opening lead; parameters, speed and memory stand in the manifest."""
    folder, words = update(make(server.add(NAME, some_files())))
    record = files.manifest(folder)["trial"]
    assert record["bar"] == pytest.approx(-0.25)
    assert choose.locate(make()).bar == record["bar"]
    assert (record["parameters"], record["tokens_per_second"]) == (1000, 90.0)
    assert OPENINGS[0][0] in words


def test_a_model_that_does_not_fit(server, make, writer, monkeypatch):
    """A model that needs more memory than there is is refused before a byte of its weights is asked for."""
    repo = server.add(NAME, some_files())
    monkeypatch.setattr(model_update, "machine_memory_mb", lambda: 600)
    with pytest.raises(ConfigError, match="does not fit.* 600"):
        update(make(repo))
    with pytest.raises(ConfigError, match="does not fit.* 500"):
        update(make(repo, GENERATE_MEMORY_MB="500"))
    assert server.bytes_asked("model.safetensors") == []


@pytest.mark.parametrize(
    "openings", [[("Sure, here is the question: what is this", -0.1, -0.2)], []], ids=["chat", "nothing"]
)
def test_a_bad_writer_is_not_used(server, make, writer, openings):
    """A model whose texts the gates refuse is not switched to; the one in use stays, and a later try fetches nothing again."""
    settings = make(server.add(NAME, some_files()))
    old = embedded(settings)
    writer(openings)
    with pytest.raises(ModelError, match="0 of 4 statements") as caught:
        update(settings)
    assert "in use stays" in caught.value.fix.render()
    assert choose.locate(settings).folder == old
    server.seen.clear()
    writer(OPENINGS)
    new, _ = update(settings)
    assert choose.locate(settings).folder == new
    assert server.bytes_asked("model.safetensors") == []


@pytest.mark.parametrize(
    "fault",
    [("/api/", Fault(status=503)), ("/storage/", Fault(spoil=True)), ("/storage/", Fault(status=404))],
    ids=["503", "spoilt", "404"],
)
def test_the_present_model_stays(server, make, writer, fault):
    """Whatever the hub does, the present model writes; then the same command succeeds."""
    first, second = (server.add(NAME, some_files(seed)) for seed in (1, 2))
    old, _ = update(make(first))
    server.on(*fault)
    with pytest.raises(ProgramError) as caught:
        update(make(second))
    assert caught.value.fix
    assert choose.locate(make(second)).folder == old
    assert choose.locate(make(second)).folder != update(make(second))[0]


@pytest.mark.parametrize(
    "place", ["model.part", "model.downloaded", "model.tried", "model.renamed", "model.switched"]
)
@pytest.mark.parametrize("past", ["embedded", "another revision"])
def test_killed_anywhere(server, make, writer, place, past):
    """kill -9 at every step: some sound model is in use at once, the same command ends the work, rollback finds the one before."""
    settings = make(server.add(NAME, some_files(2)))
    old = embedded(settings)
    if past != "embedded":
        old, _ = update(make(server.add(NAME, some_files(1))))
    pid = os.fork()
    if pid == 0:
        failpoints.arm(f"{place}:kill")
        update(settings)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    between = choose.locate(settings).folder
    new, _ = update(settings)
    assert between == (old if place in {"model.part", "model.downloaded", "model.tried"} else new)
    assert choose.locate(settings).folder == new
    assert not [n for n in left(settings) if n.startswith(".")]
    assert choose.rollback(settings) == old


def test_spoilt_on_the_disk(server, make, writer):
    """Weights that rotted are fetched anew by `model update`; until then the vetted wording goes out."""
    settings = make(server.add(NAME, some_files()))
    folder, _ = update(settings)
    (folder / "model.safetensors").write_bytes(b"rot")
    with pytest.raises(ModelError, match="checksum"):
        choose.locate(settings)
    server.seen.clear()
    assert update(settings)[0] == folder
    assert choose.locate(settings).folder == folder
    assert not [s for s in server.seen if s.path.endswith("tokenizer.json")]


def test_one_at_a_time_and_ticks_meanwhile(server, make, writer):
    """While an update waits for the hub, a second one is refused and a tick writes with the old model, telling so."""
    first, second = (server.add(NAME, some_files(seed)) for seed in (1, 2))
    old, _ = update(make(first))
    until = threading.Event()
    server.on("/storage/", Fault(until=until))
    worker = threading.Thread(target=update, args=(make(second),))
    worker.start()
    while not any(second.revision in s.path and "/storage/" in s.path for s in server.seen):
        time.sleep(0.01)
    asked = len(server.seen)
    with pytest.raises(UsageError, match="at work"):
        update(make(second))
    composition = content_generator.compose(make(second), History(), START, seconds=30)
    assert any(old.name in (told := note.render()) and "model update" in told for note in composition.notes)
    assert len(composition.candidates) == len(OPENINGS)
    assert len(server.seen) == asked
    until.set()
    worker.join(30)
    assert choose.locate(make(second)).folder != old


def test_the_embedded_model_is_current(make, writer):
    """`model update` with MODEL=embedded does nothing when the package is the same, even where the owner tuned it."""
    settings = make(model="embedded")
    folder = embedded(settings)
    assert update(settings) == (folder, f"the embedded model is current: {folder.name}")
    own = embedded(settings, "embedded-own")
    said = files.manifest(own)
    said["adapter"]["from"] = "owner"
    (own / files.MANIFEST).write_text(json.dumps(said))
    choose.switch(settings, own)
    assert "tuned by you" in update(settings)[1]
    assert choose.locate(settings).folder == own


def test_an_older_embedded_model_writes_until_the_new_one_is_made(make):
    """After an update of the program the embedded model of before writes on, and says what to type."""
    settings = make(model="embedded")
    old = embedded(settings, "embedded-older-release")
    found = choose.locate(settings)
    assert (found.folder, found.stand_in) == (old, False)
    assert old.name in found.note
    assert found.fix.render() == "type: make model"


def test_an_owners_folder(make, writer, tmp_path):
    """An owner who changed their own folder records it anew with `model update`, after it was tried."""
    own = tmp_path / "mine"
    own.mkdir()
    for name, data in some_files().items():
        (own / name).write_bytes(data)
    settings = make(model=str(own))
    choose.locate(settings)
    (own / "model.safetensors").write_bytes(b"new weights")
    with pytest.raises(ModelError, match="checksum"):
        choose.locate(settings)
    writer([])
    with pytest.raises(ModelError, match="0 of 4"):
        update(settings)
    with pytest.raises(ModelError, match="checksum"):
        choose.locate(settings)
    writer(OPENINGS)
    update(settings)
    assert choose.locate(settings).folder == own


def test_a_tuned_model_is_tried_first(make, writer, tmp_path):
    """A tuned model that writes badly is not switched to and does not stay on the disk; a good one is, and rollback goes back."""
    settings = make(model="embedded")
    shipped = embedded(settings)
    statements = sources.load(settings.library_paths).statements
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"own")
    name = choose.embedded_folder(settings.models_dir, adapter).name
    writer([])
    bad = embedded(settings, name)
    with pytest.raises(ModelError, match="0 of 4 statements"):
        model_update.adopt_tuned(settings, adapter, statements)
    assert (bad.exists(), choose.locate(settings).folder) == (False, shipped)
    writer(OPENINGS)
    good = embedded(settings, name)
    assert model_update.adopt_tuned(settings, adapter, statements) == good
    assert choose.locate(settings).folder == good
    assert choose.rollback(settings) == shipped


def test_what_is_in_use_survives_a_damaged_record(server, make, writer):
    """ACTIVE.json that holds nonsense, or what an early version wrote, costs no run."""
    settings = make(server.add(NAME, some_files()))
    old = embedded(settings)
    new, _ = update(settings)
    active = settings.models_dir / versions.ACTIVE
    for nonsense in ("", "{", "[]", '{"owner/name": 3}', '{"owner/name": {"x": 1}}', "\0"):
        active.write_text(nonsense)
        assert choose.locate(settings).folder == new
    active.write_text(json.dumps({"current": old.name, "previous": ""}))
    assert choose.active_folder(settings.models_dir) == old
    with pytest.raises(ModelError, match="no earlier model"):
        choose.rollback(settings)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {},
            "(MODE=hook); one that is good enough leads, otherwise a vetted one (OPENINGS=best)",
        ),
        ({"OPENINGS": "model"}, "the best that passes the gates leads (OPENINGS=model)"),
        ({"OPENINGS": "vetted"}, "the model is left out (OPENINGS=vetted); vetted openings lead"),
        ({"CANDIDATES": "0"}, "the model is left out (CANDIDATES=0); vetted openings lead"),
        ({"MODE": "free"}, "(MODE=free); set REQUIRE_APPROVAL=true and read each"),
        ({"MODE": "rewrite", "REQUIRE_APPROVAL": "true"}, "whose truth no gate can see (MODE=rewrite)"),
    ],
)
def test_check_names_the_mode(server, make, writer, monkeypatch, more, words):
    """`check` says what the model writes, and asks for approval of what nobody vetted."""
    repo = server.add(NAME, some_files())
    update(make(repo))
    settings = make(repo, **more)
    monkeypatch.setattr(client, "barriers", lambda: "filter")
    assert row_of("model", settings).endswith(words)


def test_check_reads_the_voice(server, make, writer, monkeypatch, tmp_path):
    """VOICE may name a file; one that is missing or too long is told by `check` and costs no tweet."""
    monkeypatch.setattr(client, "barriers", lambda: "filter")
    repo, file = server.add(NAME, some_files()), tmp_path / "voice.txt"
    update(make(repo))
    file.write_text("Dry and short.\n")
    assert voice_of(make(repo, VOICE=str(file))) == "Dry and short."
    assert voice_of(make(repo, VOICE="Dry, and/or short.")) == "Dry, and/or short."
    file.write_text("x" * 2001)
    for voice in (str(file), "no-such-voice.txt"):
        with pytest.raises(ModelError, match="VOICE"):
            row_of("model", make(repo, VOICE=voice))
        composition = content_generator.compose(make(repo, VOICE=voice), History(), START, seconds=30)
        assert composition.draft.origin == "wording"


# ---- the real thing, small --------------------------------------------------------------------------------------


@pytest.fixture
def still(tmp_path, server, library):
    """A world in real time whose MODEL is a hub model."""
    with fake_x.FakeX() as x:
        yield World(
            tmp_path,
            x,
            None,
            extra={
                "POST_INTERVAL_MINUTES": "1440",
                "MODEL": NAME,
                "HF_ENDPOINT": server.url,
                "CANDIDATES": "8",
                "SOURCES": str(library),
                "BUILTIN_LIBRARY": "false",
            },
        )


def test_a_real_model_from_the_hub(still, server, tiny):
    """As typed: update downloads, tries and switches, silently without a terminal; show lists it; a tick then writes with it."""
    repo = server.add(NAME, tiny)
    env = {"MODEL_REVISION": repo.revision}
    done = still.cli("model", "update", "--json", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    folder = json.loads(done.stdout)["folder"]
    shown = json.loads(still.cli("model", "show", "--all", "--json", env=env).stdout)
    assert (shown["folder"], shown["revision"], shown["note"]) == (folder, repo.revision, "")
    assert [(v["use"], v["name"], v["revision"]) for v in shown["versions"]] == [
        ("in use", NAME, repo.revision)
    ]
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (still.folder / "data" / "models").rglob("*")}
    assert {mode for name, mode in modes.items() if "." in name} == {0o600}
    assert modes[os.path.basename(folder)] == 0o700
    assert server.seen
    server.seen.clear()
    done = still.cli(env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    candidates = still.rows("SELECT * FROM candidates")
    assert {row["opening"] for row in candidates} & {opening for *_, opening in tiny_model.STATEMENTS}
    assert server.seen == []
    still.check_promise()


def test_a_tick_names_the_command(still):
    """With nothing downloaded the vetted wording goes out, nothing is asked of the hub, and `check` names the command."""
    env = {"MODEL_REVISION": "a" * 40, "HF_ENDPOINT": "http://127.0.0.1:9"}
    done = still.cli(env=env)
    assert (done.returncode, still.rows()[0]["origin"]) == (0, "wording")
    checked = {row["part"]: row for row in json.loads(still.cli("check", "--json", env=env).stdout)["parts"]}
    assert checked["model"]["fix"] == "type: python -m src.twitter_manager model update"
