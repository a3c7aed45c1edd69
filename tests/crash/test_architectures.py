"""Every causal architecture that transformers has, small and random, and trained ones of three families."""

import signal
import sys
from datetime import UTC, datetime, timedelta

import pytest

from src import config, content_generator
from src.domain.texts import History
from src.model import choose
from src.model.choose import Model
from src.model.generate import HubModel
from tests.support import architectures, qwen, tiny_model

pytestmark = [pytest.mark.torch, pytest.mark.xdist_group("torch")]

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
BUILD_SECONDS = 60
LEAST = 100  # of the mapping: what can be built with the sizes of `architectures`
LFM2 = {"layer_types": ["conv", "full_attention", "conv"], "num_hidden_layers": 3, "head_dim": None}
GEMMA3 = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 64}


class TooSlowError(Exception):
    """An architecture that cannot be made small enough."""


def interrupt(*_):
    raise TooSlowError


def outcome(kind, folder):
    """Return what became of an architecture: `equal`, `differs by X`, or the reason why it was not built or run."""
    stage = "not built"
    try:
        slow = architectures.build(kind, folder)
        stage = "refused"
        model = HubModel(folder, dtype="float32", overrides={"temperature": 1.5})
        prompt = model.prompts.ids("git reflog shows where HEAD has been.")
        shares = model.shares_prompt(prompt, 1e-3)
        with model._torch.inference_mode():
            past = model._read(prompt) if shares else None
            rows = model._sample(prompt, past, 16, 3)
            scores = model._score(prompt, past, rows)
        plain = [architectures.uncached(slow, prompt, list(row.tokens)) for row in rows]
    except TooSlowError:
        return f"{stage}: too large or too slow"
    except Exception as error:  # noqa: BLE001 (the table names whatever an architecture raises)
        return f"{stage}: {type(error).__name__}: {' '.join(str(error).split())[:90]}"
    worst = max(abs(a - b) for a, b in zip(scores, plain, strict=True))
    return ("equal" if worst < 1e-3 else f"differs by {worst:.4f}") + (", shared prompt" if shares else "")


def test_the_table(tmp_path):
    """Each architecture that can be built writes 16 rows that are scored as without a cache, or is refused by name."""
    before = signal.signal(signal.SIGALRM, interrupt)
    table = {}
    for kind in architectures.kinds():
        folder = tmp_path / kind
        folder.mkdir()
        signal.alarm(BUILD_SECONDS)
        try:
            table[kind] = outcome(kind, folder)
        finally:
            signal.alarm(0)
        for file in folder.iterdir():
            file.unlink()
    signal.signal(signal.SIGALRM, before)
    sys.stdout.write("\n".join(f"{kind:<28} {result}" for kind, result in table.items()) + "\n")
    assert not [kind for kind, result in table.items() if result.startswith("differs")]
    assert sum(result.startswith("equal") for result in table.values()) >= LEAST


@pytest.mark.needs("qwen")
@pytest.mark.parametrize(
    ("kind", "shape"),
    [("qwen3", {}), ("gemma3_text", GEMMA3), ("lfm2", LFM2)],
    ids=["qwen3", "gemma3", "lfm2"],
)
def test_ten_ticks_are_led_by_the_model(tmp_path, monkeypatch, kind, shape):
    """A trained model of each form, with Qwen's vocabulary and a template, leads ten texts of ten with what it learned."""
    folder = tmp_path / "model"
    folder.mkdir()
    qwen.make(folder, kind=kind, steps=60, **{n: v for n, v in shape.items() if v is not None})
    library = tiny_model.write_library(tmp_path / "library.jsonl")
    given = {"DATA_DIR": str(tmp_path), "SOURCES": str(library), "BUILTIN_LIBRARY": "false"}
    settings = config.load({**given, "COOLDOWN_DAYS": "0"})
    monkeypatch.setattr(choose, "locate", lambda _settings: Model(folder, "owner/name", bar=-1.0))
    taught = {opening for *_, opening in tiny_model.STATEMENTS}
    led = []
    for hour in range(10):
        written = content_generator.compose(settings, History(), NOW + timedelta(hours=hour), seconds=240)
        led.append(written.draft.origin == "model" and written.draft.opening in taught)
    sys.stdout.write(f"{kind}: {sum(led)} of {len(led)} led by the model\n")
    assert all(led)
