"""The model's own process: statements in, openings out, JSON lines both ways. No credentials, no network.

`python -m src.writer` reads one request from standard input and prints one line a statement:

    {"model": FOLDER, "tuned": true, "n": 16, "seed": 7, "statements": [{"id": ..., "text": ...}, ...]}
    {"id": ..., "openings": [[text, score, mean_log_likelihood], ...], "tokens": 312, "seconds": 1.9}

The prompt is prefilled once and its cache repeated; the openings of a statement are decoded as one batch.
`score` is the mean log-likelihood of the opening given the statement, plus its gain over the likelihood given
no statement at all (pointwise mutual information): what fits this statement, not any.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

MAX_NEW_TOKENS = 24
TEMPERATURE = 0.8
TOP_P = 0.95
PMI_WEIGHT = 0.5
_NO_STATEMENT = "Software developers write, test and run programs."
_PR_SET_PDEATHSIG, _SIGKILL, _CLONE_NEWNET, _CLONE_NEWUSER = 1, 9, 0x40000000, 0x10000000
_EXAMPLES = (
    ("git reflog records where HEAD has been, so you can find a commit again after a bad reset.", "Lost a commit after a reset?"),
    ("A .dockerignore file keeps folders such as node_modules out of the build context.", "Why is the docker build so slow?"),
    ("In SQL, NULL = NULL is not true but unknown, so use IS NULL to find missing values.", "Why does the query miss the empty rows?"),
)


def prompt_for(text: str, *, tuned: bool) -> str:
    """What the model reads. A tuned model needs the bare statement; others are shown three examples."""
    if tuned:
        return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    shown = "".join(f"Fact: {fact}\nQuestion: {opening}\n\n" for fact, opening in _EXAMPLES)
    return f"{shown}Fact: {text}\nQuestion:"


def isolate() -> None:
    """Die with the parent, be the first to go when memory runs out, and lose the network where the kernel allows it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


class Engine:
    """A causal language model with batched sampling. Shapes: B openings, T tokens, V vocabulary."""

    def __init__(self, folder: Path, *, tuned: bool) -> None:
        import torch  # noqa: PLC0415
        from tokenizers import Tokenizer  # noqa: PLC0415
        from transformers import AutoModelForCausalLM  # noqa: PLC0415

        self.tuned = tuned
        self._torch = torch
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.bfloat16, local_files_only=True, trust_remote_code=False, use_safetensors=True)
        self._model.eval()
        eos = self._model.generation_config.eos_token_id
        self._stops = {*(eos if isinstance(eos, list) else [eos]), *self._ids("<|im_end|>")[:1]} - {None}

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def write(self, text: str, count: int, seed: int) -> tuple[list[tuple[str, float, float]], int]:
        """`count` openings for one statement as (text, score, mean log-likelihood), best first; tokens decoded."""
        torch = self._torch
        with torch.inference_mode():
            rows, decoded = self._sample(self._ids(prompt_for(text, tuned=self.tuned)), count, seed)
            unique = {self._clean(row): row for row in rows if row}
            rows = [row for opening, row in unique.items() if opening]
            if not rows:
                return [], decoded
            given = self.log_likelihoods(text, rows)
            alone = self.log_likelihoods(_NO_STATEMENT, rows)
        scored = [
            (self._clean(row), round(g + PMI_WEIGHT * (g - a), 4), round(g, 4))
            for row, g, a in zip(rows, given, alone, strict=True)
        ]
        return sorted(scored, key=lambda item: -item[1]), decoded

    def _clean(self, row: list[int]) -> str:
        text = self._tokenizer.decode(row, skip_special_tokens=True)
        return " ".join(text.partition("\n")[0].split())

    def _sample(self, prompt: list[int], count: int, seed: int) -> tuple[list[list[int]], int]:
        torch = self._torch
        generator = torch.Generator().manual_seed(seed)
        out = self._model(torch.tensor([prompt]), use_cache=True, logits_to_keep=1)
        cache = out.past_key_values
        cache.batch_repeat_interleave(count)
        logits = out.logits[:, -1].float().expand(count, -1)
        rows: list[list[int]] = [[] for _ in range(count)]
        alive = [True] * count
        decoded = 0
        for _ in range(MAX_NEW_TOKENS):
            tokens = self._choose(logits, generator)
            for index, token in enumerate(tokens.tolist()):
                if alive[index]:
                    decoded += 1
                    alive[index] = token not in self._stops and not self._ends_line(token)
                    if alive[index]:
                        rows[index].append(token)
            if not any(alive):
                break
            out = self._model(tokens[:, None], past_key_values=cache, use_cache=True)
            cache, logits = out.past_key_values, out.logits[:, -1].float()
        return [row for row, open_ in zip(rows, alive, strict=True) if not open_], decoded

    def _ends_line(self, token: int) -> bool:
        return not self.tuned and "\n" in self._tokenizer.decode([token])

    def _choose(self, logits: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Nucleus sampling of one token a row, [B, V] -> [B]."""
        torch = self._torch
        values, indices = (logits / TEMPERATURE).topk(64, dim=-1)
        probabilities = values.softmax(-1)
        keep = probabilities.cumsum(-1) - probabilities < TOP_P
        picked = torch.multinomial(probabilities * keep, 1, generator=generator)
        return indices.gather(-1, picked)[:, 0]

    def log_likelihoods(self, text: str, rows: list[list[int]]) -> list[float]:
        """Mean log-likelihood (nats a token, end token included) of each row of token ids given the statement."""
        torch = self._torch
        prompt = self._ids(prompt_for(text, tuned=self.tuned))
        stop = min(self._stops) if self.tuned else self._ids("\n")[0]
        full = [[*row, stop] for row in rows]
        width = max(map(len, full))
        out = self._model(torch.tensor([prompt]), use_cache=True, logits_to_keep=1)
        cache = out.past_key_values
        cache.batch_repeat_interleave(len(rows))
        padded = torch.tensor([row + [stop] * (width - len(row)) for row in full])
        logits = [out.logits[:, -1:].float().expand(len(rows), -1, -1)]
        if width > 1:
            logits.append(self._model(padded[:, :-1], past_key_values=cache, use_cache=True).logits.float())
        steps = torch.cat(logits, dim=1).log_softmax(-1).gather(-1, padded[:, :, None])[:, :, 0]
        return [float(steps[i, : len(row)].mean()) for i, row in enumerate(full)]


def answer(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Carry out one request, a result a statement."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(int(request.get("threads") or len(os.sched_getaffinity(0))))
    engine = Engine(Path(request["model"]), tuned=bool(request["tuned"]))
    for number, item in enumerate(request["statements"]):
        started = time.perf_counter()
        openings, decoded = engine.write(item["text"], int(request["n"]), int(request["seed"]) + number)
        yield {"id": item["id"], "openings": openings, "tokens": decoded, "seconds": round(time.perf_counter() - started, 3)}


def main(stdin: IO[str], stdout: IO[str]) -> None:
    """Serve one request."""
    for result in answer(json.load(stdin)):
        stdout.write(json.dumps(result) + "\n")
        stdout.flush()


if __name__ == "__main__":
    isolate()
    # Libraries print; the answers go to a private copy of standard output.
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main(sys.stdin, private)
