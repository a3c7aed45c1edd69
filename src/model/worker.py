"""The model's own process: statements in, openings out, JSON lines both ways. No credentials, no network.

`python -m src.model.worker` reads one request from standard input and prints one line per statement:

    {"model": FOLDER, "tuned": true, "mode": "hook", "n": 16, "seed": 7,
     "statements": [{"id": ..., "text": ...}, ...]}
    {"id": ..., "openings": [[text, score, mean_log_likelihood], ...], "tokens": 312, "seconds": 1.9}

It imports only its own folder, so that it starts quickly and cannot reach a setting.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from src.model.decode import Engine
from src.model.sandbox import isolate


def usable_cores() -> int:
    """Return how many cores this process may use; all of them where the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def answer(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Carry out one request; yield one result per statement."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(int(request.get("threads") or usable_cores()))
    engine = Engine(
        Path(request["model"]),
        tuned=bool(request["tuned"]),
        dtype=request.get("dtype", "bfloat16"),
        mode=request.get("mode", "hook"),
    )
    for number, item in enumerate(request["statements"]):
        started = time.perf_counter()
        openings, decoded = engine.write(item["text"], int(request["n"]), int(request["seed"]) + number)
        yield {
            "id": item["id"],
            "openings": openings,
            "tokens": decoded,
            "seconds": round(time.perf_counter() - started, 3),
        }


def main(stdin: IO[str], stdout: IO[str]) -> None:
    """Serve one request. The libraries are loaded before it is read: it may not be there yet."""
    import safetensors.torch  # noqa: F401, PLC0415 (torch with it)
    import tokenizers  # noqa: F401, PLC0415

    for result in answer(json.load(stdin)):
        stdout.write(json.dumps(result) + "\n")
        stdout.flush()


if __name__ == "__main__":
    isolate()
    # Libraries print; the answers go to a private copy of standard output.
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main(sys.stdin, private)
