"""The first trial of an architecture: one token on random weights, before the real ones are fetched.

The configuration decides the model; all but a few layers, words and experts are left out. What fails here
would fail after gigabytes. `python -m src.model.trial` reads `{"model": FOLDER}` and prints one JSON line, in
a process of its own without keys or network: the configuration and the chat template are a stranger's.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from src.config import Settings
from src.domain.errors import ConfigError
from src.domain.fixes import Fix
from src.model import child, devices
from src.model.sandbox import isolate, private_stdout
from src.system import progress

ENTRY = "src.model.trial"  # started by this name, as a process of its own
TRIAL_SECONDS = 240
MOST_WORDS, MOST_EXPERTS, MOST_LAYERS = 512, 4, 4
TOLERANCE = 0.01  # nats, in float32: between a shared cache and none
BYTES_A_PARAMETER = {"bfloat16": 2, "float32": 4}
SPARE_MEMORY_MB = 700  # the libraries, and what sixteen rows need
FIX_ANOTHER = Fix("choose another MODEL, or a newer version of transformers that knows this one")


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of the trial: parameters of the whole model, and what of it is used.

    `has_template`: it has a chat template. `shares_prompt`: rows can share the cache of the prompt.
    `dtype` is the number format that this CPU does well.
    """

    parameters: int
    has_template: bool
    shares_prompt: bool
    dtype: str = "bfloat16"

    @property
    def memory_mb(self) -> int:
        """Return about how much memory the model will need."""
        return round(self.parameters * BYTES_A_PARAMETER[self.dtype] / 1e6 * 1.1) + SPARE_MEMORY_MB


def try_architecture(settings: Settings, folder: Path, name: str) -> Tried:
    """Try the configuration, tokenizer and template in `folder`. Raises `ConfigError` with the reason."""
    process = child.start(ENTRY, settings.generate_memory_mb)
    try:
        with progress.bar("trying the architecture", 1, "token") as shown:
            request = json.dumps({"model": str(folder)}).encode()
            deadline = time.monotonic() + TRIAL_SECONDS
            status, output, complaint = child.collect(process, request, deadline, shown)
    finally:
        child.end(process)
    lines = output.decode("utf-8", "replace").splitlines()
    if status != 0 or not lines:
        reasons = complaint.decode("utf-8", "replace").strip().splitlines()
        reason = reasons[-1][:300] if reasons else "it took too long or was killed"
        message = f"{name} cannot write here: {reason}"
        raise ConfigError(message, FIX_ANOTHER)
    return Tried(**json.loads(lines[-1]))


def one_token(folder: Path) -> Tried:
    """Write a token with a small random model of the configuration in `folder`; see `Tried`."""
    import torch  # noqa: PLC0415
    from transformers import AutoConfig, AutoModelForCausalLM  # noqa: PLC0415

    from src.model.generate import HubModel  # noqa: PLC0415

    def config() -> Any:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)

    def made(of: Any) -> Any:
        return AutoModelForCausalLM.from_config(of, dtype=torch.float32, trust_remote_code=False).eval()

    with torch.device("meta"):
        parameters = sum(weight.numel() for weight in made(config()).parameters())
    torch.manual_seed(1)
    small = made(shrunk(config()))
    model = HubModel(folder, model=small, overrides={"max_new_tokens": 1})
    prompt = [token % MOST_WORDS for token in model.prompts.ids("A fact.")]
    shares = model.shares_prompt(prompt, TOLERANCE)
    return Tried(parameters, model.prompts.has_template, shares, devices.cpu_format())


def shrunk(config: Any) -> Any:
    """Return a configuration with a few layers, words and experts; the widths stay, they hang together."""
    for part in {id(part): part for part in (config, config.get_text_config())}.values():
        kinds = getattr(part, "layer_types", None)
        layers = getattr(part, "num_hidden_layers", None)
        if isinstance(kinds, list) and kinds:
            kept = [*dict.fromkeys(kinds), kinds[0]][:MOST_LAYERS]
            part.layer_types, part.num_hidden_layers = kept, len(kept)
        elif isinstance(layers, int):
            part.num_hidden_layers = min(layers, 2)
        for name, most in (
            ("vocab_size", MOST_WORDS),
            ("num_experts", MOST_EXPERTS),
            ("num_local_experts", MOST_EXPERTS),
        ):
            if isinstance(getattr(part, name, None), int):
                setattr(part, name, min(getattr(part, name), most))
        if isinstance(getattr(part, "num_experts_per_tok", None), int):
            part.num_experts_per_tok = min(part.num_experts_per_tok, MOST_EXPERTS)
        for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
            setattr(part, name, None)
    return config


if __name__ == "__main__":
    isolate()
    with private_stdout() as answers:
        answers.write(json.dumps(asdict(one_token(Path(json.load(sys.stdin)["model"])))) + "\n")
