"""The weights inside a GGUF file as a plain transformers model.

transformers reads such a file too, in twice the time, and keeps the weights packed so that they cannot be saved.
Here gguf unpacks each tensor and names it. A long test holds the two to the same numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def load(path: Path) -> Any:
    """The file's model as a `LlamaForCausalLM` in float32 (538 MB for 135 million parameters)."""
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
    """Query and key rows back in the order of transformers: llama.cpp interleaves the halves of each head."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(layer)
    if heads is None:
        return weight
    return weight.view(heads, -1, 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)
