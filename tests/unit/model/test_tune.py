"""What the model is taught: the lessons that ship, and that a row of them teaches each opening as if it stood alone."""

import json

import pytest

from src import config
from src.content import gates, library
from src.domain.errors import TuningError
from src.model import tune

LIBRARY = library.load([config.ROOT / "data" / "library"])
STATEMENTS = {s.id: s for s in LIBRARY.statements}
WRITTEN = tune.read_lessons()
VERDICTS = tune.read_verdicts()


def test_lessons_for_the_library():
    """Nearly every statement of the library has openings to learn from, at least 1,500 in all, and no lesson is for none."""
    assert set(WRITTEN) <= set(STATEMENTS)
    assert len(WRITTEN) >= 0.99 * len(STATEMENTS)
    assert sum(map(len, WRITTEN.values())) >= 1500


def test_lessons_pass_the_gates():
    """What is written by hand may stand above at least one text of its statement; there are no links, mentions or words out of place."""
    bad = [
        (name, opening)
        for name, openings in WRITTEN.items()
        for opening in openings
        if not any(
            gates.judge_opening(opening, STATEMENTS[name], text).passed for text in STATEMENTS[name].texts
        )
    ]
    assert not bad


def test_verdicts_are_about_texts_of_the_library():
    """A verdict names a statement and one of its texts, and says one thing of an opening; both kinds are there in numbers."""
    for said in VERDICTS:
        assert said.text in STATEMENTS[said.statement].texts, said
        assert not set(said.fits) & set(said.misses), said
    assert len({(v.statement, v.text) for v in VERDICTS}) == len(VERDICTS)
    assert min(sum(len(v.fits) for v in VERDICTS), sum(len(v.misses) for v in VERDICTS)) >= 500


def test_nothing_held_out_is_taught():
    """Statements that are held out are in no lesson; each text of the others is in one, with openings that may stand above it."""
    held = {s.id for s in LIBRARY.statements if tune.is_held_out(s.id)}
    taught = dict(tune.lessons(LIBRARY.statements))
    assert 0.05 < len(held) / len(LIBRARY.statements) < 0.15
    for statement in LIBRARY.statements:
        if statement.id in held:
            assert not set(statement.texts) & set(taught), statement.id
            continue
        assert set(statement.texts) & set(taught), statement.id
        for text in statement.texts:
            assert all(
                gates.judge_opening(opening, statement, text).passed for opening in taught.get(text, ())
            )


def test_what_a_reader_accepted_is_taught():
    """Openings of an earlier model that a reader accepted are lessons, those that were refused are not, unless written by hand as well."""
    taught = dict(tune.lessons(LIBRARY.statements))
    said = [v for v in VERDICTS if not tune.is_held_out(v.statement)]
    assert all(set(v.fits) <= set(taught[v.text]) for v in said if v.fits)
    assert not [
        o for v in said for o in v.misses if o in taught.get(v.text, ()) and o not in WRITTEN[v.statement]
    ]


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
