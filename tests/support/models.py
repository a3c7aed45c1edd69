"""Hub models for tests, with and without their weight."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from src import config
from src.commands import check
from src.config import Settings
from src.content import library as sources
from src.model import choose, files
from src.model.choose import GGUF_SHA256
from src.upkeep import model_update
from tests.support import child, tiny_model
from tests.support.fake_hub import FakeHub, Repo

NAME = "owner/name"


OPENINGS = [(opening, -0.2, -0.3) for *_, opening in tiny_model.STATEMENTS]


WRITES = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if 'statements' not in request:  # the trial of the architecture
        print(json.dumps({'parameters': 1000, 'has_template': False, 'shares_prompt': True}))
    for s in request.get('statements', ()):
        print(json.dumps({'id': s['id'], 'openings': %r, 'tokens': 9, 'seconds': 0.1}), flush=True)
"""


def some_files(seed: int = 5) -> dict[str, bytes]:
    return {
        "config.json": b'{"model_type": "llama"}',
        "tokenizer.json": json.dumps({"n": seed}).encode(),
        "model.safetensors": random.Random(seed).randbytes(900_000),
    }


@pytest.fixture
def server() -> Iterator[FakeHub]:
    with FakeHub() as made:
        yield made


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tiny_model.write_library(tmp_path / "library.jsonl")


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[tuple[str, float, float]]], None]:
    """Put a script in the place of the model's process: it writes these openings for every statement."""

    def become(openings: list[tuple[str, float, float]]) -> None:
        child.become(monkeypatch, WRITES % openings)

    become(OPENINGS)
    return become


@pytest.fixture
def make(server: FakeHub, tmp_path: Path, library: Path) -> Callable[..., Settings]:
    """Return a function that makes settings for a MODEL, a revision and more."""

    def made(repo: Repo | None = None, model: str = NAME, **more: str) -> Settings:
        revision = repo.revision if repo else ""
        return config.load(
            {
                "DATA_DIR": str(tmp_path / "data"),
                "MODEL": model,
                "MODEL_REVISION": revision,
                "HF_ENDPOINT": server.url,
                "SOURCES": str(library),
                "BUILTIN_LIBRARY": "false",
                "GENERATE_SECONDS": "60",
                **more,
            }
        )

    return made


def update(settings: Settings, revision: str = "") -> tuple[Path, str]:
    return model_update.update(settings, revision, sources.load(settings.library_paths).statements)


def embedded(settings: Settings, name: str | None = None) -> Path:
    """Make an embedded model as the conversion leaves it, without its weight."""
    folder = settings.models_dir / name if name else choose.embedded_folder(settings.models_dir)
    folder.mkdir(parents=True)
    for file, data in some_files(1).items():
        (folder / file).write_bytes(data)
    said = {
        "source": {"gguf": GGUF_SHA256},
        "adapter": {"sha256": "ab", "from": "shipped"},
        "files": files.checksums(folder),
    }
    (folder / files.MANIFEST).write_text(json.dumps(said))
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files of a small real model that learned four openings."""
    return tiny_model.make(tmp_path_factory.mktemp("tiny"))


def row_of(part: str, settings: Settings) -> str:
    """Return what `check` says of the model or its device. Raises `ProgramError` where that is a failure."""
    probe = {"model": check._check_model, "device": check._check_device}[part]
    return probe(settings, lambda: choose.locate(settings))
