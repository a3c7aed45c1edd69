"""A tiny Qwen3 for tests: Qwen's real vocabulary, a chat template of its form, and a few openings learned by heart.

The vocabulary stands in the package `dashscope` (Apache 2.0), which nothing else of it needs: it is never a
dependency. `python -m tests.support.qwen` fetches it into `.passed/dashscope`.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from src.config import ROOT
from src.model.chat import Prompts
from tests.support.tiny_model import STATEMENTS

PACKAGE = "dashscope==2.0.2"
PLACE = ROOT / ".passed" / "dashscope"
VOCABULARY = PLACE / "qwen.tiktoken"
INSTALL = "python -m tests.support.qwen"
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)
_TEMPLATE = (
    "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
)
_CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def fetch() -> None:
    """Fetch the package with pip and keep the file of the vocabulary."""
    PLACE.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(PLACE), PACKAGE]
    subprocess.run(pip, check=True)
    with zipfile.ZipFile(next(PLACE.glob("*.whl"))) as wheel:
        VOCABULARY.write_bytes(wheel.read("dashscope/resources/qwen.tiktoken"))


def save_tokenizer(folder: Path) -> None:
    """Save Qwen's tokenizer and a chat template with a switch for thinking."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    ranks = {
        base64.b64decode(token): int(rank)
        for token, rank in (line.split() for line in VOCABULARY.read_bytes().splitlines())
    }
    names = {number: letter for letter, number in _letters().items()}

    def shown(token: bytes) -> str:
        return "".join(names[byte] for byte in token)

    pairs = (_parts(token, ranks) for token in ranks if len(token) > 1)
    merges = [(shown(left), shown(right)) for left, right in pairs]
    tokenizer = Tokenizer(models.BPE({shown(t): r for t, r in ranks.items()}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in _CONTROLS])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    (folder / "chat_template.jinja").write_text(_TEMPLATE)


def _letters() -> dict[str, int]:
    """Return GPT-2's letter for each byte, which a byte-level tokenizer shows its tokens with."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(b): b for b in plain} | {chr(256 + at): b for at, b in enumerate(others)}


def _parts(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """Return the two tokens of lower rank that make this one: join the best pair until two are left."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        pairs = [ranks.get(a + b, len(ranks)) for a, b in zip(parts, parts[1:], strict=False)]
        at = min(range(len(pairs)), key=pairs.__getitem__)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


def make(folder: Path, *, kind: str = "qwen3", steps: int = 40, **shape: Any) -> dict[str, bytes]:
    """Train a small model of that kind on the openings, as its template asks for them; the files by name."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    save_tokenizer(folder)
    prompts = Prompts(folder, "hook")
    end = prompts.tokenizer.convert_tokens_to_ids("<|im_end|>")
    sizes = {
        "vocab_size": len(prompts.tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "tie_word_embeddings": True,
        "max_position_embeddings": 2048,
        "bos_token_id": None,
        "eos_token_id": end,
        "pad_token_id": None,
    }
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[kind](**{**sizes, **shape}), dtype=torch.float32)
    _teach(model, [(prompts.ids(s), [*prompts._encode(o), end]) for _, _, s, o in STATEMENTS], steps)
    model.save_pretrained(folder)
    sampling = {"do_sample": True, "temperature": 0.6, "top_p": 0.95, "top_k": 20, "eos_token_id": [end]}
    (folder / "generation_config.json").write_text(json.dumps(sampling))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _teach(model: Any, rows: list[tuple[list[int], list[int]]], steps: int) -> None:
    """Let a model learn answers by heart. Logits are made for the answers only: a vocabulary is large."""
    import torch

    longest = max(len(b) for _, b in rows)
    width = max(len(a) for a, _ in rows)
    ids = torch.tensor([[0] * (width - len(a)) + a + b + [0] * (longest - len(b)) for a, b in rows])
    mask = torch.tensor([[0] * (width - len(a)) + [1] * (len(a) + longest) for a, _ in rows])
    labels = torch.tensor([b + [-100] * (longest - len(b)) for _, b in rows])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(steps):
        logits = model(input_ids=ids, attention_mask=mask, logits_to_keep=longest + 1).logits[:, :-1]
        loss: Any = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    torch.set_num_threads(threads)


if __name__ == "__main__":
    fetch()
