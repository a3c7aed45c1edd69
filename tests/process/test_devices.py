"""DEVICE as an owner meets it: where the model wrote reaches the notes and `model show`, and `check` says what is missing."""

import argparse
import json
import re

import pytest

from src import content_generator
from src.commands import check, model
from src.commands.command import Context
from src.domain.errors import ConfigError
from src.domain.notes import NoteCode
from src.domain.texts import History
from src.model import choose, placement
from src.model.devices import NO_MEMORY
from src.system.clock import Clock
from tests.support import child
from tests.support.models import NAME, OPENINGS, WRITES, embedded, row_of, some_files, update
from tests.support.world import START

SHORT = {"device": "cpu", "dtype": "bfloat16", "reason": NO_MEMORY, "left": "cuda", "detail": "out of memory"}
GPU = {"device": "cuda", "dtype": "bfloat16", "reason": "", "left": "", "detail": ""}


def writes_at(monkeypatch, place):
    """Put a script in the place of the model's process, which says that it wrote there."""
    child.become(monkeypatch, (WRITES % OPENINGS).replace("'tokens': 9", f"'place': {place!r}, 'tokens': 9"))


def shown(settings):
    """Return what `model show` says: data and text."""
    return model._show(argparse.Namespace(all=False), settings)


def test_where_the_model_wrote(server, make, monkeypatch):
    """A GPU that ran out of memory is told in a note of the run and by `model show`, until it writes again."""
    settings = make(server.add(NAME, some_files()))
    writes_at(monkeypatch, GPU)
    update(settings)
    assert "last wrote on cuda in bfloat16" in shown(settings)[1]
    writes_at(monkeypatch, SHORT)
    composition = content_generator.compose(settings, History(), START, seconds=60)
    assert composition.draft.origin == "model"
    (note,) = [note for note in composition.notes if note.code == NoteCode.MODEL_ON_CPU]
    assert note.message == "the memory of cuda did not suffice, so the model wrote on the CPU"
    assert "DEVICE=cpu" in note.render()
    data, text = shown(settings)
    assert data["last_place"] == SHORT
    assert note.message in text
    writes_at(monkeypatch, GPU)
    assert not content_generator.compose(settings, History(), START, seconds=60).notes
    assert note.message not in shown(settings)[1]


@pytest.mark.parametrize(
    "place", [None, 3, {}, {"reason": "other"}, {"device": 7, "left": "x" * 999}, {"unknown": 1}]
)
def test_whatever_the_process_says_of_its_place(server, make, monkeypatch, place):
    """An answer about the place that is no answer costs nothing."""
    settings = make(server.add(NAME, some_files()))
    writes_at(monkeypatch, place)
    update(settings)
    assert not content_generator.compose(settings, History(), START, seconds=60).notes
    (settings.models_dir / "DEVICE.json").write_text(json.dumps([place]))
    assert shown(settings)[0]["last_place"] is None


def test_no_model_is_told_once(server, make):
    """A model that is not installed is one failure of `check`, not two; a stand-in writes on the CPU."""
    settings = make(server.add(NAME, some_files()), DEVICE="cuda")
    assert row_of("device", settings).startswith("not asked")
    embedded(settings)
    assert row_of("device", settings) == "the embedded model writes on the CPU, whatever DEVICE says"


def test_the_files_are_read_once(server, make, writer, monkeypatch):
    """The rows about the model and its device share one reading of its checksums: a model has gigabytes."""
    settings = make(server.add(NAME, some_files()))
    update(settings)
    read, locate = [], choose.locate
    monkeypatch.setattr(choose, "locate", lambda given: read.append(1) or locate(given))
    rows = check.run(Context(argparse.Namespace(online=False), settings, Clock())).data["parts"]
    assert {"model", "device"} <= {row["part"] for row in rows}
    assert len(read) == 1


@pytest.mark.torch
def test_a_gpu_that_torch_cannot_use(server, make, writer, monkeypatch, tmp_path):
    """`check` asks the installed torch: a build without GPU support is named with the line that replaces it."""
    repo = server.add(NAME, some_files())
    update(make(repo))
    monkeypatch.undo()  # the real torch answers
    monkeypatch.setattr(placement, "NVIDIA", tmp_path / "nvidia0")
    assert row_of("device", make(repo)) == "the model writes on the CPU (no GPU was seen here)"
    with pytest.raises(ConfigError, match="DEVICE=cuda cannot be used.*this machine has none") as caught:
        row_of("device", make(repo, DEVICE="cuda"))
    assert "DEVICE=auto" in caught.value.fix.render()
    (tmp_path / "nvidia0").touch()
    assert row_of("device", make(repo, DEVICE="cpu")) == "the model writes on the CPU (DEVICE=cpu)"
    says = row_of("device", make(repo))
    support = placement.probe(make(repo))
    version = support.torch.partition("+")[0]
    if support.built:
        pytest.skip("this torch was built for a GPU")
    assert f"the installed torch {support.torch} has no support for it" in says
    assert f"-m pip install --force-reinstall torch=={version}" in says
    with pytest.raises(ConfigError, match="has no support for it"):
        row_of("device", make(repo, DEVICE="cuda"))


ANSWERS = "print('%s')"


@pytest.mark.parametrize(
    ("answer", "more", "words"),
    [
        ({"built": True, "accelerators": {"cuda": "bfloat16"}}, {}, "writes on cuda in bfloat16.*experim"),
        ({"built": True, "accelerators": {}}, {}, "torch 2.0 sees no GPU; .*nvidia-smi"),
        ({"built": True, "accelerators": {}}, {"GENERATE_MEMORY_MB": "900"}, "under GENERATE_MEMORY_MB=900"),
        ({"nonsense": 1}, {}, "torch gave no answer"),
    ],
    ids=["used", "no driver", "limited", "nonsense"],
)
def test_what_torch_answers(server, make, writer, monkeypatch, tmp_path, answer, more, words):
    """A GPU in use is called experimental; one that torch cannot see is told with what may hide it."""
    repo = server.add(NAME, some_files())
    update(make(repo))
    monkeypatch.setattr(placement, "NVIDIA", tmp_path)
    child.become(monkeypatch, ANSWERS % json.dumps({"torch": "2.0", **answer}))
    says = row_of("device", make(repo, **more))
    assert re.search(words, says), says
