"""`evaluate --against`: two installed models side by side, through the program as it is typed."""

import json
import re

import pytest

from src import config
from src.content import library as sources
from src.domain.errors import ModelError, UsageError
from src.model import choose
from src.upkeep import comparison
from tests import fake_x
from tests.support import child, tiny_model
from tests.support.models import NAME, OPENINGS, WRITES, embedded, some_files, update
from tests.support.needs import embedded_model
from tests.support.world import World

# Writes as a good model where the folder is a hub model's, and as a bad one where it is the embedded model's.
TWO = """
import json, sys
bad = None
for line in sys.stdin:
    request = json.loads(line)
    if 'model' in request:
        bad = 'embedded-' in request['model']
    for s in request['statements']:
        said = [['Sure, here is the question: what is this', -0.1, -0.2]] if bad else %r
        more = {'dropped': {'thinking': 3}, 'peak_mb': 300.0} if bad else {'peak_mb': 700.0}
        print(json.dumps({'id': s['id'], 'openings': said, 'tokens': 9, 'seconds': 0.1, **more}), flush=True)
"""


def compared(settings, name):
    """Compare the model in use with another on the statements of the library."""
    return comparison.compare(settings, sources.load(settings.library_paths).statements, 4, name)


@pytest.fixture
def both(server, make, monkeypatch):
    """Settings with a hub model in use and the embedded one installed, whose processes are scripts."""
    settings = make(server.add(NAME, some_files()))
    embedded(settings)
    child.become(monkeypatch, WRITES % OPENINGS)
    update(settings)
    child.become(monkeypatch, TWO % OPENINGS)
    return settings


def test_each_has_its_own_figures(both):
    """Shares, leads, reasons and memory are those of the model's own process, also of the second one."""
    one, other = compared(both, "embedded").sides
    assert (one.name, other.name) == (NAME, choose.EMBEDDED_NAME)
    assert [r.id for r in one.evaluation.results] == [r.id for r in other.evaluation.results]
    assert (one.leads, other.leads, other.passed) == (1.0, 0.0, 0.0)
    assert (one.evaluation.model_peak_mb, other.evaluation.model_peak_mb) == (700.0, 300.0)
    assert "thinking" not in one.evaluation.reasons
    assert other.evaluation.reasons["thinking"] == 3 * 3 * 4  # in three rounds
    text = comparison.as_text(compared(both, "embedded"))
    assert re.search(r"^leads +100% \(4 of 4 statements\) +0% \(0 of 4 statements\)$", text, re.MULTILINE)
    assert re.search(r"^refused: thinking +0 +36$", text, re.MULTILINE)
    assert text.count("    2: (no opening)") == 4


@pytest.mark.parametrize("name", ["embedded", choose.EMBEDDED_NAME, "folder"])
def test_by_which_names(both, name):
    """An installed model goes by its name or by its folder, and never stands on both sides."""
    folder = choose.embedded_folder(both.models_dir).name
    assert compared(both, folder if name == "folder" else name).against.folder.name == folder
    with pytest.raises(UsageError, match=f"by the name {NAME}; there are: {folder}") as caught:
        compared(both, NAME)
    assert "model show --all" in caught.value.fix.render()


def test_a_spoilt_model_is_not_compared(both):
    """The other model is verified as the one in use is."""
    (choose.embedded_folder(both.models_dir) / "model.safetensors").write_bytes(b"rot")
    with pytest.raises(ModelError, match="checksum"):
        compared(both, "embedded")


@pytest.mark.model
@pytest.mark.timeout(300)
def test_the_embedded_model_beside_a_small_one(tmp_path, server, library, tiny):
    """As typed, with real models: a table for people, and with --json the figures and texts of both."""
    with fake_x.FakeX() as x:
        extra = {"HF_ENDPOINT": server.url, "SOURCES": str(library), "BUILTIN_LIBRARY": "false"}
        world = World(tmp_path, x, None, extra={"CANDIDATES": "8", **extra})
        installed = embedded_model(config.load({"DATA_DIR": str(config.ROOT / "data")}))
        (tmp_path / "data" / "models").mkdir(parents=True)
        (tmp_path / "data" / "models" / installed.folder.name).symlink_to(installed.folder)
        server.add(NAME, tiny)
        assert world.cli("model", "update", env={"MODEL": NAME}).returncode == 0
        done = world.cli("evaluate", "--against", NAME, "-n", "4", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        one, other = json.loads(done.stdout)["models"]
        assert (one["name"], other["name"]) == (choose.EMBEDDED_NAME, NAME)
        assert {r["text"] for r in one["results"]} == {s for _, _, s, _ in tiny_model.STATEMENTS}
        assert {r["opening"] for r in other["results"]} <= {o for *_, o in tiny_model.STATEMENTS} | {""}
        for side in (one, other):
            assert (side["statements"], side["tokens_per_second"] > 0) == (4, True)
            assert 100 < side["model_peak_mb"] < 3000
        assert "tokens a second" in world.cli("evaluate", "--against", NAME, "-n", "1").stdout
        text = world.cli("evaluate", "--against", "nothing").stderr
        assert "no other installed model goes by the name nothing" in text
