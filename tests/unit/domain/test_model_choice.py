"""MODEL and MODEL_REVISION are parsed once, and no name stops a run."""

import pytest

from src import config
from src.config import ROOT
from src.domain.model_choice import Embedded, HubModel, OwnFolder, parse, role
from src.model import choose

COMMIT = "a" * 40


def chosen(name, **more):
    """Return what MODEL means to settings."""
    return config.load({"MODEL": name, **more}).model_choice


def test_the_embedded_model_has_no_revision():
    """`embedded` is the model of the program, whatever MODEL_REVISION says."""
    assert chosen("embedded", MODEL_REVISION=COMMIT) == Embedded()
    assert (Embedded().name, Embedded().revision) == ("embedded", "")


def test_a_folder_is_the_owners():
    """A folder that exists is the owner's, by an absolute path or one below the program's folder."""
    assert chosen("data/adapter") == OwnFolder("data/adapter", ROOT / "data" / "adapter")
    assert chosen(str(ROOT / "data")) == OwnFolder(str(ROOT / "data"), ROOT / "data")
    assert parse("embedded", "", ROOT) == Embedded()  # a folder of that name does not hide it


def test_a_folder_that_may_not_be_entered_is_a_folder(tmp_path, monkeypatch):
    """A folder behind one that this user may not enter is not taken for a model of the hub."""

    def refuse(_path):
        raise PermissionError

    monkeypatch.setattr(type(tmp_path), "is_dir", refuse)
    assert chosen(str(tmp_path / "mine")) == OwnFolder(str(tmp_path / "mine"), tmp_path / "mine")


@pytest.mark.parametrize(
    "name", ["owner/name", "nonsense", "/nowhere/at/all", "~nobody-at-all/model", "x" * 5000, "a\0b"]
)
def test_any_other_name_is_a_model_of_the_hub(name, tmp_path):
    """A name that is no folder is a model of the hub that is not installed; parsing and locating say so."""
    bare = config.load({"DATA_DIR": str(tmp_path)})
    settings = bare.model_copy(update={"model": name, "model_revision": COMMIT})
    assert settings.model_choice == HubModel(name, COMMIT)
    with pytest.raises(choose.ModelError, match=r"not downloaded|neither a folder nor a hub id"):
        choose.locate(settings)


def test_the_form_of_a_hub_id():
    """An owner and a name: nothing else can be downloaded."""
    assert HubModel("owner/name").is_hub_id is True
    assert HubModel("name").is_hub_id is False


@pytest.mark.parametrize(
    ("mode", "openings", "left_out", "words"),
    [
        ("hook", "best", "", "writes openings above vetted statements (MODE=hook); one that is good enough"),
        ("hook", "model", "", "(MODE=hook); the best that passes the gates leads (OPENINGS=model)"),
        ("free", "best", "", "writes whole tweets without a source, whose truth no gate can see (MODE=free)"),
        ("hook", "best", "CANDIDATES=0", "is left out (CANDIDATES=0)"),
        ("free", "vetted", "OPENINGS=vetted", "is left out (OPENINGS=vetted)"),
    ],
)
def test_what_the_model_does(mode, openings, left_out, words):
    """What the model writes and which opening leads is told for openings; a model that is left out is said to be."""
    assert words in role(mode, openings, left_out)
    assert ("leads" in role(mode, openings, left_out)) == (mode == "hook" and not left_out)
