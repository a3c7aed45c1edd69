"""A model's own chat template: rendered by transformers, in whatever form it wants its system text.

A template is a stranger's program in a sandbox of Jinja. It runs in the model's process only, whose time and
memory are bounded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from src.model.prompts import prompt_for, system_text

_MARKER = "zq7marker"
# What the families call the switch; a template ignores the names that it does not know.
_NO_THINKING = {"enable_thinking": False, "thinking": False}
_ANSWER = "zq7answer"


class Prompts:
    """The prompts of one model, as token ids: by its chat template, or by examples where it has none."""

    def __init__(self, folder: Path, mode: str, voice: str = "") -> None:
        from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

        # Not AutoTokenizer: it takes ten times as long, and looks at what a configuration says of code.
        self.tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        self._mode = mode
        self._system = system_text(mode, voice)
        self.has_template = bool(self.tokenizer.chat_template)
        self._takes_system = self.has_template and self._knows_system()
        self._begin = [] if self.has_template else self._leading_tokens()

    def ids(self, text: str) -> list[int]:
        """Return the prompt for a statement or a topic. Raise `ValueError` where the text has control tokens.

        They would end the owner's words and begin somebody else's.
        """
        controls = self._controls(text)
        if controls:
            message = f"the text has a control token of the model: {controls[0]}"
            raise ValueError(message)
        if not self.has_template:
            return self._begin + self._encode(prompt_for(text, tuned=False, mode=self._mode))
        return self._encode(self._render(self._messages(text)))

    def end_tokens(self) -> set[int]:
        """Return the token that the template puts behind an answer, empty where it puts none."""
        if not self.has_template:
            return set()
        messages = [*self._messages("A fact."), {"role": "assistant", "content": _ANSWER}]
        try:
            shown = self._render(messages, asks=False)
        except Exception:  # noqa: BLE001 (a template raises what it likes; the configuration has end tokens too)
            return set()
        behind = self._encode(shown.rpartition(_ANSWER)[2])
        return set(behind[:1]) & set(self.tokenizer.all_special_ids) | {
            i for i in behind[:1] if i in self.tokenizer.added_tokens_decoder
        }

    def _messages(self, text: str) -> list[dict[str, str]]:
        if self._takes_system:
            return [{"role": "system", "content": self._system}, {"role": "user", "content": text}]
        return [{"role": "user", "content": f"{self._system}\n\n{text}"}]

    def _knows_system(self) -> bool:
        """Return whether the system text comes out of the template: some refuse it, some drop it silently."""
        messages = [{"role": "system", "content": _MARKER}, {"role": "user", "content": "A fact."}]
        try:
            return _MARKER in self._render(messages)
        except Exception:  # noqa: BLE001 (a template raises what it likes)
            return False

    def _render(self, messages: list[dict[str, str]], *, asks: bool = True) -> str:
        text: str = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=asks, **_NO_THINKING
        )
        return text

    def _encode(self, text: str) -> list[int]:
        """Return the ids of a text that has its own begin-of-text token: a second one spoils the output."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def _controls(self, text: str) -> list[str]:
        added = self.tokenizer.added_tokens_decoder
        special = set(self.tokenizer.all_special_ids) | {i for i, token in added.items() if token.special}
        return [self.tokenizer.decode([i]) for i in self._encode(text) if i in special]

    def _leading_tokens(self) -> list[int]:
        """Return the tokens that begin every text: Llama 3 and Gemma write nonsense without them."""
        bare, whole = self._encode("a"), list(self.tokenizer.encode("a"))
        return whole[: whole.index(bare[0])] if bare and bare[0] in whole else []
