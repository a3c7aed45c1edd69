"""Whatever lies in a model's folder ends as one error with its reason and fix, or is no harm."""

import json

import pytest

from src import config
from src.domain.errors import ModelError
from src.model import choose, files, versions
from src.model.files import MANIFEST, names_code
from src.system.files import MAX_JSON_BYTES

DEEP = "[" * 100_000
BROKEN = ["", "{", "[]", "7", '"text"', "null", DEEP, '{"a": ' * 50_000, "\ud800", "{'a': 1}", "NaN"]


@pytest.fixture
def folder(tmp_path):
    """A folder of an owner's with a model that has all it needs."""
    made = tmp_path / "model"
    made.mkdir()
    (made / "model.safetensors").write_bytes(b"weights")
    (made / "config.json").write_text('{"model_type": "llama"}')
    return made


def locate(tmp_path, folder):
    return choose.locate(config.load({"DATA_DIR": str(tmp_path), "MODEL": str(folder)}))


def test_a_sound_folder(tmp_path, folder):
    """A folder that says what it must is taken."""
    assert locate(tmp_path, folder).folder == folder


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", MANIFEST])
def test_a_broken_file(tmp_path, folder, name, text):
    """A file of JSON that is none, or no object, is named with what to do; no other error gets out."""
    (folder / name).write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ModelError, match=f"{name}.*cannot be read|cannot be read.*") as told:
        locate(tmp_path, folder)
    assert told.value.fix


@pytest.mark.parametrize(
    "manifest",
    [{}, {"files": []}, {"files": {}, "source": []}, {"files": {"config.json": 7}}, {"files": {"../../x": "0"}},
     {"files": {"config.json": None}}, {"source": {}}, {"files": "x"}, {"files": {"config.json\0": "0"}},
     {"files": {}, "source": {}, "precision": {"dtype": 7}}, {"files": {}, "adapter": "x"}],
)  # fmt: skip
def test_an_odd_manifest(tmp_path, folder, manifest):
    """A manifest that says other things than it must is an error with a fix, or of no effect."""
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelError) as told:
        locate(tmp_path, folder)
    assert told.value.fix


@pytest.mark.parametrize(
    "manifest",
    [{"files": []}, {"files": {"config.json": 7}}, {"files": {"../../x": "0"}}, {"files": {"a\0": "0"}}, {"source": []}],
)  # fmt: skip
def test_an_odd_manifest_in_a_command(tmp_path, folder, manifest):
    """Commands that read a manifest themselves (`model update`, `model rollback`) get the same one error."""
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="no manifest") as told:
        files.verify(folder, tmp_path)
    assert told.value.fix
    with pytest.raises(ModelError, match="no manifest"):
        files.manifest(folder)


def test_a_manifest_without_a_source(tmp_path):
    """A manifest that does not say where the model is from is read as one of an unknown source, and is no bug."""
    settings = config.load({"DATA_DIR": str(tmp_path)})
    shipped = choose.embedded_folder(settings.models_dir)
    shipped.mkdir(parents=True)
    (shipped / MANIFEST).write_text('{"files": {}}')
    assert files.manifest(shipped)["source"].get("gguf") is None


@pytest.mark.parametrize(
    "text",
    [
        *BROKEN,
        '{"embedded": 7}',
        '{"embedded": {"current": 7}}',
        '{"embedded": {"current": "../x"}}',
        '{"current": 7}',
    ],
)
def test_a_broken_record_of_what_is_in_use(tmp_path, text):
    """A record of the versions that cannot be read is as none: the version that the settings name is used."""
    models = tmp_path / "models"
    models.mkdir()
    (models / versions.ACTIVE).write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ModelError, match="not installed"):
        choose.locate(config.load({"DATA_DIR": str(tmp_path)}))


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_version_beside_it(tmp_path, text):
    """A version with a broken manifest is listed and does no harm to the one in use."""
    settings = config.load({"DATA_DIR": str(tmp_path)})
    other = settings.models_dir / "other"
    other.mkdir(parents=True)
    (other / MANIFEST).write_text(text, encoding="utf-8", errors="surrogatepass")
    assert [v.folder for v in versions.installed(settings, tmp_path)] == [other]
    assert versions.prune(settings, keep=tmp_path) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('{"auto_map": {}}', True),
        (r'{"\u0061uto_map": {}}', True),
        ('{"text_config": {"auto_map": {"AutoModel": "x.Y"}}}', True),
        ('{"parts": [{"auto_map": 1}]}', True),
        ('{"note": "auto_map"}', False),
        ('{"model_type": "llama", "automap": 1}', False),
    ],
)
def test_code_in_a_configuration(tmp_path, folder, text, names):
    """A key that names code is found however it is written and wherever it stands; the word alone is none."""
    assert names_code(json.loads(text)) is names
    (folder / "config.json").write_text(text)
    if names:
        with pytest.raises(ModelError, match="code of its own"):
            locate(tmp_path, folder)


def test_a_huge_file(tmp_path, folder):
    """A file that is too large is not read into the process that holds the keys."""
    with (folder / "config.json").open("wb") as file:
        file.truncate(MAX_JSON_BYTES + 1)
    with pytest.raises(ModelError, match="more than 50,000,000 bytes"):
        locate(tmp_path, folder)
