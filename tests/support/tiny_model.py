"""A small real model for tests: a Llama of a few hundred thousand weights that learned a few openings."""

from __future__ import annotations

import json
from pathlib import Path

from src.model.prompts import prompt_for

STATEMENTS = [
    (
        "reflog",
        "Git",
        "git reflog records where HEAD has been, so you can find a commit again after a bad reset.",
        "Lost some work?",
    ),
    (
        "ignore",
        "Docker",
        "A .dockerignore file keeps folders such as node_modules out of the build context.",
        "Slow image builds?",
    ),
    (
        "null",
        "SQL",
        "In SQL, a comparison with NULL is not true but unknown, so use IS NULL to find missing values.",
        "Missing rows?",
    ),
    (
        "scaler",
        "Machine learning",
        "Fit the scaler on the training split only; otherwise the test score is too good.",
        "Too good a score?",
    ),
]


def write_library(file: Path) -> Path:
    """Write the statements as a library file."""
    rows = [
        {
            "id": i,
            "topic": t,
            "statement": s,
            "wordings": [],
            "openings": [],
            "hashtags": [],
            "reference": "tests",
        }
        for i, t, s, _ in STATEMENTS
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def make(folder: Path, *, steps: int = 25, width: int = 128) -> dict[str, bytes]:
    """Train and save it as transformers would; the files by name. With 0 steps it writes rubbish."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM

    prompts = [prompt_for(s, tuned=False) for _, _, s, _ in STATEMENTS]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(prompts + [o for *_, o in STATEMENTS] * 3, trainer)
    torch.manual_seed(1)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=1024,
            bos_token_id=None,
            eos_token_id=None,
        )
    )
    newline = tokenizer.token_to_id("Ċ")
    assert newline is not None
    rows = []
    for prompt, (*_, opening) in zip(prompts, STATEMENTS, strict=True):
        start = tokenizer.encode(prompt, add_special_tokens=False).ids
        rows.append(
            (
                start,
                tokenizer.encode(f" {opening}", add_special_tokens=False).ids + [newline],
            )
        )
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    longest = max(len(a) + len(b) for a, b in rows)
    ids = torch.tensor([a + b + [0] * (longest - len(a) - len(b)) for a, b in rows])
    labels = torch.tensor([[-100] * len(a) + b + [-100] * (longest - len(a) - len(b)) for a, b in rows])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so little work that a second thread only waits
    for _ in range(steps):
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    torch.set_num_threads(threads)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def in_shards(folder: Path) -> dict[str, bytes]:
    """Return the same model as larger ones come: its weights in several files with an index."""
    from transformers import LlamaForCausalLM

    target = folder / "shards"
    LlamaForCausalLM.from_pretrained(folder).save_pretrained(target, max_shard_size="1MB")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (target / name).write_bytes((folder / name).read_bytes())
    return {file.name: file.read_bytes() for file in target.iterdir()}
