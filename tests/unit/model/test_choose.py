"""Which models may be loaded: safetensors, unchanged, without code of their own."""

import json
import shutil

import pytest

from src import config
from src.domain.errors import ModelError
from src.model import convert, files
from src.model.choose import locate
from src.model.convert import packaged_gguf
from src.model.files import MANIFEST, checksums, refuse_unsafe
from tests.support.needs import embedded_model


@pytest.fixture
def folder(tmp_path):
    """A folder that looks like a model."""
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (made / "tokenizer.json").write_text("{}")
    (made / "model.safetensors").write_bytes(b"weights")
    return made


def settings_for(tmp_path, model, **more):
    return config.load({"DATA_DIR": str(tmp_path / "data"), "MODEL": str(model), **more})


def test_own_folder_is_recorded_at_first_use(tmp_path, folder):
    """An owner's folder is trusted at its first use; a byte changed later is refused by name."""
    settings = settings_for(tmp_path, folder)
    assert locate(settings).folder == folder
    (folder / "model.safetensors").write_bytes(b"weightz")
    with pytest.raises(ModelError, match="model.safetensors is not the file that was recorded"):
        locate(settings)


def test_checksums_that_cannot_be_recorded(tmp_path, folder):
    """Without a place to record a folder's checksums it is not used, and the reason names that place."""
    settings = settings_for(tmp_path, folder)
    settings.models_dir.parent.mkdir(parents=True)
    settings.models_dir.touch()
    with pytest.raises(ModelError, match="cannot be recorded") as caught:
        locate(settings)
    assert str(settings.models_dir) in caught.value.fix.render()


def test_added_weights_are_refused(tmp_path, folder):
    """Weights that appear after the recording are refused."""
    settings = settings_for(tmp_path, folder)
    locate(settings)
    (folder / "more.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match="was not there"):
        locate(settings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: shutil.rmtree(f) or f.mkdir(), "is empty"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "only pickled ones"),
        (lambda f: (f / "model.safetensors").unlink(), "no safetensors"),
        (lambda f: (f / "config.json").write_text('{"auto_map": {"AutoModel": "evil.Model"}}'), "auto_map"),
        (lambda f: (f / "config.json").write_text('{"model_type": "own", "auto_map": {}}'), "auto_map"),
    ],
)
def test_unsafe_folders(folder, change, words):
    """An empty folder, pickled weights, and a model that wants to run code are refused with the reason and a fix."""
    change(folder)
    with pytest.raises(ModelError, match=words) as caught:
        refuse_unsafe(folder)
    assert caught.value.fix


def test_code_that_is_only_named(folder):
    """A configuration that names code for an architecture that transformers has is accepted."""
    (folder / "config.json").write_text('{"model_type": "phi3", "auto_map": {"AutoModel": "own.Model"}}')
    (folder / "tokenizer_config.json").write_text('{"auto_map": {}}')
    refuse_unsafe(folder)


def test_unknown_names(tmp_path):
    """A name that is neither a folder nor a hub id, and a hub model not downloaded, are told apart."""
    with pytest.raises(ModelError, match="neither a folder nor a hub id"):
        locate(settings_for(tmp_path, "name"))
    with pytest.raises(ModelError, match="not downloaded"):
        locate(settings_for(tmp_path, "owner/name", MODEL_REVISION="a" * 40))
    with pytest.raises(ModelError, match="not installed"):
        locate(settings_for(tmp_path, "embedded"))


def test_the_packaged_weights_are_checked(monkeypatch, tmp_path):
    """The GGUF in the package is the one we know; another one, or none, is refused with the command to type."""
    assert packaged_gguf().name == convert.GGUF_NAME
    monkeypatch.setattr(convert, "GGUF_SHA256", "0" * 64)
    with pytest.raises(ModelError, match="checksum"):
        packaged_gguf()
    monkeypatch.setattr(convert.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="not installed"):
        packaged_gguf()


@pytest.mark.torch
def test_failed_conversion_leaves_nothing(monkeypatch, tmp_path):
    """A conversion that fails says so and leaves no half a model behind."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF nonsense")
    monkeypatch.setattr(convert, "packaged_gguf", lambda: broken)
    with pytest.raises(ModelError, match="could not be converted"):
        convert.install_embedded(tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.model
def test_embedded_model_is_sound(tmp_path):
    """The installed model passes its own manifest; with a flipped byte it is refused."""
    settings = config.load({"DATA_DIR": str(config.ROOT / "data")})
    model = embedded_model(settings)
    assert set(checksums(model.folder)) == set(json.loads((model.folder / MANIFEST).read_text())["files"])
    copy = tmp_path / "copy"
    shutil.copytree(model.folder, copy)
    with (copy / "model.safetensors").open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(ModelError, match="checksum"):
        files.verify(copy, tmp_path)
