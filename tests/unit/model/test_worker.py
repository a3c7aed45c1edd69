"""The model's process: the fast decoder equals the library's, and its work is bounded by counts, not seconds."""

import io
import json
import math

import pytest

from src import config
from src.model import convert, decode, worker
from src.model.llama import WEIGHTS, Llama, can_run, quantise, restore, save_aligned
from src.model.prompts import prompt_for
from tests.support.needs import embedded_model

TEXTS = [
    "git reflog records where HEAD has been, so you can find a commit again after a bad reset or rebase.",
    "In SQL, NULL = NULL is not true.",
]

pytestmark = [pytest.mark.torch, pytest.mark.xdist_group("torch")]


@pytest.fixture(scope="module")
def model():
    """The installed embedded model."""
    return embedded_model(config.load({"DATA_DIR": str(config.ROOT / "data")}))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A small random Llama with grouped attention and an untied head, and a model of another kind, saved by transformers."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("tiny")
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=128,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=1,
            head_dim=64,
        )
    ).save_pretrained(folder / "even")
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=97,
            hidden_size=48,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=6,
            num_key_value_heads=2,
            tie_word_embeddings=False,
        )
    ).save_pretrained(folder / "llama")
    GPT2LMHeadModel(
        GPT2Config(vocab_size=97, n_embd=48, n_layer=2, n_head=4, n_positions=128)
    ).save_pretrained(folder / "gpt2")
    return folder


def reference(folder):
    """Plain transformers in float32 with the weights of a folder, eight-bit ones spelled out."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder)
    state = restore(load_file(folder / WEIGHTS))
    return (
        type(AutoModelForCausalLM.from_config(config))
        .from_pretrained(None, config=config, state_dict=state, dtype=torch.float32)
        .eval()
    )


def test_tiny_llama_equals_transformers(tiny):
    """On a model with grouped attention and an untied head every logit equals transformers', prefilled or stepped."""
    import torch

    assert can_run(tiny / "llama")
    assert not can_run(tiny / "gpt2")
    fast, slow = Llama(tiny / "llama", "float32"), reference(tiny / "llama")
    ids = torch.randint(0, 97, (1, 21))
    with torch.inference_mode():
        wanted = slow(ids).logits
        cache = fast.new_cache(40)
        assert torch.allclose(fast.forward(ids[:, :10], cache), wanted[:, :10], atol=1e-4)
        rows = cache.repeat(3)
        for at in range(10, 21):
            step = fast.forward(ids[:, at : at + 1].expand(3, 1), rows)
            assert torch.allclose(step[:, 0], wanted[:, at].expand(3, -1), atol=1e-4)
        assert cache.length == 10


@pytest.mark.parametrize(("kind", "aligned"), [("llama", True), ("even", True), ("even", False)])
def test_eight_bit_weights_are_the_weights_they_stand_for(tiny, tmp_path, kind, aligned):
    """Quantised, a tiny Llama gives what transformers gives with the rounded weights, by the few-rows kernel (whole blocks) or without."""
    import shutil

    import torch
    from safetensors.torch import load_file, save_file

    save = save_aligned if aligned else save_file
    shutil.copytree(tiny / kind, tmp_path / "small")
    full = load_file(tiny / kind / WEIGHTS)
    small = quantise(full)
    save(small, tmp_path / "small" / WEIGHTS)
    if aligned and kind == "even":
        assert all(weight.data_ptr() % 64 == 0 for weight in load_file(tmp_path / "small" / WEIGHTS).values())
    for name, weight in restore(small).items():
        step = weight.abs().amax(-1, keepdim=True) / 127 if weight.dim() == 2 else torch.zeros(1)
        assert torch.all((weight - full[name]).abs() <= 0.51 * step + 1e-6), name
    slow, fast = reference(tmp_path / "small"), Llama(tmp_path / "small")
    for count in (21, 60):
        ids = torch.randint(0, 97, (1, count))
        with torch.inference_mode():
            wanted = slow(ids).logits.log_softmax(-1)
            got = fast.forward(ids, fast.new_cache(80)).float().log_softmax(-1)
            assert float((wanted.exp() * (wanted - got)).sum(-1).max()) < 1e-3


def test_the_format_of_the_weights_is_measured(tiny, tmp_path):
    """Every format is timed; the file on disk is the one chosen; the manifest's record says what was measured."""
    import shutil

    from safetensors.torch import load_file
    from tokenizers import Tokenizer, models

    folder = tmp_path / "model"
    shutil.copytree(tiny / "llama", folder)
    Tokenizer(models.WordLevel({"git": 0, "runs": 1, "?": 2}, unk_token="?")).save(
        str(folder / "tokenizer.json")
    )
    record = convert.choose_precision(folder)
    assert set(record["seconds"]) == {"bfloat16", "float32", "int8"}
    assert record["int8"] == any(name.endswith(".scale") for name in load_file(folder / WEIGHTS))
    assert not list(folder.glob(".*"))
    assert convert.choose_precision(tiny / "gpt2") == {"dtype": "bfloat16", "int8": False}


@pytest.mark.model
def test_what_is_sampled_is_scored_on_the_way(model):
    """The log-likelihood that comes with a sampled opening is the one that reading it again gives."""
    engine = decode.Engine(model.folder, tuned=model.tuned)
    written, _ = engine.write(TEXTS[0], 8, 5)
    again = engine.log_likelihoods(TEXTS[0], [engine._ids(opening) for opening, _, _ in written])
    assert written
    for (opening, _, mean), wanted in zip(written, again, strict=True):
        assert math.isclose(mean, wanted, abs_tol=0.06), opening


@pytest.mark.model
def test_embedded_model_gives_the_same_distribution(model):
    """On the embedded model the next-token distribution is transformers' own, in float32 exactly, in bfloat16 nearly."""
    import torch
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model.folder / "tokenizer.json"))
    slow, exact, fast = reference(model.folder), Llama(model.folder, "float32"), Llama(model.folder)
    with torch.inference_mode():
        for text in TEXTS:
            ids = torch.tensor(
                [tokenizer.encode(prompt_for(text, tuned=model.tuned), add_special_tokens=False).ids]
            )
            wanted = slow(ids).logits.log_softmax(-1)
            assert torch.allclose(exact.forward(ids, exact.new_cache(200)).log_softmax(-1), wanted, atol=1e-3)
            got = fast.forward(ids, fast.new_cache(200)).float().log_softmax(-1)
            divergence = (wanted.exp() * (wanted - got)).sum(-1)
            assert (
                float(divergence[:, 4:].max()) < 0.05
            )  # behind the first words of the prompt, about which it was taught nothing


@pytest.mark.model
def test_scores_are_log_likelihoods(model):
    """The score of a row is the mean log-likelihood that plain transformers gives it."""
    import torch

    engine = decode.Engine(model.folder, tuned=model.tuned, dtype="float32")
    slow = reference(model.folder)
    rows = [engine._ids("Lost a commit?"), engine._ids("Why did the rebase fail again?")]
    got = engine.log_likelihoods(TEXTS[0], rows)
    prompt = engine._ids(prompt_for(TEXTS[0], tuned=model.tuned))
    for row, mean in zip(rows, got, strict=True):
        full = [*row, engine._stop]
        with torch.inference_mode():
            steps = slow(torch.tensor([prompt + full])).logits.log_softmax(-1)[0]
        wanted = sum(float(steps[len(prompt) - 1 + i, token]) for i, token in enumerate(full)) / len(full)
        assert math.isclose(mean, wanted, abs_tol=2e-3)


def test_any_other_model_goes_through_transformers(tiny, tmp_path):
    """A model that is no plain Llama writes through transformers, with the same calls."""
    import shutil

    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path / "gpt2"
    shutil.copytree(tiny / "gpt2", folder)
    vocabulary = {"<|im_end|>": 0, "\n": 1, **{f"w{i}": i for i in range(2, 97)}}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w2"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.save(str(folder / "tokenizer.json"))
    engine = decode.Engine(folder, tuned=True, dtype="float32")
    assert isinstance(engine._model, decode.TransformersModel)
    scores = engine.log_likelihoods("w5", [[5, 6], [7]])
    import torch

    slow = reference(folder)
    prompt = engine._ids(prompt_for("w5", tuned=True))
    with torch.inference_mode():
        steps = slow(torch.tensor([[*prompt, 5, 6, 0]])).logits.log_softmax(-1)[0]
    wanted = sum(float(steps[len(prompt) - 1 + i, t]) for i, t in enumerate([5, 6, 0])) / 3
    assert math.isclose(scores[0], wanted, abs_tol=1e-4)


def test_other_models_begin_and_end_as_they_were_taught(tiny, tmp_path, monkeypatch):
    """The begin-of-text token of a model leads its prompt, and each of its end tokens ends an opening; a tuned model's prompt stays bare."""
    import shutil

    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path / "gpt2"
    shutil.copytree(tiny / "gpt2", folder)
    tokenizer = Tokenizer(
        models.WordLevel(
            {"<bos>": 0, "\n": 1, "a": 2, "<eos>": 3, **{f"w{i}": i for i in range(4, 97)}}, unk_token="w4"
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 0), ("<eos>", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [3, 90]}))
    assert decode.Engine(folder, tuned=True, dtype="float32")._begin == []
    engine = decode.Engine(folder, tuned=False, dtype="float32", mode="free")
    assert engine._begin == [0]
    read = []
    real = engine._model.forward
    monkeypatch.setattr(
        engine._model,
        "forward",
        lambda tokens, *a, **k: read.append(tokens.tolist()) or real(tokens, *a, **k),
    )
    chosen = iter([[5, 6, 7, 8], [90, 7, 3, 1], [9, 1, 9, 9]])
    monkeypatch.setattr(engine, "_choose", lambda logits, generator: torch.tensor(next(chosen)))
    with torch.inference_mode():
        past, logits = engine._read("w5")
        rows, decoded = engine._sample(past, logits, 4, 1)
    assert read[0][0][0] == 0
    assert [row for row, _ in rows] == [[5, 90], [6, 7, 1], [7, 3], [8, 1]]
    assert decoded == 9


@pytest.fixture
def joined(tmp_path):
    """A random hybrid (convolution and attention) whose tokenizer joins a mark and line breaks in one token."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import Lfm2Config, Lfm2ForCausalLM

    torch.manual_seed(1)
    shape = Lfm2Config(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        layer_types=["conv", "full_attention", "conv"],
        initializer_range=0.5,
    )
    Lfm2ForCausalLM(shape).save_pretrained(tmp_path)
    vocabulary = {"?\n\n": 0, "\n": 1, "why?\n": 2, "\n\nNext": 3, **{f"w{i}": i for i in range(4, 97)}}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w4"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_a_line_break_ends_a_text_in_whatever_token_it_hides(joined, monkeypatch):
    """What stands before the break in its token is kept; each text is scored with the token that ended it, as without a cache."""
    import torch

    engine = decode.Engine(joined, tuned=False, dtype="float32")
    chosen = iter([[5, 6, 2, 7], [0, 3, 9, 8], [9, 9, 9, 1]])
    monkeypatch.setattr(engine, "_choose", lambda logits, generator: torch.tensor(next(chosen)))
    with torch.inference_mode():
        past, logits = engine._read("w5")
        rows, decoded = engine._sample(past, logits, 4, 1)
        scored = engine._score(past, logits, [row for row, _ in rows])
    assert decoded == 8
    assert [row for row, _ in rows] == [[5, 0], [6, 3], [2], [7, 8, 1]]
    assert [engine._clean(row) for row, _ in rows] == ["w5 ?", "w6", "why?", "w7 w8"]
    slow = reference(joined)
    prompt = engine._begin + engine._ids(prompt_for("w5", tuned=False))
    for (row, given), score in zip(rows, scored, strict=True):
        with torch.inference_mode():
            steps = slow(torch.tensor([prompt + row])).logits.log_softmax(-1)[0]
        wanted = sum(float(steps[len(prompt) - 1 + i, token]) for i, token in enumerate(row)) / len(row)
        assert math.isclose(given, wanted, abs_tol=1e-3)
        assert math.isclose(score, wanted, abs_tol=1e-3)


@pytest.mark.model
def test_forward_passes_are_counted(model, monkeypatch):
    """Sixteen openings take a prefill and a pass a token: no more, whatever the machine. They are scored on the way."""
    engine = decode.Engine(model.folder, tuned=model.tuned)
    passes = []
    real = engine._model.forward
    monkeypatch.setattr(
        engine._model,
        "forward",
        lambda tokens, *a, **k: passes.append(tuple(tokens.shape)) or real(tokens, *a, **k),
    )
    engine.write(TEXTS[0], 16, 3)
    steps = [shape for shape in passes if shape == (16, 1)]
    assert len(steps) <= decode.MAX_NEW_TOKENS
    assert len(passes) == len(steps) + 1


@pytest.mark.model
def test_the_protocol(model):
    """One request in, one line a statement out, best first, nothing else on the stream."""
    out = io.StringIO()
    worker.main(
        io.StringIO(
            json.dumps(
                {
                    "model": str(model.folder),
                    "tuned": model.tuned,
                    "n": 4,
                    "seed": 1,
                    "statements": [{"id": str(i), "text": t} for i, t in enumerate(TEXTS)],
                }
            )
        ),
        out,
    )
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [a["id"] for a in answers] == ["0", "1"]
    assert all(len(o) == 3 for a in answers for o in a["openings"])


def test_prompts():
    """Each mode asks for another thing; a tuned model sees the bare statement."""
    asked = {
        prompt_for("X.", tuned=t, mode=m)
        for t, m in ((True, "hook"), (False, "hook"), (False, "rewrite"), (False, "free"))
    }
    assert len(asked) == 4
