"""How the next token is chosen: by the owner, else by the model's own file, else by the program's figures.

And the figures by which what was written is scored, whichever decoder wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

MAX_NEW_TOKENS = 24
MAX_NEW_TOKENS_OF_A_TWEET = 72
PMI_WEIGHT = 0.5  # in the score of a row: what the statement adds to its likelihood
SCORED_TOGETHER = 8  # rows in one pass
_FILE = "generation_config.json"
_PENALTIES = ("min_p", "repetition_penalty", "presence_penalty")
_OFF = {"min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0}


@dataclass(frozen=True, slots=True)
class Sampling:
    """The sampling of one model: names and meaning are those of transformers' `GenerationConfig`.

    `top_k` 0 and `top_p` 1 are off. `presence_penalty` is subtracted once from the logit of each token that
    the text already has. `note` says what of the model's file could not be followed.
    """

    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 64
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    max_new_tokens: int = MAX_NEW_TOKENS
    note: str = ""

    @classmethod
    def of(cls, folder: Path | None, mode: str, overrides: Mapping[str, Any]) -> Self:
        """Return the sampling of the model in `folder` (None: the program's own figures) for a mode."""
        longest = MAX_NEW_TOKENS if mode == "hook" else MAX_NEW_TOKENS_OF_A_TWEET
        ours = cls(max_new_tokens=longest)
        said = _read(folder / _FILE) if folder else {}
        return replace(ours._as_the_maker_says(said), **overrides)

    def _as_the_maker_says(self, said: Mapping[str, Any]) -> Self:
        """Return this sampling with what `generation_config.json` says of it."""
        temperature = _number(said.get("temperature"))
        greedy = said.get("do_sample") is False or temperature == 0
        penalties: dict[str, Any] = {
            name: value for name in _PENALTIES if (value := _number(said.get(name))) is not None
        }
        if greedy:
            note = (
                "its file asks for the likeliest word each time, which makes equal candidates: not followed"
            )
            return replace(self, **penalties, note=note)
        if not {"temperature", "top_p", "top_k", "min_p"} & said.keys():
            return replace(self, **penalties)
        # A file that names some of these means the others to be off, as in transformers.
        top_k, top_p = _number(said.get("top_k")), _number(said.get("top_p"))
        return replace(
            self,
            temperature=1.0 if temperature is None else temperature,
            top_p=1.0 if top_p is None or not 0 < top_p <= 1 else top_p,
            top_k=0 if top_k is None else max(int(top_k), 0),
            **penalties,
        )

    def as_data(self) -> dict[str, float]:
        """Return the figures in force for people and JSON: those that are off are left out."""
        figures = {name: value for name, value in asdict(self).items() if name != "note"}
        off = _OFF | {"top_p": 1.0, "top_k": 0}
        return {name: value for name, value in figures.items() if off.get(name) != value}


def _read(file: Path) -> dict[str, Any]:
    """Return a JSON object, empty where there is none: sampling is no reason not to write."""
    from src.system.files import read_json  # noqa: PLC0415 (the model's process imports only its own folder)

    try:
        data = read_json(file)
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _number(value: object) -> float | None:
    """Return a number that is neither negative nor a truth value, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 1e6 else None
