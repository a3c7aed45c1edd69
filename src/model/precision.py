"""Which number format the weights of a converted model get on this machine: measured once, when it is installed.

bfloat16 where the CPU multiplies it, float32 where that is quicker, eight-bit integers where they keep pace: they
take half the memory. What was measured is recorded in the model's manifest.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.model.llama import WEIGHTS, Llama, can_run, quantise, save_aligned
from src.model.worker import prompt_for

if TYPE_CHECKING:
    import torch

STEPS, PASSES = 20, 3
"""What one tweet takes: so many decoding steps of 16 rows and so many passes over 64 tokens."""
WORTH_ITS_MEMORY = 1.25
"""Eight-bit weights are taken up to so many times the quickest format's time."""
MAX_DIVERGENCE = 0.05
"""Most that eight-bit weights may change the next token's distribution: mean Kullback-Leibler divergence, nats."""
_REPEATS = 5
_TEXT = "git bisect runs a binary search through the commit history and finds the commit that brought a bug in few steps."
_OPENING = "How do you find the commit that brought a bug?"


def settle(folder: Path) -> dict[str, Any]:
    """Measure the formats, leave the weights in `folder` in the best one, and return what was measured.

    `{"dtype": "bfloat16", "int8": true, "seconds": {format: estimate for one tweet}, "divergence": nats}`
    """
    from safetensors.torch import load_file  # noqa: PLC0415

    if not can_run(folder):
        return {"dtype": "bfloat16", "int8": False}
    seconds, said = {}, {}
    for name in ("bfloat16", "float32"):
        seconds[name], said[name] = _try(folder, name)
    small, full = folder / f".{WEIGHTS}.int8", folder / f".{WEIGHTS}.full"
    save_aligned(quantise(load_file(folder / WEIGHTS)), small)
    (folder / WEIGHTS).rename(full)
    small.rename(folder / WEIGHTS)
    seconds["int8"], said["int8"] = _try(folder, "bfloat16")
    divergence = _divergence(said["float32"], said["int8"])
    dtype = min(("bfloat16", "float32"), key=lambda name: seconds[name])
    takes_int8 = seconds["int8"] <= WORTH_ITS_MEMORY * seconds[dtype] and divergence <= MAX_DIVERGENCE
    if takes_int8:
        full.unlink()
    else:
        full.rename(folder / WEIGHTS)
    return {
        "dtype": "bfloat16" if takes_int8 else dtype,
        "int8": takes_int8,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "divergence": round(divergence, 5),
    }


def _try(folder: Path, dtype: str) -> tuple[float, torch.Tensor]:
    """How long a model takes for one tweet, and what it says while it writes one; one model at a time is in memory."""
    model = Llama(folder, dtype)
    return _seconds(model), _distribution(model, *_words(folder))


def _seconds(model: Llama) -> float:
    """How long the work of one tweet takes: the quickest of a few steps and passes, added up."""
    import torch  # noqa: PLC0415

    past = model.new_cache(80)
    words = torch.arange(5, 69)[None]
    with torch.inference_mode():
        model.forward(words, past, last_only=True)
        rows = past.repeat(16)

        def read() -> None:
            model.forward(words, model.new_cache(64), last_only=True)

        def step() -> None:
            rows.length = past.length
            model.forward(words[:, :1].expand(16, 1), rows)

        return PASSES * _quickest(read) + STEPS * _quickest(step)


def _quickest(call: Callable[[], None]) -> float:
    found = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return min(found)


def _words(folder: Path) -> tuple[list[int], list[int]]:
    """Token ids of what a tuned model reads and of what it may write then."""
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    read, written = (
        tokenizer.encode(text, add_special_tokens=False).ids
        for text in (prompt_for(_TEXT, tuned=True), _OPENING)
    )
    return read, written


def _distribution(model: Llama, read: list[int], written: list[int]) -> torch.Tensor:
    """Log-probabilities [T, V] of each token of `written` and of what follows it. Elsewhere a tuned model was taught nothing."""
    import torch  # noqa: PLC0415

    words = torch.tensor([read + written])
    with torch.inference_mode():
        return (
            model.forward(words, model.new_cache(words.shape[1]))[0, len(read) - 1 :].float().log_softmax(-1)
        )


def _divergence(exact: torch.Tensor, other: torch.Tensor) -> float:
    return float((exact.exp() * (exact - other)).sum(-1).mean())
