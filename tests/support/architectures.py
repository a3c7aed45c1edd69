"""Small random models of the causal architectures that transformers has, saved as a hub serves them."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

LETTERS = "\n" + string.printable[:95]
SIZES: dict[str, Any] = {
    "vocab_size": 128,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 2048,
    "initializer_range": 0.3,
    "sliding_window": 8,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
}
# What an architecture needs beside or in the place of these.
MORE: dict[str, dict[str, Any]] = {
    "lfm2": {"num_hidden_layers": 3, "layer_types": ["conv", "full_attention", "conv"]},
    "gemma3_text": {"initializer_range": 0.08, "layer_types": ["sliding_attention", "full_attention"]},
    "qwen3_5_text": {
        "layer_types": ["linear_attention", "full_attention"],
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "linear_key_head_dim": 16,
        "linear_value_head_dim": 16,
    },
}


def kinds() -> list[str]:
    """Return every kind of the causal mapping of the installed transformers."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def build(kind: str, folder: Path) -> Any:
    """Save a small random model of that kind in `folder` and return it."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    torch.manual_seed(1)
    made = CONFIG_MAPPING[kind]
    # A window that an architecture does not know would still shape its cache.
    known = {n: v for n, v in SIZES.items() if n != "sliding_window" or hasattr(made(), n)}
    config = made(**{**known, **MORE.get(kind, {})})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return model


def save_tokenizer(folder: Path) -> None:
    """Save a tokenizer with a token for each printable character."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {letter: number for number, letter in enumerate(dict.fromkeys(LETTERS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=" "))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.save(str(folder / "tokenizer.json"))
    said = {"tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))


def uncached(model: Any, prompt: list[int], row: list[int]) -> float:
    """Return the mean log-likelihood (nats a token) of a row behind a prompt by one pass without a cache."""
    import torch

    with torch.inference_mode():
        logits = model(torch.tensor([prompt + row[:-1]]), use_cache=False).logits[0, len(prompt) - 1 :]
        steps = logits.float().log_softmax(-1)
        return float(steps.gather(-1, torch.tensor(row)[:, None]).mean())
