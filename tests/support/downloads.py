"""Files on a fake hub, and their way to this machine."""

from __future__ import annotations

import random
from pathlib import Path

from src import config
from src.config import Settings
from src.model import hub
from src.model.hub import Source
from tests.support.fake_hub import FakeHub, Repo

WEIGHTS = random.Random(5).randbytes(1_300_000)


FILES = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b'{"version": "1.0"}',
    "model.safetensors": WEIGHTS,
    "README.md": b"# A model",
    "pytorch_model.bin": b"\x80\x04pickle",
    "modeling_own.py": b"print('never')",
    "onnx/model.onnx": b"x",
    "model.fp16.safetensors": b"y" * 10,
}


def settings_for(server: FakeHub, tmp_path: Path, **more: str) -> Settings:
    return config.load({"DATA_DIR": str(tmp_path), "MODEL": "owner/name", "HF_ENDPOINT": server.url, **more})


def bring(
    server: FakeHub, tmp_path: Path, place: Path, repo: Repo, **more: str
) -> tuple[hub.RemoteFile, ...]:
    settings, source = settings_for(server, tmp_path, **more), Source("owner/name", repo.revision)
    files = hub.listing(settings, source)
    hub.fetch(settings, source, files, place)
    return files
