"""Teaching the embedded model to write openings: LoRA on statement -> opening pairs, on two CPU cores.

The pairs are scenes and symptoms written by hand for the statements of the library (`data/lessons`): its own
openings without quiz questions and without what readers called filler. If given, the owner's own examples
join them. One statement in ten is held out, so that what is measured was not learned by heart.

`python -m src.model.tune` runs in a process of its own; weights are float32 under bfloat16 autocast (bfloat16
weights are slow). All openings of a text are learned from one row, in which they see the text but not each
other: it is read once.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.config import ROOT
from src.content.gates import judge_opening
from src.content.library import MAX_OPENING, Statement, text_problems
from src.domain.errors import TuningError
from src.domain.fixes import Fix
from src.model import child
from src.model.choose import GGUF_SHA256
from src.model.convert import load_gguf, packaged_gguf
from src.model.files import sha256
from src.model.prompts import prompt_for
from src.model.sandbox import isolate
from src.system.files import MAX_JSON_BYTES, read_regular

if TYPE_CHECKING:
    import torch

ENTRY = "src.model.tune"  # started by this name, as a process of its own
HELD_OUT_SHARE = 10  # one statement in ten
LESSONS = ROOT / "data" / "lessons"
BASE = "SmolLM2-135M-Instruct"
END = "<|im_end|>"
TUNE_SECONDS = 4 * 3600  # fifteen minutes on two cores; an owner's machine may be slower


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the adapter is trained. Learning rate per step.

    Layers below `first_layer` stay as they are: nothing is sent back through them, which saves time and
    memory.
    """

    epochs: float = 2.5
    batch: int = 16
    rate: float = 1.5e-3
    rank: int = 16
    alpha: int = 32
    first_layer: int = 6
    seed: int = 20261123


Lesson = tuple[str, tuple[str, ...]]
"""A text and the openings that fit it."""
Row = tuple[list[int], list[list[int]]]
"""A lesson in token ids: the prompt, and the openings with their end token."""


def lessons(statements: Sequence[Statement], folder: Path = LESSONS) -> list[Lesson]:
    """Return the shipped lessons about these statements: one for each text, none for a held-out statement.

    An opening that the gates refuse above one of the texts (mostly an echo of its words) is taught with the
    other alone.
    """
    written = read_lessons(folder)
    found: list[Lesson] = []
    for statement in statements:
        for text in () if is_held_out(statement.id) else statement.texts:
            openings = written.get(statement.id, ())
            fitting = tuple(o for o in openings if judge_opening(o, statement, text).passed)
            found += [(text, fitting)] if fitting else []
    return found


def read_lessons(folder: Path = LESSONS) -> dict[str, tuple[str, ...]]:
    """Return the openings written by hand, by statement; `{"id": ..., "openings": [...]}` a line."""
    return {data["id"]: tuple(data["openings"]) for data in _lines(folder)}


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.jsonl")):
        yield from map(json.loads, read_regular(file, MAX_JSON_BYTES).splitlines())


def is_held_out(statement_id: str) -> bool:
    """Return whether a statement is held out of the training, by the hash of its id: always the same ones."""
    return int(hashlib.sha256(statement_id.encode()).hexdigest(), 16) % HELD_OUT_SHARE == 0


def read_examples(path: Path) -> list[Lesson]:
    """Read the owner's examples, JSON lines with `statement` and `opening`. Raises `TuningError`."""
    found: dict[str, list[str]] = {}
    problems = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read: {error}"
        raise TuningError(message) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            text, opening = data["statement"], data["opening"]
            reasons = [*text_problems(text, 280), *text_problems(opening, MAX_OPENING)]
        except (ValueError, KeyError, TypeError, AttributeError):
            reasons = ['must be {"statement": "...", "opening": "..."}']
        if reasons:
            problems.append(f"{path}:{number}: {reasons[0]}")
        else:
            found.setdefault(text, []).append(opening)
    if problems or not found:
        message = "\n".join(["the examples cannot be used:", *(problems or [f"{path}: there are none"])])
        raise TuningError(message, Fix("fix these lines"))
    return [(text, tuple(openings)) for text, openings in found.items()]


def checksum(data: Sequence[Lesson]) -> str:
    """Return the SHA-256 (hex) of the lessons in their order: part of the adapter's card."""
    return hashlib.sha256(json.dumps(data, ensure_ascii=True).encode()).hexdigest()


def train(data: Sequence[Lesson], target: Path, recipe: Recipe) -> dict[str, Any]:
    """Train an adapter into `target` (peft's format, bfloat16 on disk), report each step, return its card."""
    import torch  # noqa: PLC0415
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415
    from transformers import AutoTokenizer  # noqa: PLC0415

    torch.manual_seed(recipe.seed)
    gguf = packaged_gguf()
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    layers = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    base = load_gguf(gguf)
    base.set_attn_implementation("eager")  # quicker on rows this short than the fused kernel's backward pass
    model = get_peft_model(
        base,
        LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            target_modules=layers,
            task_type="CAUSAL_LM",
            layers_to_transform=list(range(recipe.first_layer, base.config.num_hidden_layers)),
        ),
    )
    model.train()
    rows = [_encode(tokenizer, *lesson) for lesson in data]
    batches = list(_batches(rows, recipe))
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=0.0)
    started, losses = time.monotonic(), []
    for step, batch in enumerate(batches):
        share = step / len(batches)
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * min(1.0, (step + 1) / 20) * 0.5 * (1 + math.cos(math.pi * share))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = _loss(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        recent = losses[-20:]
        child.report(step + 1, len(batches), f"loss {sum(recent) / len(recent):.3f}")
    target.mkdir(parents=True, exist_ok=True)
    for parameter in weights:
        parameter.data = parameter.data.to(torch.bfloat16)
    model.save_pretrained(target, save_embedding_layers=False)
    for leftover in target.glob("README.md"):
        leftover.unlink()
    settings = json.loads((target / "adapter_config.json").read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = BASE  # not the path of the machine it was trained on
    (target / "adapter_config.json").write_text(
        json.dumps(settings, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    card = {
        "base": {"model": BASE, "gguf_sha256": GGUF_SHA256},
        "recipe": asdict(recipe),
        "lessons": len(data),
        "pairs": sum(len(openings) for _, openings in data),
        "lessons_sha256": checksum(data),
        "final_loss": round(sum(losses[-20:]) / len(losses[-20:]), 4),
        "seconds": round(time.monotonic() - started, 1),
        "adapter_sha256": sha256(target / "adapter_model.safetensors"),
    }
    (target / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return card


def _encode(tokenizer: Any, text: str, openings: Iterable[str]) -> Row:
    prompt = tokenizer.encode(prompt_for(text, tuned=True), add_special_tokens=False)
    return prompt, [tokenizer.encode(opening + END, add_special_tokens=False) for opening in openings]


def _length(row: Row) -> int:
    return len(row[0]) + sum(map(len, row[1]))


def _batches(rows: list[Row], recipe: Recipe) -> Iterator[list[Row]]:
    """Yield batches of rows of similar length (little padding), in random order, for so many epochs."""
    order = random.Random(recipe.seed)  # noqa: S311 (reproducible order)
    left = recipe.epochs
    while left > 0:
        shuffled = order.sample(rows, len(rows))
        shuffled = sorted(
            shuffled[: math.ceil(len(rows) * min(left, 1.0))],
            key=lambda row: _length(row) + order.random() * 12,
        )
        groups = [shuffled[i : i + recipe.batch] for i in range(0, len(shuffled), recipe.batch)]
        order.shuffle(groups)
        yield from groups
        left -= 1.0


def _loss(model: Any, batch: list[Row]) -> torch.Tensor:
    """Return the mean cross-entropy of the openings' tokens; logits are computed only where they count."""
    import torch  # noqa: PLC0415

    width = max(map(_length, batch))
    tokens, positions = (
        torch.zeros(len(batch), width, dtype=torch.long),
        torch.zeros(len(batch), width, dtype=torch.long),
    )
    seen = torch.eye(width, dtype=torch.bool).repeat(
        len(batch), 1, 1
    )  # [rows, reader, read]; padding reads itself
    sources, targets = [], []
    for index, (prompt, openings) in enumerate(batch):
        at = len(prompt)
        tokens[index, :at], positions[index, :at] = torch.tensor(prompt), torch.arange(at)
        seen[index, :at, :at] = torch.ones(at, at, dtype=torch.bool).tril()
        for opening in openings:
            span = slice(at, at + len(opening))
            tokens[index, span], positions[index, span] = (
                torch.tensor(opening),
                len(prompt) + torch.arange(len(opening)),
            )
            seen[index, span, : len(prompt)] = True
            seen[index, span, span] = torch.ones(len(opening), len(opening), dtype=torch.bool).tril()
            sources += [(index, len(prompt) - 1), *((index, at + i) for i in range(len(opening) - 1))]
            targets += opening
            at += len(opening)
    base = model.get_base_model()
    mask = torch.zeros(seen.shape).masked_fill_(~seen, torch.finfo(torch.float32).min)[:, None]
    hidden = base.model(input_ids=tokens, attention_mask=mask, position_ids=positions).last_hidden_state
    rows, places = zip(*sources, strict=True)
    return torch.nn.functional.cross_entropy(
        base.lm_head(hidden[list(rows), list(places)]).float(), torch.tensor(targets)
    )


def tune(
    statements: Sequence[Statement], examples: Sequence[Lesson], target: Path, recipe: Recipe
) -> dict[str, Any]:
    """Train in a process of its own and return the adapter's card. Raises `TuningError`."""
    data = [*lessons(statements), *examples, *examples]  # the owner's own voice counts twice
    request = json.dumps({"lessons": data, "target": str(target), "recipe": asdict(recipe)})
    status, complaint = child.follow("tuning", ENTRY, request=request, seconds=TUNE_SECONDS, patient=False)
    if status != 0:
        message = (
            f"the training ended with {status}: {complaint}"
            if status is not None
            else "the training took too long and was stopped"
        )
        raise TuningError(message, Fix("see that 7 GB of memory are free"))
    return dict(json.loads((target / "card.json").read_text(encoding="utf-8")))


if __name__ == "__main__":
    os.umask(0o077)
    isolate()
    job = json.load(sys.stdin)
    train(
        [(text, tuple(openings)) for text, openings in job["lessons"]],
        Path(job["target"]),
        Recipe(**job["recipe"]),
    )
