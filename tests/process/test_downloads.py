"""Downloads from a hub: pinned, checked, resumed; nothing that could run code; every refusal names its fix."""

import hashlib
import json
import os
import re
import threading
import time

import pytest

from src import config
from src.domain.errors import ConfigError, HubError, ModelError, ProgramError, StorageError
from src.model import hub
from src.model.hub import Source
from tests.support.downloads import FILES, WEIGHTS, bring, settings_for
from tests.support.fake_hub import FakeHub, Fault

pytestmark = pytest.mark.xdist_group("hub")  # its fixtures and imports are expensive


@pytest.fixture
def server():
    with FakeHub() as made:
        yield made


@pytest.fixture
def place(tmp_path):
    return tmp_path / "models" / ".work"


def test_brings_what_is_needed_and_nothing_else(server, tmp_path, place):
    """Weights, configuration and tokenizer arrive whole, 0600 in a folder 0700; no code, pickle or second copy is asked for."""
    repo = server.add("owner/name", FILES)
    old = os.umask(0o022)
    try:
        bring(server, tmp_path, place, repo)
    finally:
        os.umask(old)
    assert {p.name: p.read_bytes() for p in place.iterdir()} == {
        n: FILES[n] for n in ("config.json", "tokenizer.json", "model.safetensors")
    }
    assert place.stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in place.iterdir()} == {0o600}
    assert not [
        s for s in server.seen if s.path.endswith((".py", ".bin", ".onnx", ".md", "fp16.safetensors"))
    ]
    assert {s.authorization for s in server.seen} == {""}


@pytest.mark.parametrize("name", ["model", "weights"])
def test_shards(server, tmp_path, place, name):
    """The weights of a larger model come in shards, under whatever names its index lists, and no others."""
    shards = {f"{name}.safetensors-0000{n}-of-00002.safetensors": bytes([n]) * 400_000 for n in (1, 2)}
    index = {"weight_map": {str(n): shard for n, shard in enumerate(shards)}}
    files = (
        {n: d for n, d in FILES.items() if "safetensors" not in n}
        | shards
        | {"model.safetensors.index.json": json.dumps(index).encode(), "other.safetensors": b"z"}
    )
    bring(server, tmp_path, place, server.add("owner/name", files))
    there = {p.name for p in place.iterdir()}
    assert {*shards, "model.safetensors.index.json"} <= there
    assert "other.safetensors" not in there


def test_a_configuration_that_only_names_code(server, tmp_path, place):
    """A known architecture whose files name code is fetched like any other; the code and its files are not."""
    names_code = b'{"model_type": "llama", "auto_map": {"AutoModelForCausalLM": "modeling_own.Model"}}'
    more = {"config.json": names_code, "tokenizer_config.json": b'{"auto_map": {"AutoTokenizer": "x.Y"}}'}
    more |= {"chat_template.jinja": b"{{ messages }}", "processor_config.json": b"{}"}
    bring(server, tmp_path, place, server.add("owner/name", FILES | more))
    assert {*more, "model.safetensors"} <= {p.name for p in place.iterdir()}
    assert not list(place.glob("*.py"))


def test_a_cut_connection_goes_on_where_it_broke(server, tmp_path, place, monkeypatch):
    """A connection cut in the middle is taken up again with a range, and the file is right."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    server.on("/storage/", Fault(cut=700_000))
    bring(server, tmp_path, place, server.add("owner/name", FILES))
    assert (place / "model.safetensors").read_bytes() == WEIGHTS
    asked = server.bytes_asked("model.safetensors")
    assert asked[0] == ""
    assert int(re.fullmatch(r"bytes=(\d+)-", asked[1])[1]) >= hub.CHUNK_BYTES


def test_what_was_fetched_is_not_fetched_again(server, tmp_path, place):
    """A second call asks the hub for its list only; a file spoilt meanwhile is fetched anew."""
    repo = server.add("owner/name", FILES)
    bring(server, tmp_path, place, repo)
    server.seen.clear()
    bring(server, tmp_path, place, repo)
    assert [s.path.split("/")[1] for s in server.seen] == ["api"]
    (place / "model.safetensors").write_bytes(b"x" * len(WEIGHTS))
    bring(server, tmp_path, place, repo)
    assert (place / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_wrong_bytes_are_refused(server, tmp_path, place, name):
    """A large file (SHA-256) or a small one (git's checksum) that is not what the hub promised does not stay."""
    repo = server.add("owner/name", FILES)
    server.on(f"/{name}" if name == "tokenizer.json" else "/storage/", Fault(spoil=True))
    with pytest.raises(ModelError, match=f"{name}.*checksum") as caught:
        bring(server, tmp_path, place, repo)
    assert caught.value.fix
    assert not list(place.glob(f"{name}*"))
    bring(server, tmp_path, place, repo)


def test_too_little_disk(server, tmp_path, place):
    """The size is asked before: a model that does not fit is refused, and not a byte of it is fetched."""
    repo = server.add(
        "owner/name",
        FILES,
        promised={
            "model.safetensors": {
                "size": 10**15,
                "lfs": {"sha256": "0" * 64, "size": 10**15, "pointerSize": 1},
            }
        },
    )
    with pytest.raises(StorageError, match=r"needs 11000\d\d\.\d GB") as caught:
        bring(server, tmp_path, place, repo)
    assert "room" in caught.value.fix.render()
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model.safetensors": None}, "only pickled ones"),
        ({"model.safetensors": None, "pytorch_model.bin": None}, "no safetensors"),
        ({"tokenizer.json": None}, "no tokenizer.json"),
        ({"config.json": None}, "no config.json"),
        (
            {"config.json": b'{"model_type": "own", "auto_map": {"AutoModel": "modeling_own.Model"}}'},
            "auto_map",
        ),
        ({"config.json": b'{"model_type": "t5"}'}, "does not know"),
        ({"config.json": b'{"model_type": "surprise"}'}, "does not know"),
        (
            {"config.json": b'{"model_type": "llama", "quantization_config": {"quant_method": "awq"}}'},
            "quantized",
        ),
        ({"config.json": b'{"model_type": ["llama"]}'}, "does not know"),
        ({"config.json": b'{"model_type": {"a": 1}}'}, "does not know"),
        ({"config.json": b'{"model_type": null}'}, "does not know"),
        ({"config.json": b"{}"}, "does not know"),
        ({"config.json": rb'{"model_type": "own", "\u0061uto_map": {}}'}, "auto_map"),
        (
            {"model.safetensors": None, "model.safetensors.index.json": b'{"weight_map": {"a": "../x"}}'},
            "index",
        ),
        (
            {
                "model.safetensors": None,
                "model.safetensors.index.json": b'{"weight_map": {"a": "no.safetensors"}}',
            },
            "index",
        ),
        ({"model.safetensors": None, "model.safetensors.index.json": b'{"weight_map": []}'}, "index"),
        ({"config.json": b"[1]"}, "not JSON"),
        ({"config.json": b"[" * 100_000}, "not JSON"),
    ],
)
def test_what_may_not_be_used(server, tmp_path, place, change, words):
    """Pickles, parts of models, code of its own, kinds unknown here: refused before the weights are fetched, again and again."""
    repo = server.add("owner/name", {n: d for n, d in {**FILES, **change}.items() if d is not None})
    for _ in range(2):
        with pytest.raises(ConfigError, match=words) as caught:
            bring(server, tmp_path, place, repo)
        assert caught.value.fix
    assert server.bytes_asked("model.safetensors") == []


def test_a_gated_model(server, tmp_path, place):
    """Behind a licence: refused with the page and HF_TOKEN; with the token it comes, and the storage never sees the token."""
    repo = server.add("owner/name", FILES, gated=True)
    with pytest.raises(ConfigError, match="licence") as caught:
        bring(server, tmp_path, place, repo)
    assert "HF_TOKEN" in caught.value.fix.render()
    assert f"{server.url}/owner/name" in caught.value.fix.render()
    with pytest.raises(ConfigError, match="401") as caught:
        bring(server, tmp_path, place, repo, HF_TOKEN="hf_wrong")
    assert "hf_wrong" not in str(caught.value) + caught.value.fix.render()
    bring(server, tmp_path, place, repo, HF_TOKEN="hf_read")
    assert {s.authorization for s in server.seen if s.path.startswith("/storage/")} == {""}
    assert "Bearer hf_read" in {s.authorization for s in server.seen}


@pytest.mark.parametrize(
    ("name", "revision", "words"),
    [
        ("owner/name", "f" * 40, "no commit ffff"),
        ("owner/other", "f" * 40, "no model owner/other"),
        ("a b/c", "f" * 40, "no hub id"),
    ],
)
def test_not_there(server, tmp_path, name, revision, words):
    """A commit, or a model, that the hub does not have."""
    server.add("owner/name", FILES)
    with pytest.raises(ConfigError, match=words) as caught:
        hub.listing(settings_for(server, tmp_path), Source(name, revision))
    assert caught.value.fix


@pytest.mark.parametrize(
    ("part", "fault", "words"),
    [
        ("/api/", Fault(status=503), "answered 503"),
        ("/resolve/", Fault(status=503), "answered 503"),
        ("/storage/", Fault(status=500), "answered 500"),
        ("/api/", Fault(html=True), "cannot be reached"),
        ("/api/", Fault(status=403), "answered 403"),
    ],
)
def test_a_hub_in_trouble(server, tmp_path, place, part, fault, words, monkeypatch):
    """A hub that is overloaded or answers nonsense ends in one sentence, with exit 75 where later may be better."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    repo = server.add("owner/name", FILES)
    server.on(part, fault)
    with pytest.raises(ProgramError, match=words) as caught:
        bring(server, tmp_path, place, repo)
    assert caught.value.fix
    assert int(caught.value.exit_code) == (78 if "403" in words else 75)
    bring(server, tmp_path, place, repo)


def test_another_commit_than_asked(server, tmp_path):
    """A hub or mirror that answers with another commit than the pinned one is not believed."""
    repo = server.add("owner/name", FILES, says="e" * 40)
    with pytest.raises(HubError, match="answered with commit eeee"):
        hub.listing(settings_for(server, tmp_path), Source("owner/name", repo.revision))


def test_no_hub_at_all(tmp_path):
    """Nobody listens: exit 75, and HF_ENDPOINT is named."""
    with FakeHub() as gone:
        url = gone.url
    settings = config.load({"DATA_DIR": str(tmp_path), "MODEL": "owner/name", "HF_ENDPOINT": url})
    with pytest.raises(HubError, match="cannot be reached") as caught:
        hub.listing(settings, Source("owner/name", "f" * 40))
    assert "HF_ENDPOINT" in caught.value.fix.render()


def test_a_slow_hub(server, tmp_path, place):
    """A hub that takes its time is waited for."""
    repo, until = server.add("owner/name", FILES), threading.Event()
    server.on("/storage/", Fault(until=until))
    worker = threading.Thread(target=bring, args=(server, tmp_path, place, repo))
    worker.start()
    while not any(s.path.startswith("/storage/") for s in server.seen):
        time.sleep(0.01)
    assert not (place / "model.safetensors").exists()
    until.set()
    worker.join(20)
    assert (
        hashlib.sha256((place / "model.safetensors").read_bytes()).hexdigest()
        == hashlib.sha256(WEIGHTS).hexdigest()
    )


@pytest.mark.parametrize(
    "url", ["http://hub.example", "https://hub.example?x=1", "https://me@hub.example", "ftp://hub.example"]
)
def test_unsafe_endpoints(url):
    """A hub without TLS, or with a name and a password in its address, is refused."""
    with pytest.raises(ConfigError, match="HF_ENDPOINT"):
        config.load({"HF_ENDPOINT": url})
    assert (
        config.load({"HF_ENDPOINT": "https://mirror.example/hf/"}).hf_endpoint == "https://mirror.example/hf"
    )
