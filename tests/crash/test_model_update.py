"""Real models: rubbish, shards, the embedded one made anew, and one that is tuned."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from src import config
from src.config import ROOT
from src.content import library as sources
from src.content.gates import judge_opening
from src.domain.errors import ModelError
from src.model import choose, client, files
from tests.support import tiny_model
from tests.support.models import NAME, update
from tests.support.needs import embedded_model


def test_a_real_model_that_writes_rubbish(make, server, tmp_path, tiny):
    """A model that never learned anything does not pass its trial."""
    settings = make(server.add(NAME, tiny_model.make(tmp_path / "random", steps=0, width=64)))
    with pytest.raises(ModelError, match="of 4 statements"):
        update(settings)
    with pytest.raises(ModelError, match="not downloaded"):
        choose.locate(settings)


def test_a_real_model_in_shards(make, server, tmp_path):
    """A model whose weights come in several files is loaded through transformers and writes."""
    tiny_model.make(tmp_path / "whole")
    settings = make(server.add(NAME, tiny_model.in_shards(tmp_path / "whole")))
    folder, _ = update(settings)
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    statements = sources.load(settings.library_paths).statements
    written = client.write(
        settings, choose.locate(settings), [(s.id, s.statement) for s in statements], seconds=120, seed=1
    )
    assert any(
        judge_opening(text, s, s.statement).passed for s in statements for text, _ in written[s.id].openings
    )


@pytest.mark.timeout(900)
@pytest.mark.model
def test_the_embedded_model_made_anew(tmp_path, capsys):
    """An older embedded model in use: update converts the packaged one, tries it and switches; rollback goes back."""
    installed = embedded_model(config.load({"DATA_DIR": str(ROOT / "data")})).folder
    settings = config.load({"DATA_DIR": str(tmp_path / "data")})
    old = settings.models_dir / "embedded-older"
    shutil.copytree(installed, old, copy_function=os.link)
    said = files.manifest(old)
    (old / files.MANIFEST).unlink()
    (old / files.MANIFEST).write_text(json.dumps({**said, "source": {"gguf": "0" * 64}}))
    choose.switch(settings, old)
    new, _ = update(settings)
    assert new == choose.embedded_folder(settings.models_dir)
    assert choose.locate(settings).folder == new
    assert choose.rollback(settings) == old
    assert choose.locate(settings).folder == old


@pytest.mark.timeout(3600)
@pytest.mark.model
def test_tuning_from_the_owners_examples(tmp_path, library):
    """As typed: too short a training is rejected by the trial and the model in use stays; a longer one is used; rollback goes back."""
    installed = embedded_model(config.load({"DATA_DIR": str(ROOT / "data")})).folder
    models = tmp_path / "data" / "models"
    shutil.copytree(installed, models / installed.name, copy_function=os.link)
    examples = tmp_path / "mine.jsonl"
    examples.write_text(
        "".join(json.dumps({"statement": s, "opening": o}) + "\n" for _, _, s, o in tiny_model.STATEMENTS)
    )
    (tmp_path / "empty.env").touch(mode=0o600)
    env = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "ENV_FILE": str(tmp_path / "empty.env"),
        "DATA_DIR": str(tmp_path / "data"),
        "LOG_DIR": str(tmp_path / "logs"),
        "SOURCES": str(library),
        "BUILTIN_LIBRARY": "false",
    }

    def typed(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "src.twitter_manager", "model", *arguments],
            cwd="/",
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    short = typed("tune", "--examples", str(examples), "--epochs", "0.02")
    assert (short.returncode, "wrote a usable text for" in short.stderr) == (69, True), short.stderr
    assert json.loads(typed("show", "--json").stdout)["folder"] == str(models / installed.name)
    long = typed("tune", "--examples", str(examples), "--epochs", "30", "--json")
    assert (long.returncode, long.stderr) == (0, "")
    assert json.loads(long.stdout)["pairs"] == 2 * len(tiny_model.STATEMENTS)
    tuned = json.loads(typed("show", "--json").stdout)
    assert (tuned["tuned"], tuned["folder"] != str(models / installed.name)) == (True, True)
    assert typed("rollback").returncode == 0
    assert json.loads(typed("show", "--json").stdout)["folder"] == str(models / installed.name)
