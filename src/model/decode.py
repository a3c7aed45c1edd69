"""Decoding: how the model's texts are sampled and scored, with either kind of model.

The prompt is prefilled once and its cache repeated; the openings of a statement are decoded as one batch.
`score` is the mean log-likelihood of the opening given the statement. For a model that was not tuned, the
gain over the likelihood given no statement is added (pointwise mutual information): it prefers what fits this
statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.model.llama import Llama
from src.model.prompts import NO_STATEMENT, prompt_for
from src.model.sampling import PMI_WEIGHT, SCORED_TOGETHER, Sampling

if TYPE_CHECKING:
    import torch


class Engine:
    """Writes and scores with the embedded model. Shapes: B openings, T tokens, V vocabulary."""

    def __init__(
        self,
        folder: Path,
        *,
        tuned: bool,
        dtype: str = "bfloat16",
        mode: str = "hook",
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        import torch  # noqa: PLC0415
        from tokenizers import Tokenizer  # noqa: PLC0415

        self.tuned = tuned and mode == "hook"
        self.mode = mode
        self.sampling = Sampling.of(None, mode, overrides or {})
        self._longest = self.sampling.max_new_tokens
        self._torch = torch
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._model = Llama(folder, dtype)
        self._end: int | None = self._tokenizer.token_to_id("<|im_end|>")
        self._line_end = self._ids("\n")[-1]
        self._ends = {self._stop, self._line_end, self._end, *_end_tokens(folder)}
        self._breaks: dict[int, bool] = {}
        self._begin = [] if self.tuned else self._leading_tokens()

    def _leading_tokens(self) -> list[int]:
        """Return the tokens that begin every text: Llama 3 and Gemma write nonsense without them."""
        bare, whole = self._ids("a"), list(self._tokenizer.encode("a").ids)
        return whole[: whole.index(bare[0])] if bare and bare[0] in whole else []

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    @property
    def _stop(self) -> int:
        """The token that ends an opening: the end token of a tuned model, a new line of others."""
        return self._end if self.tuned and self._end is not None else self._line_end

    def write(self, text: str, count: int, seed: int) -> tuple[list[tuple[str, float, float]], int]:
        """Return `count` openings for a statement and the number of tokens decoded.

        An opening is (text, score, mean log-likelihood); the best comes first.
        """
        with self._torch.inference_mode():
            past, logits = self._read(text)
            rows, decoded = self._sample(past, logits, count, seed)
            unique = {self._clean(row): (row, given) for row, given in rows}
            unique.pop("", None)
            scores = (
                [given for _, given in unique.values()] if self.tuned else self._fit(list(unique.values()))
            )
        scored = [
            (opening, round(score, 4), round(given, 4))
            for (opening, (_, given)), score in zip(unique.items(), scores, strict=True)
        ]
        return sorted(scored, key=lambda item: -item[1]), decoded

    def _fit(self, rows: list[tuple[list[int], float]]) -> list[float]:
        """Return mean log-likelihood and mutual information of each row, in one figure (nats a token).

        A tuned model does without: measured against a reader's verdicts, its likelihood alone ranks better.
        """
        alone = self._score(*self._nothing(), [row for row, _ in rows])
        return [
            given + PMI_WEIGHT * (given - without) for (_, given), without in zip(rows, alone, strict=True)
        ]

    def log_likelihoods(self, text: str, rows: list[list[int]]) -> list[float]:
        """Return the mean log-likelihood (nats a token, with the end token) of each row for a statement."""
        with self._torch.inference_mode():
            return self._score(*self._read(text), [[*row, self._stop] for row in rows])

    def _read(self, text: str) -> tuple[Any, torch.Tensor]:
        """Prefill the prompt of a statement; return its cache (one row) and the logits [1, V] that follow."""
        prompt = self._begin + self._ids(prompt_for(text, tuned=self.tuned, mode=self.mode))
        cache = self._model.new_cache(len(prompt) + self._longest + 1)
        logits = self._model.forward(self._torch.tensor([prompt]), cache, last_only=True)
        return cache, logits[:, -1].float()

    def _nothing(self) -> tuple[Any, torch.Tensor]:
        if self._no_statement is None:
            self._no_statement = self._read(NO_STATEMENT)
        return self._no_statement

    _no_statement: tuple[Any, torch.Tensor] | None = None

    def _breaks_line(self, token: int) -> bool:
        """Return whether the text of a token holds a line break; Qwen and Llama 3 join it to a mark."""
        if token not in self._breaks:
            self._breaks[token] = "\n" in self._tokenizer.decode([token], skip_special_tokens=True)
        return self._breaks[token]

    def _clean(self, row: list[int]) -> str:
        """Return the text of a row, with its end token, up to the line break that may hide in that."""
        kept = row if self._breaks_line(row[-1]) else row[:-1]
        line = self._tokenizer.decode(kept, skip_special_tokens=True).partition("\n")[0]
        return " ".join(line.split())

    def _sample(
        self, past: Any, logits: torch.Tensor, count: int, seed: int
    ) -> tuple[list[tuple[list[int], float]], int]:
        """Return the rows of token ids that ended by themselves, and the number of tokens decoded.

        A row keeps the token that ended it. With it comes its mean log-likelihood (nats a token, end token
        included) before temperature and nucleus.
        """
        generator = self._torch.Generator().manual_seed(seed)
        cache = past.repeat(count)
        logits = logits.expand(count, -1)
        rows: list[list[int]] = [[] for _ in range(count)]
        totals = [0.0] * count
        alive = [True] * count
        decoded = 0
        for _ in range(self._longest):
            tokens = self._choose(logits, generator)
            likelihoods = (logits.gather(-1, tokens[:, None])[:, 0] - logits.logsumexp(-1)).tolist()
            for index, token in enumerate(tokens.tolist()):
                if alive[index]:
                    decoded += 1
                    totals[index] += likelihoods[index]
                    rows[index].append(token)
                    alive[index] = not (token in self._ends or self._breaks_line(token))
            if not any(alive):
                break
            logits = self._model.forward(tokens[:, None], cache)[:, -1].float()
        ended = zip(rows, totals, alive, strict=True)
        return [(row, total / len(row)) for row, total, unfinished in ended if not unfinished], decoded

    def _choose(self, logits: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Sample one token a row from the nucleus, [B, V] -> [B]."""
        size = logits.shape[-1]
        values, indices = (logits / self.sampling.temperature).topk(
            min(self.sampling.top_k or size, size), dim=-1
        )
        probabilities = values.softmax(-1)
        keep = probabilities.cumsum(-1) - probabilities < self.sampling.top_p
        picked = self._torch.multinomial(probabilities * keep, 1, generator=generator)
        return indices.gather(-1, picked)[:, 0]

    def _score(self, past: Any, logits: torch.Tensor, rows: list[list[int]]) -> list[float]:
        """Return the mean log-likelihood of each row, end token included, eight at a time to bound memory."""
        first = logits.log_softmax(-1)[0]
        means: list[float] = []
        for start in range(0, len(rows), SCORED_TOGETHER):
            full = rows[start : start + SCORED_TOGETHER]
            width = max(2, *map(len, full))
            padded = self._torch.tensor([row + [self._stop] * (width - len(row)) for row in full])
            rest = self._model.forward(padded[:, :-1], past.repeat(len(full)))
            for index, row in enumerate(full):
                steps = rest[index, : len(row) - 1].float().log_softmax(-1)
                total = (
                    first[row[0]]
                    + steps.gather(-1, self._torch.tensor(row[1:], dtype=self._torch.long)[:, None]).sum()
                )
                means.append(float(total) / len(row))
        return means


def _end_tokens(folder: Path) -> set[int]:
    """Return the tokens that end a text, as the model's configuration says; empty where it says nothing."""
    from src.system.files import read_json  # noqa: PLC0415 (not before the model is loaded)

    found: set[int] = set()
    for name in ("config.json", "generation_config.json"):
        file = folder / name
        said = read_json(file).get("eos_token_id") if file.exists() else None
        found.update(t for t in (said if isinstance(said, list) else [said]) if isinstance(t, int))
    return found
