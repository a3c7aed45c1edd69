"""The model's process: the fast decoder equals the library's, and its work is bounded by counts, not seconds."""

import io
import json
import math

import pytest

from src import config
from src.model import convert, decode, worker
from src.model.llama import WEIGHTS, Llama, can_run, quantise, restore, save_aligned
from src.model.prompts import prompt_for
from src.model.sampling import MAX_NEW_TOKENS
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
    assert len(steps) <= MAX_NEW_TOKENS
    assert len(passes) == len(steps) + 1


@pytest.mark.model
def test_the_owners_sampling_holds_for_the_embedded_model(model):
    """MAX_NEW_TOKENS bounds its rows, and one word to choose from makes all of them the same."""
    engine = decode.Engine(model.folder, tuned=model.tuned, overrides={"top_k": 1, "max_new_tokens": 24})
    written, _ = engine.write(TEXTS[0], 8, 5)
    assert len(written) <= 1
    short = decode.Engine(model.folder, tuned=model.tuned, overrides={"max_new_tokens": 4})
    _, decoded = short.write(TEXTS[0], 8, 5)
    assert decoded <= 8 * 4


@pytest.mark.model
def test_the_protocol(model):
    """One request in, one line a statement out, best first, nothing else on the stream."""
    out = io.StringIO()
    worker.main(
        io.StringIO(
            json.dumps(
                {
                    "model": str(model.folder),
                    "embedded": True,
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
