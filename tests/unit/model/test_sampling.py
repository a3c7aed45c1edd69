"""How the next token is chosen: the owner's settings win over the model's file, that over the program's figures."""

import json

import pytest

from src import config
from src.domain.errors import ConfigError
from src.model.sampling import Sampling


def sampling(tmp_path, said, mode="hook", **overrides):
    if said is not None:
        (tmp_path / "generation_config.json").write_text(said if isinstance(said, str) else json.dumps(said))
    return Sampling.of(tmp_path, mode, overrides)


@pytest.mark.parametrize(
    ("said", "figures"),
    [
        (None, (0.7, 0.95, 64)),
        ({"eos_token_id": 7}, (0.7, 0.95, 64)),
        ({"do_sample": True, "temperature": 0.6, "top_p": 0.95, "top_k": 20}, (0.6, 0.95, 20)),
        ({"temperature": 0.3, "min_p": 0.15}, (0.3, 1.0, 0)),
        ({"top_k": 0, "top_p": 1}, (1.0, 1.0, 0)),
        ({"do_sample": False, "temperature": 0.6}, (0.7, 0.95, 64)),
        ({"temperature": 0}, (0.7, 0.95, 64)),
        ({"temperature": "hot", "top_k": True, "top_p": 7}, (1.0, 1.0, 0)),
        ("[" * 10_000, (0.7, 0.95, 64)),
        ("[]", (0.7, 0.95, 64)),
    ],
)
def test_the_models_own_file(tmp_path, said, figures):
    """What the file names counts, greedy decoding and nonsense do not: sixteen equal rows are no candidates."""
    found = sampling(tmp_path, said)
    assert (found.temperature, found.top_p, found.top_k) == figures
    assert bool(found.note) is (
        isinstance(said, dict) and (said.get("do_sample") is False or said.get("temperature") == 0)
    )


def test_penalties(tmp_path):
    """min_p and the penalties of the file are kept, with greedy decoding too."""
    said = {"do_sample": False, "min_p": 0.15, "repetition_penalty": 1.05, "presence_penalty": 2.0}
    found = sampling(tmp_path, said)
    assert (found.min_p, found.repetition_penalty, found.presence_penalty) == (0.15, 1.05, 2.0)
    assert "presence_penalty" in found.as_data()
    assert "repetition_penalty" not in Sampling().as_data()


def test_the_owner_wins(tmp_path):
    """TEMPERATURE, TOP_P, TOP_K and MAX_NEW_TOKENS stand above the file; what is not set leaves it as it is."""
    given = {"TEMPERATURE": "0.2", "TOP_K": "0", "MAX_NEW_TOKENS": "40"}
    overrides = config.load(given).sampling_overrides
    found = sampling(tmp_path, {"temperature": 0.6, "top_p": 0.8, "top_k": 20}, **overrides)
    assert (found.temperature, found.top_p, found.top_k, found.max_new_tokens) == (0.2, 0.8, 0, 40)
    assert config.load({"TEMPERATURE": ""}).sampling_overrides == {}


def test_a_tweet_is_longer_than_an_opening(tmp_path):
    """Without MAX_NEW_TOKENS an opening gets 24 tokens and a whole tweet 72."""
    assert [sampling(tmp_path, None, mode).max_new_tokens for mode in ("hook", "rewrite", "free")] == [
        24,
        72,
        72,
    ]


@pytest.mark.parametrize(
    "given", [{"TEMPERATURE": "0"}, {"TOP_P": "1.1"}, {"TOP_K": "-1"}, {"MAX_NEW_TOKENS": "3"}]
)
def test_what_cannot_be_set(given):
    """Figures that no model can follow are refused with the name of the setting."""
    with pytest.raises(ConfigError, match=next(iter(given))):
        config.load(given)
