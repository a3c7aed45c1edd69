"""Any causal model that transformers knows, by its own `generate`: candidates in one batch, then scored.

The prompt is read once, and its cache repeated for the candidates where the architecture has one that can be.
A score is the mean log-likelihood of a row (nats a token) given the statement, plus half of what the
statement adds to it.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.model import clean
from src.model.chat import Prompts
from src.model.prompts import NO_STATEMENT
from src.model.sampling import PMI_WEIGHT, SCORED_TOGETHER, Sampling

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Row:
    """One sampled row: its token ids with the one that ended it, its text, or the reason why it has none."""

    tokens: tuple[int, ...]
    text: str
    reason: str = ""


class MissingWeightsError(Exception):
    """Weights are missing in the files of a model: transformers would fill them with random numbers."""


class HubModel:
    """A loaded model with its tokenizer, its prompts and its sampling."""

    def __init__(
        self,
        folder: Path,
        *,
        dtype: str = "bfloat16",
        device: str = "cpu",
        mode: str = "hook",
        voice: str = "",
        overrides: Mapping[str, Any] | None = None,
        shares: bool = True,
        model: Any = None,
    ) -> None:
        """Load the model in `folder`, or take `model` with its tokenizer. `shares`: rows share the prompt."""
        import torch  # noqa: PLC0415

        self._torch = torch
        self._mode = mode
        self.sampling = Sampling.of(folder, mode, overrides or {})
        self.prompts = Prompts(folder, mode, voice)
        self._tokenizer = self.prompts.tokenizer
        self.model: Any = model or _load(folder, dtype).to(device)
        self._shares = shares
        self._ends = _end_tokens(self.model) | self.prompts.end_tokens()
        self._breaks: dict[int, bool] = {}
        self._nothing: tuple[list[int], Any] | None = None

    def write(
        self, text: str, count: int, seed: int
    ) -> tuple[list[tuple[str, float, float]], int, Counter[str]]:
        """Return `count` candidates at most, the number of tokens decoded, and why rows were dropped.

        A candidate is (text, score, mean log-likelihood); the best comes first.
        """
        try:
            prompt = self.prompts.ids(text)
        except ValueError:
            return [], 0, Counter({"control-token": count})
        with self._torch.inference_mode():
            past = self._read(prompt)
            rows = self._sample(prompt, past, count, seed)
            unique = {row.text: row for row in rows if not row.reason}
            given = self._score(prompt, past, list(unique.values()))
            alone = self._score(*self._without_statement(), list(unique.values()))
        scored = [
            (name, round(mean + PMI_WEIGHT * (mean - without), 4), round(mean, 4))
            for name, mean, without in zip(unique, given, alone, strict=True)
        ]
        dropped = Counter(row.reason for row in rows if row.reason)
        return sorted(scored, key=lambda item: -item[1]), sum(len(row.tokens) for row in rows), dropped

    def shares_prompt(self, prompt: Sequence[int], tolerance: float) -> bool:
        """Return whether rows that share a prompt's cache are scored as without one (nats a token).

        Raise what the library raises where the model can write neither way.
        """
        with self._torch.inference_mode():
            plain = self._score(prompt, None, self._sample(prompt, None, 2, 1))
            try:
                past = self._read(prompt)
                shared = self._score(prompt, past, self._sample(prompt, past, 2, 1))
            except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, NotImplementedError):
                return False
        pairs = zip(plain, shared, strict=True)
        return past is not None and all(abs(a - b) <= tolerance for a, b in pairs)

    def _read(self, prompt: Sequence[int]) -> Any:
        """Return the cache of all but the last token of a prompt, None where it cannot be shared by rows."""
        if len(prompt) < 2 or not self._shares:
            return None
        out = self.model(self._tensor([prompt[:-1]]), use_cache=True, logits_to_keep=1)
        past = getattr(out, "past_key_values", None)
        return past if hasattr(past, "reorder_cache") else None

    def _repeated(self, past: Any, rows: int) -> Any:
        """Return a copy of a cache of one row with that row for each of `rows` rows.

        The row is chosen so many times: layers with a convolution or a linear state know no repeating.
        """
        mine = copy.deepcopy(past)
        mine.reorder_cache(self._torch.zeros(rows, dtype=self._torch.long, device=self.model.device))
        return mine

    def _sample(self, prompt: Sequence[int], past: Any, count: int, seed: int) -> list[Row]:
        """Return `count` rows, written in one batch."""
        from transformers import StoppingCriteriaList  # noqa: PLC0415

        self._torch.manual_seed(seed)
        tokens = self._tensor([prompt]).expand(count, -1)
        more = {"past_key_values": self._repeated(past, count)} if past is not None else {}
        out = self.model.generate(
            tokens,
            attention_mask=self._torch.ones_like(tokens),
            generation_config=self._config(),
            logits_processor=_penalties(self.sampling.presence_penalty, len(prompt)),
            stopping_criteria=StoppingCriteriaList([self._line_end(len(prompt))]),
            **more,
        )
        return [self._row(written) for written in out[:, len(prompt) :].tolist()]

    def _config(self) -> Any:
        from transformers import GenerationConfig  # noqa: PLC0415

        figures = self.sampling
        ends = sorted(self._ends)
        return GenerationConfig(
            do_sample=True,
            temperature=figures.temperature,
            top_p=figures.top_p,
            top_k=figures.top_k,
            min_p=figures.min_p or None,
            repetition_penalty=figures.repetition_penalty,
            max_new_tokens=figures.max_new_tokens,
            eos_token_id=ends or None,
            pad_token_id=ends[0] if ends else 0,
            use_cache=True,
        )

    def _line_end(self, start: int) -> Any:
        """Return a criterion for `generate`: a row is over at a line break, in whatever token that hides."""

        def over(ids: torch.Tensor, _scores: object, **_more: object) -> torch.Tensor:
            rows = [self._is_over(row) for row in ids[:, start:].tolist()]
            ended: torch.Tensor = self._torch.tensor(rows, device=ids.device)
            return ended

        return over

    def _is_over(self, written: Sequence[int]) -> bool:
        return self._breaks_line(written[-1]) and clean.is_over(self._decode(written))

    def _breaks_line(self, token: int) -> bool:
        """Return whether the text of a token holds a line break; Qwen and Llama 3 join it to a mark."""
        if token not in self._breaks:
            self._breaks[token] = "\n" in self._decode([token])
        return self._breaks[token]

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(
            list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    def _row(self, written: list[int]) -> Row:
        """Return a row without the padding that `generate` puts behind its end."""
        for at, token in enumerate(written):
            if token in self._ends:
                return self._cleaned(written[: at + 1], self._decode(written[:at]), ended=True)
            if self._is_over(written[: at + 1]):
                return self._cleaned(written[: at + 1], self._decode(written[: at + 1]), ended=True)
        return self._cleaned(written, self._decode(written), ended=False)

    def _cleaned(self, tokens: list[int], shown: str, *, ended: bool) -> Row:
        text, reason = clean.clean(self._plain(shown), ended=ended, cut=self._mode == "free")
        return Row(tuple(tokens), text, reason)

    def _plain(self, shown: str) -> str:
        """Return a decoded text without the names of control tokens that are no mark of a thought."""
        rest, thinks = clean.without_thoughts(shown)
        if thinks:
            return shown
        for token in self._tokenizer.all_special_tokens:
            rest = rest.replace(token, "")
        return rest

    def _without_statement(self) -> tuple[list[int], Any]:
        if self._nothing is None:
            prompt = self.prompts.ids(NO_STATEMENT)
            self._nothing = prompt, self._read(prompt)
        return self._nothing

    def _score(self, prompt: Sequence[int], past: Any, rows: Sequence[Row]) -> list[float]:
        """Return the mean log-likelihood of each row behind a prompt, some at a time to bound memory."""
        means: list[float] = []
        for start in range(0, len(rows), SCORED_TOGETHER):
            means += self._score_some(
                prompt, past, [row.tokens for row in rows[start : start + SCORED_TOGETHER]]
            )
        return means

    def _score_some(self, prompt: Sequence[int], past: Any, rows: Sequence[Sequence[int]]) -> list[float]:
        """Return the mean log-likelihoods of rows that are padded on the right, where no row looks."""
        width = max(map(len, rows))
        begin = list(prompt[-1:] if past is not None else prompt)
        padded = self._tensor([[*begin, *row, *([0] * (width - len(row)))][:-1] for row in rows])
        more = (
            {"past_key_values": self._repeated(past, len(rows)), "use_cache": True}
            if past is not None
            else {}
        )
        # The sum of a row's own tokens only: logits of a whole prompt may take gigabytes.
        logits = self.model(padded, logits_to_keep=width, **more).logits[:, -width:]
        means = []
        for index, row in enumerate(rows):
            steps = logits[index, : len(row)].float().log_softmax(-1)
            total = steps.gather(-1, self._tensor(list(row))[:, None]).sum()
            means.append(float(total) / len(row))
        return means

    def _tensor(self, values: Any) -> torch.Tensor:
        return self._torch.tensor(values, dtype=self._torch.long, device=self.model.device)


def _load(folder: Path, dtype: str) -> Any:
    """Return the model in `folder`, in evaluation mode. Its own code never runs.

    Raise `MissingWeightsError` rather than let transformers fill gaps with random numbers.
    """
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, GenerationConfig  # noqa: PLC0415
    from transformers.utils import logging  # noqa: PLC0415

    logging.disable_progress_bar()  # the last line on standard error is the reason of an end
    model, report = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=getattr(torch, dtype),
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    if missing := sorted(report["missing_keys"]):
        message = f"{len(missing)} weights are missing in the files of the model, such as {missing[0]}"
        raise MissingWeightsError(message)
    model.eval()
    # What its file says is read by `Sampling` and `_end_tokens`; kinds of cache and beams are ours to choose.
    model.declared = model.generation_config
    model.generation_config = GenerationConfig()
    return model


def _end_tokens(model: Any) -> set[int]:
    """Return the tokens that end a text, as both of the model's configurations say."""
    ends: set[int] = set()
    declared = getattr(model, "declared", None)
    for config in (model.config.get_text_config(), model.config, declared):
        ends.update(_as_tokens(getattr(config, "eos_token_id", None)))
    return ends


def _as_tokens(said: object) -> Iterator[int]:
    yield from (t for t in (said if isinstance(said, list) else [said]) if isinstance(t, int) and t >= 0)


def _penalties(presence: float, start: int) -> Any:
    """Return what `GenerationConfig` has no name for: a penalty on every token that the text already has."""
    from transformers import LogitsProcessorList  # noqa: PLC0415

    def once(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        written = ids[:, start:]
        return scores.scatter(-1, written, scores.gather(-1, written) - presence)

    return LogitsProcessorList([once] if presence else [])
