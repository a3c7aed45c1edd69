"""A tiny trained Qwen3 with the real vocabulary and a chat template: from its name on the hub to a tweet."""

import json

import pytest

from tests import fake_x
from tests.support import qwen, tiny_model
from tests.support.models import NAME
from tests.support.world import World

pytestmark = [pytest.mark.needs("qwen"), pytest.mark.torch, pytest.mark.xdist_group("torch")]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The files of a small Qwen3 that learned four openings."""
    return qwen.make(tmp_path_factory.mktemp("qwen"))


@pytest.fixture
def still(tmp_path, server, library):
    """A world whose MODEL is the name of a hub model, and nothing else."""
    with fake_x.FakeX() as x:
        extra = {
            "MODEL": NAME,
            "HF_ENDPOINT": server.url,
            "SOURCES": str(library),
            "BUILTIN_LIBRARY": "false",
        }
        yield World(tmp_path, x, None, extra={"POST_INTERVAL_MINUTES": "1440", **extra})


def test_a_name_is_enough(still, server, files):
    """`model update` pins the newest commit and tries it; `model show` says what it is; a tick is led by its opening."""
    repo = server.add(NAME, files)
    done = still.cli("model", "update", "--json", timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    shown = json.loads(still.cli("model", "show", "--json").stdout)
    assert shown["revision"] == repo.revision
    assert shown["sampling"] == {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "max_new_tokens": 24}
    assert (shown["trial"]["has_template"], shown["trial"]["shares_prompt"]) == (True, True)
    assert shown["trial"]["parameters"] > 9_000_000
    assert shown["trial"]["tokens_per_second"] > 0
    assert "chat template" in still.cli("model", "show").stdout
    assert still.cli().returncode == 0
    (post,) = still.rows()
    assert post["origin"] == "model"
    taught = {statement: opening for _, _, statement, opening in tiny_model.STATEMENTS}
    opening, _, statement = post["content"].partition("\n\n")
    assert opening == taught[statement]
