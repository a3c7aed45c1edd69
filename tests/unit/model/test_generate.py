"""Any model of a hub writes through transformers: its template, its ends, its cache, whatever its architecture."""

import json
import math

import pytest

from src.model import chat
from src.model.generate import HubModel, MissingWeightsError
from src.model.prompts import prompt_for
from tests.support import architectures

pytestmark = [pytest.mark.torch, pytest.mark.xdist_group("torch")]

FACT = "git reflog shows where HEAD has been."
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[model]{% endif %}"
)
DROPS_SYSTEM = "{% for m in messages if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endfor %}[model]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small random Llama without a template."""
    place = tmp_path_factory.mktemp("llama")
    architectures.build("llama", place)
    return place


def templated(tmp_path, template, *, special=("<|im_start|>", "<|im_end|>"), where="file"):
    """Save a tokenizer with a chat template, and return its folder."""
    from tokenizers import AddedToken, Tokenizer

    architectures.save_tokenizer(tmp_path)
    file = tmp_path / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(file))
    if where == "file":
        (tmp_path / "chat_template.jinja").write_text(template)
    else:
        said = json.loads((tmp_path / "tokenizer_config.json").read_text())
        said["chat_template"] = [
            {"name": "tool_use", "template": "x"},
            {"name": "default", "template": template},
        ]
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(said))
    return tmp_path


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gemma3_text", "lfm2", "qwen3_5_text", "mamba"])
def test_sixteen_candidates_of_any_architecture(tmp_path, kind):
    """Each row is scored as one pass without a cache scores it, past a sliding window and with a linear state too."""
    slow = architectures.build(kind, tmp_path)
    model = HubModel(tmp_path, dtype="float32", overrides={"temperature": 1.5})
    prompt = model.prompts.ids(FACT)
    with model._torch.inference_mode():
        past = model._read(prompt)
        rows = model._sample(prompt, past, 16, 3)
        scores = model._score(prompt, past, rows)
    assert len(rows) == 16
    assert len({row.tokens for row in rows}) > 8
    for row, score in zip(rows, scores, strict=True):
        assert math.isclose(score, architectures.uncached(slow, prompt, list(row.tokens)), abs_tol=1e-3)


def test_the_same_seed_writes_the_same(folder):
    """A seed decides what is written; another one writes something else; texts come best first."""
    model = HubModel(folder, dtype="float32", overrides={"max_new_tokens": 6})
    model._row = lambda written: model._cleaned(written, model._decode(written), ended=True)
    first, again, other = (model.write(FACT, 8, seed)[0] for seed in (1, 1, 2))
    assert first == again != other
    assert [score for _, score, _ in first] == sorted((score for _, score, _ in first), reverse=True)


def test_missing_weights_are_an_error(folder, tmp_path):
    """A model whose files lack weights is not loaded: transformers would make random ones."""
    import shutil

    from safetensors.torch import load_file, save_file

    place = shutil.copytree(folder, tmp_path / "model")
    weights = load_file(place / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, place / "model.safetensors", {"format": "pt"})
    with pytest.raises(MissingWeightsError, match="up_proj"):
        HubModel(place, dtype="float32")


@pytest.mark.parametrize("where", ["file", "list"])
def test_a_chat_template(tmp_path, where):
    """The system text with the voice leads, the statement is the user's, thinking is off; the template names the end."""
    prompts = chat.Prompts(templated(tmp_path, CHATML, where=where), "hook", "Dry and short.")
    shown = prompts.tokenizer.decode(prompts.ids(FACT))
    system, user = shown.split("<|im_end|>")[:2]
    assert system.startswith("<|im_start|>system")
    assert "opening line" in system
    assert "Dry and short." in system
    assert user.endswith(FACT)
    assert shown.endswith("<think>\n\n</think>\n\n")
    assert prompts.end_tokens() == {prompts.tokenizer.convert_tokens_to_ids("<|im_end|>")}


@pytest.mark.parametrize("template", [NO_SYSTEM, DROPS_SYSTEM], ids=["refuses", "drops"])
def test_a_template_without_a_system_role(tmp_path, template):
    """Where the system role is refused or silently dropped, its text leads the user's."""
    prompts = chat.Prompts(templated(tmp_path, template), "free", "Dry.")
    shown = prompts.tokenizer.decode(prompts.ids("Git"))
    assert shown.startswith("[user]You write one tweet")
    assert "Dry." in shown
    assert shown.endswith("Git[model]")


def test_a_base_model_gets_the_examples(tmp_path):
    """Without a template the prompt is the one of the examples, behind the token that begins every text."""
    from tokenizers import Tokenizer, processors

    templated(tmp_path, "")
    (tmp_path / "chat_template.jinja").unlink()
    file = tmp_path / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    begin = tokenizer.token_to_id("<|im_start|>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|im_start|> $A <|im_end|>",
        special_tokens=[("<|im_start|>", begin), ("<|im_end|>", tokenizer.token_to_id("<|im_end|>"))],
    )
    tokenizer.save(str(file))
    prompts = chat.Prompts(tmp_path, "hook", "Dry.")
    assert prompts.ids(FACT)[0] == begin
    assert prompts.tokenizer.decode(prompts.ids(FACT)[1:]) == prompt_for(FACT, tuned=False)


def test_control_tokens_in_a_statement_are_refused(tmp_path):
    """A statement with a control token would end the owner's words: nothing is written for it, and the reason is told."""
    architectures.build("llama", tmp_path)
    templated(tmp_path, CHATML)
    model = HubModel(tmp_path, dtype="float32")
    openings, decoded, dropped = model.write("A fact.<|im_end|>", 4, 1)
    assert (openings, decoded, dict(dropped)) == ([], 0, {"control-token": 4})


class Scripted:
    """A stand-in for `generate`: returns these rows of text behind the prompt, padded as transformers pads."""

    def __init__(self, model, rows):
        self.model, self.rows = model, rows

    def __call__(self, tokens, **_more):
        encoded = [self.model.prompts._encode(row) for row in self.rows]
        width = max(map(len, encoded))
        padded = [row + [self.model._config().pad_token_id] * (width - len(row)) for row in encoded]
        return self.model._torch.cat([tokens, self.model._tensor(padded)], 1)


def test_where_a_row_ends(tmp_path, monkeypatch):
    """A row ends at the template's end token or a line break; thoughts and unfinished rows are dropped with a reason."""
    architectures.build("llama", tmp_path)
    templated(tmp_path, CHATML)
    model = HubModel(tmp_path, dtype="float32")
    rows = [
        "Lost it?<|im_end|>more",
        "\n\nWhere is HEAD?\nFact:",
        '<think>\n\n</think>\n\n"Gone?"<|im_end|>',
        "<think>\nThe user wants\n",
        "No end here, because this row ran into the limit of tokens",
        "Lost it?<|im_end|>",
    ]
    monkeypatch.setattr(model.model, "generate", Scripted(model, rows))
    openings, _, dropped = model.write(FACT, 6, 1)
    assert {text for text, *_ in openings} == {"Lost it?", "Where is HEAD?", "Gone?"}
    assert dict(dropped) == {"thinking": 1, "unfinished": 1}
    ended, thinks = "Gone?\n", "<think>\n"
    rows = [model._tensor([model.prompts._encode(row)]) for row in (ended, thinks)]
    assert [model._line_end(0)(row, None).tolist() for row in rows] == [[True], [False]]


def test_a_presence_penalty(folder):
    """A token that was written once is less likely from then on, once for all its repetitions."""
    from src.model.generate import _penalties

    model = HubModel(folder, dtype="float32")
    (once,) = _penalties(2.0, 1)
    scores = once(model._tensor([[5, 7, 7]]), model._torch.zeros(1, 9))
    assert scores.tolist() == [[0, 0, 0, 0, 0, 0, 0, -2.0, 0]]
    assert not _penalties(0.0, 1)
