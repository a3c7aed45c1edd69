"""The first trial of an architecture: a token on random weights, before the real ones are fetched."""

import pytest

from src import config
from src.domain.errors import ConfigError
from src.model import trial
from tests.support import architectures, child

pytestmark = [pytest.mark.torch, pytest.mark.xdist_group("torch")]


@pytest.mark.parametrize("kind", ["qwen3", "lfm2"])
def test_one_token_without_weights(tmp_path, kind):
    """The configuration, the tokenizer and the template are enough; the parameters are those of the whole model."""
    model = architectures.build(kind, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    found = trial.one_token(tmp_path)
    assert found.parameters == sum(weight.numel() for weight in model.parameters())
    assert (found.has_template, found.shares_prompt) == (False, True)
    assert found.memory_mb >= trial.SPARE_MEMORY_MB


def test_a_template_that_fails(tmp_path):
    """A template that raises whatever it is asked is found out before the weights."""
    architectures.build("qwen3", tmp_path)
    (tmp_path / "chat_template.jinja").write_text("{{ raise_exception('not today') }}")
    with pytest.raises(Exception, match="not today"):
        trial.one_token(tmp_path)


def test_a_cache_that_cannot_be_shared(tmp_path, monkeypatch):
    """Where rows that share the prompt are scored otherwise than alone, each reads the prompt itself."""
    from src.model.generate import HubModel

    architectures.build("qwen3", tmp_path)
    monkeypatch.setattr(HubModel, "_repeated", lambda _self, past, _rows: past)
    assert not trial.one_token(tmp_path).shares_prompt


def test_only_a_few_layers_are_built():
    """Each kind of layer stays, and no more layers, words and experts than a trial needs; widths stay."""
    from transformers import CONFIG_MAPPING

    large = CONFIG_MAPPING["gemma3_text"](num_hidden_layers=12, vocab_size=9000, hidden_size=640)
    kinds = set(large.layer_types)
    small = trial.shrunk(large)
    assert set(small.layer_types) == kinds
    assert small.num_hidden_layers == len(small.layer_types) <= trial.MOST_LAYERS
    assert (small.vocab_size, small.hidden_size) == (trial.MOST_WORDS, 640)


def test_a_trial_that_fails_says_why(monkeypatch, tmp_path):
    """The last line that the process wrote is the reason, and the model is named."""
    child.become(monkeypatch, "import sys; sys.exit('no such layer')")
    settings = config.load({"DATA_DIR": str(tmp_path)})
    with pytest.raises(ConfigError, match="owner/name cannot write here: no such layer"):
        trial.try_architecture(settings, tmp_path, "owner/name")
