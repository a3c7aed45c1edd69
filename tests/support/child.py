"""Stand-ins for the model's process."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import Any

import pytest

from src.model import choose
from src.model.choose import Model

_REAL = subprocess.Popen  # a test may put a second script in the place of the first


def child(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Put a script in the place of the model's process."""
    become(monkeypatch, code)
    monkeypatch.setattr(choose, "locate", lambda settings: Model(settings.models_dir, "fake", tuned=True))


def become(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let every process that the model's client starts run a script; where the model is stays as it is."""
    monkeypatch.setattr("src.model.client.subprocess.Popen", partial(_start, code))


def _start(code: str, command: list[str], **options: Any) -> Any:
    return _REAL([sys.executable, "-c", code], **options)


def good_answer(openings: object) -> str:
    return f"""
import json, sys
for line in sys.stdin:
    for item in json.loads(line)["statements"]:
        print(json.dumps({{"id": item["id"], "openings": {openings!r}, "tokens": 9, "seconds": 0.1}}), flush=True)
"""
