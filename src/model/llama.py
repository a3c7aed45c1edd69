"""A Llama decoder in plain torch: what a cold process needs to write sixteen short openings, and no more.

transformers loads and runs the same weights; importing its modelling code and stepping through its generic
layers takes several times as long as this. Tests hold both to the same log-likelihoods. Shapes: B rows,
T tokens, H heads, K key-value heads, D head size, V vocabulary.

Weights are bfloat16 or float32, or eight-bit integers with a scale for each output (`quantise`), which take
half the memory and, where few rows wait for each weight, less time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

WEIGHTS = "model.safetensors"
SCALE = ".scale"
"""What the name of a matrix's scales ends in."""
_FEW_ROWS = 32
"""Up to so many rows the eight-bit kernel is the quicker one; it does the same work for each row anew."""
_BLOCK = 64
"""The eight-bit kernel works on whole blocks at aligned addresses and crashes on others."""


def quantise(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return matrices as int8 [out, in] with bfloat16 scales [out] (`name.scale`); vectors are unchanged."""
    import torch  # noqa: PLC0415

    found = {}
    for name, weight in weights.items():
        if weight.dim() != 2:
            found[name] = weight
            continue
        # The scale is rounded to bfloat16 first, so that its rounding is no error of its own.
        scale = (weight.float().abs().amax(1) / 127).clamp_min(1e-8).to(torch.bfloat16)
        found[name] = (weight.float() / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8)
        found[name + SCALE] = scale
    return found


def save_aligned(weights: dict[str, torch.Tensor], path: Path) -> None:
    """Save as safetensors whose tensors begin at multiples of 64 bytes, so that they can be used mapped."""
    from safetensors.torch import save_file  # noqa: PLC0415

    save_file(weights, path, {"padding": ""})
    with path.open("rb") as file:
        header = 8 + int.from_bytes(file.read(8), "little")
    save_file(weights, path, {"padding": " " * (-header % _BLOCK)})


def _aligned(weight: torch.Tensor) -> torch.Tensor:
    return weight if weight.data_ptr() % _BLOCK == 0 else weight.clone()


def restore(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the float32 weights that quantised ones stand for."""
    return {
        name: weight.float() * weights[name + SCALE].float()[:, None]
        if name + SCALE in weights
        else weight.float()
        for name, weight in weights.items()
        if not name.endswith(SCALE)
    }


def _config(folder: Path) -> dict[str, Any]:
    """Return the configuration. Raises `OSError`, and `ValueError` for what is no file or no JSON."""
    from src.system.files import read_json  # noqa: PLC0415 (not before the model is loaded)

    return dict(read_json(folder / "config.json"))


def can_run(folder: Path) -> bool:
    """Return whether a folder holds a plain Llama: one safetensors file, no biases, no scaled positions."""
    config = _config(folder)
    rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
    plain_rope = rope.get("rope_type", "default") == "default"
    return (
        config.get("model_type") == "llama"
        and (folder / WEIGHTS).exists()
        and plain_rope
        and not config.get("attention_bias")
        and not config.get("mlp_bias")
        and config.get("hidden_act") == "silu"
    )


class Llama:
    """The weights, mapped from one safetensors file, and the forward pass over a cache of rows."""

    def __init__(self, folder: Path, dtype: str = "bfloat16", positions: int = 1024) -> None:
        import torch  # noqa: PLC0415
        from safetensors.torch import load_file  # noqa: PLC0415

        self._torch = torch
        config = _config(folder)
        self.dtype = getattr(torch, dtype)
        weights = load_file(folder / WEIGHTS)
        self._w = {
            k.removeprefix("model."): _aligned(v) if v.dtype is torch.int8 else v.to(self.dtype)
            for k, v in weights.items()
        }
        self._head = "lm_head.weight" if "lm_head.weight" in self._w else "embed_tokens.weight"
        self._layers = config["num_hidden_layers"]
        self._heads, self._kv = config["num_attention_heads"], config["num_key_value_heads"]
        self._size = config.get("head_dim") or config["hidden_size"] // self._heads
        self._eps = config["rms_norm_eps"]
        rope = config.get("rope_parameters") or {}
        theta = config.get("rope_theta") or rope.get("rope_theta", 10000.0)
        inverse = 1.0 / theta ** (torch.arange(0, self._size, 2).float() / self._size)
        angles = torch.outer(torch.arange(positions).float(), inverse)
        self._cos = torch.cat([angles.cos(), angles.cos()], -1).to(self.dtype)
        self._sin = torch.cat([-angles.sin(), angles.sin()], -1).to(self.dtype)

    def new_cache(self, length: int) -> Cache:
        """Return an empty cache for one row of up to `length` tokens."""
        return Cache(
            [
                self._torch.empty(2, 1, self._kv, length, self._size, dtype=self.dtype)
                for _ in range(self._layers)
            ]
        )

    def forward(self, tokens: torch.Tensor, cache: Cache, *, last_only: bool = False) -> torch.Tensor:
        """Return the logits [B, T, V] (T = 1 with `last_only`) of `tokens` [B, T]; `cache` grows by T."""
        linear, norm = self._linear, self._torch.nn.functional.rms_norm
        rows, count = tokens.shape
        start, end = cache.length, cache.length + count
        cos, sin = self._cos[start:end], self._sin[start:end]
        mask = None
        if count > 1:
            mask = self._torch.ones(count, end, dtype=self._torch.bool).tril(start)
        x = self._embed(tokens)
        for index in range(self._layers):
            name = f"layers.{index}."
            h = norm(x, x.shape[-1:], self._w[name + "input_layernorm.weight"], self._eps)
            q = self._turn(linear(h, name + "self_attn.q_proj.weight"), cos, sin)
            k = self._turn(linear(h, name + "self_attn.k_proj.weight"), cos, sin)
            v = (
                linear(h, name + "self_attn.v_proj.weight")
                .view(rows, count, self._kv, self._size)
                .transpose(1, 2)
            )
            memory = cache.layers[index]
            memory[0, :, :, start:end] = k
            memory[1, :, :, start:end] = v
            h = self._attend(q, memory[0, :, :, :end], memory[1, :, :, :end], mask)
            x = x + linear(h, name + "self_attn.o_proj.weight")
            h = norm(x, x.shape[-1:], self._w[name + "post_attention_layernorm.weight"], self._eps)
            gate = self._torch.nn.functional.silu(linear(h, name + "mlp.gate_proj.weight"))
            x = x + linear(gate.mul_(linear(h, name + "mlp.up_proj.weight")), name + "mlp.down_proj.weight")
        cache.length = end
        x = x[:, -1:] if last_only else x
        return linear(norm(x, x.shape[-1:], self._w["norm.weight"], self._eps), self._head)

    def _embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Embed tokens: [B, T] -> [B, T, hidden]."""
        x = self._torch.nn.functional.embedding(tokens, self._w["embed_tokens.weight"])
        scale = self._w.get("embed_tokens.weight" + SCALE)
        return x if scale is None else x.to(self.dtype) * scale[tokens, None]

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Multiply `x` [..., in] by the matrix of that name -> [..., out]."""
        weight, scale = self._w[name], self._w.get(name + SCALE)
        if scale is None:
            return self._torch.nn.functional.linear(x, weight)
        rows = x.reshape(-1, x.shape[-1])
        whole = not any(side % _BLOCK for side in weight.shape)
        if whole and len(rows) <= _FEW_ROWS and self.dtype is self._torch.bfloat16:
            out = self._torch._weight_int8pack_mm(
                rows, weight, scale
            )  # torch's own, pinned with torch, held by tests
        else:
            out = self._torch.nn.functional.linear(rows, weight.to(self.dtype)).mul_(scale)
        return out.view(*x.shape[:-1], -1)

    def _turn(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        """Apply rotary positions: [B, T, H*D] -> [B, H, T, D]. `sin` has the sign of the swapped half."""
        x = x.view(x.shape[0], x.shape[1], -1, self._size).transpose(1, 2)
        return x * cos + x.roll(self._size // 2, -1) * sin

    def _attend(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Attend in groups. With one new token the heads of a group serve as query positions: no copies."""
        rows, heads, count, size = q.shape
        attention = self._torch.nn.functional.scaled_dot_product_attention
        if count == 1:
            return attention(q.view(rows, self._kv, -1, size), k, v).reshape(rows, 1, heads * size)
        return (
            attention(q, k, v, attn_mask=mask, enable_gqa=True)
            .transpose(1, 2)
            .reshape(rows, count, heads * size)
        )


class Cache:
    """Keys and values of what was read, a tensor [2, B, K, T, D] a layer."""

    def __init__(self, layers: list[torch.Tensor], length: int = 0) -> None:
        self.layers = layers
        self.length = length

    def repeat(self, rows: int) -> Cache:
        """Return a cache with the same past for each of `rows` rows. The original is unchanged."""
        return Cache([layer.repeat(1, rows, 1, 1, 1) for layer in self.layers], self.length)
