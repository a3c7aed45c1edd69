"""No file that a run reads hangs it: a pipe without a writer in its place is named, or counts as nothing."""

import json
import os
from types import SimpleNamespace

import pytest

from src import config
from src.content.intake import read_file
from src.domain.errors import ModelError, StorageError
from src.model import decode, files, llama, placement, sampling, versions
from src.model.voice import voice_of
from src.posting import apart
from src.system.files import read_json, read_regular
from src.watch import alerts
from src.x import account_name


@pytest.fixture
def pipe(tmp_path):
    """Make pipes without a writer; a reader that waits for one never comes back."""

    def made(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)
        return path

    return made


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "read", [lambda path: read_regular(path, 10), read_json, read_file, files.read_object, files.sha256]
)
def test_a_pipe_is_named(pipe, read):
    """Where the file is wanted, the reason is told."""
    with pytest.raises((ValueError, ModelError), match="it is not a regular file"):
        read(pipe("file"))


@pytest.mark.timeout(10)
def test_a_voice(pipe):
    """VOICE that names a pipe costs no tweet: the vetted text goes out, with the reason."""
    settings = config.load({"VOICE": str(pipe("voice.txt")), "MODEL": "owner/name"})
    with pytest.raises(ModelError, match="voice.txt cannot be read: it is not a regular file"):
        voice_of(settings)


@pytest.mark.timeout(10)
def test_a_ledger_of_several_accounts(pipe, tmp_path):
    """Without it no text would be kept apart: that is told."""
    with pytest.raises(StorageError, match="it is not a regular file"):
        apart._read(pipe("ledger"))
    assert apart._read(tmp_path / "none") == []


@pytest.mark.timeout(10)
def test_what_counts_as_nothing(pipe, tmp_path):
    """What the program would write anew counts as not there."""
    pipe("DEVICE.json"), pipe("ACTIVE.json"), pipe("generation_config.json"), pipe("data/account.json")
    settings = SimpleNamespace(data_dir=tmp_path / "data", account_id="1")
    assert versions.active(tmp_path) == {}
    assert placement.last(tmp_path, tmp_path) is None
    assert sampling._read(tmp_path / "generation_config.json") == {}
    assert account_name.known(settings) == ""
    assert alerts._read(pipe("alerts.json")) == {}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ["config.json", "chat_template.jinja", "vocab.json"])
def test_a_file_of_a_model(pipe, tmp_path, name):
    """A pipe in the folder of a model, also one that only the libraries would open, is named before they look."""
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    pipe(name)
    with pytest.raises(ModelError, match=f"{name} cannot be read: it is not a regular file"):
        files.refuse_unsafe(tmp_path)


@pytest.mark.timeout(10)
def test_recorded_weights(pipe, tmp_path):
    """A pipe in the place of recorded weights is no checksum to wait for."""
    recorded = {"files": {"model.safetensors": "0" * 64}}
    (tmp_path / files.MANIFEST).write_text(json.dumps(recorded))
    pipe("model.safetensors")
    with pytest.raises(ModelError, match="it is not a regular file"):
        files.verify(tmp_path, tmp_path)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("read", [decode._end_tokens, llama.can_run])
def test_in_the_process_of_the_model(pipe, tmp_path, read):
    """What is put in the place of a file between the check and the loading is no file to wait for."""
    pipe("config.json")
    with pytest.raises(ValueError, match="it is not a regular file"):
        read(tmp_path)
