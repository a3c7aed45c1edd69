"""What the model is taught: an owner's examples, and a row of lessons that teaches each opening as if it stood alone."""

import json

import pytest

from src.domain.errors import TuningError
from src.model import tune


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"statement": "A fact."}',
        '{"statement": "A fact.", "opening": 3}',
        '{"statement": "See https://a.example", "opening": "So?"}',
    ],
)
def test_examples_that_cannot_be_used(tmp_path, line):
    """Broken examples are named by their line, all at once."""
    file = tmp_path / "mine.jsonl"
    file.write_text(
        json.dumps({"statement": "A fact that is true.", "opening": "Is it?"}) + "\n\n" + line + "\n"
    )
    with pytest.raises(TuningError, match=rf"{file}:3: "):
        tune.read_examples(file)


def test_examples_of_one_statement_are_one_lesson(tmp_path):
    """The openings of one statement are learned together."""
    file = tmp_path / "mine.jsonl"
    file.write_text(
        "".join(
            json.dumps({"statement": "A fact that is true.", "opening": o}) + "\n"
            for o in ("Is it?", "True or not?")
        )
    )
    assert tune.read_examples(file) == [("A fact that is true.", ("Is it?", "True or not?"))]
    with pytest.raises(TuningError, match="cannot be read"):
        tune.read_examples(tmp_path / "none.jsonl")


class Letters:
    """A tokenizer of one token a letter."""

    def encode(self, text, add_special_tokens):
        assert not add_special_tokens
        return [ord(c) % 90 + 3 for c in text]


@pytest.mark.torch
def test_a_row_teaches_each_opening_as_if_alone():
    """Openings of one row see their text and not each other: the loss is the mean of what each has by itself."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    plain = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=96,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            attn_implementation="eager",
        )
    ).eval()
    plain.get_base_model = lambda: plain
    rows = [
        tune._encode(Letters(), "A text.", ("Why is it so?", "How?", "Is it?")),
        tune._encode(Letters(), "Another, longer text.", ("Which one?",)),
    ]
    with torch.inference_mode():
        got = float(tune._loss(plain, rows))
        tokens = []
        for prompt, openings in rows:
            for opening in openings:
                said = (
                    plain(torch.tensor([prompt + opening]))
                    .logits[0]
                    .float()[len(prompt) - 1 : -1]
                    .log_softmax(-1)
                )
                tokens += [-float(said[i, t]) for i, t in enumerate(opening)]
    assert got == pytest.approx(sum(tokens) / len(tokens), rel=1e-4)
