"""The model's own process: statements in, openings out, JSON lines both ways. No credentials, no network.

`python -m src.model.worker` reads a request, a line, from standard input and prints one line per statement:

    {"model": FOLDER, "embedded": true, "tuned": true, "mode": "hook", "n": 16, "seed": 7,
     "voice": "", "sampling": {"temperature": 0.7}, "device": "auto",
     "statements": [{"id": ..., "text": ...}, ...]}
    {"id": ..., "openings": [[text, score, mean_log_likelihood], ...], "dropped": {"thinking": 2},
     "tokens": 312, "seconds": 1.9, "peak_mb": 420.5, "place": {"device": "cuda", "dtype": "bfloat16", ...}}

Further lines ask for more with the same model: `n`, `seed` and `statements`. The embedded model has a
decoder of its own on the CPU, every other model goes through transformers, on the device that `place` names.
`dropped` counts the rows that gave no text, by the reason.

It imports only its own folder, so that it starts quickly and cannot reach a setting.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from src.model.decode import Engine
from src.model.sandbox import isolate, private_stdout


def usable_cores() -> int:
    """Return how many cores this process may use; all of them where the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


Where = dict[str, Any]
Writer = Callable[[str, int, int], tuple[list[tuple[str, float, float]], int, Mapping[str, int], Where]]


def loaded(request: Mapping[str, Any]) -> Writer:
    """Load the model of a request; return what writes (candidates, tokens, rows dropped, the place)."""
    folder, dtype = Path(request["model"]), request.get("dtype", "bfloat16")
    mode, overrides = request.get("mode", "hook"), request.get("sampling", {})
    if request.get("embedded"):
        engine = Engine(folder, tuned=bool(request["tuned"]), dtype=dtype, mode=mode, overrides=overrides)
        return lambda text, count, seed: (*engine.write(text, count, seed), {}, {})
    from src.model import devices  # noqa: PLC0415 (the embedded model needs nothing of it)
    from src.model.generate import HubModel  # noqa: PLC0415 (the same)

    voice = request.get("voice", "")
    shares = bool(request.get("shares_prompt", True))

    def load(place: devices.Place) -> HubModel:
        return HubModel(
            folder,
            dtype=place.dtype,
            device=place.device,
            mode=mode,
            voice=voice,
            overrides=overrides,
            shares=shares,
        )

    place = devices.choose(request.get("device", devices.AUTO), dtype, devices.accelerators())
    model = devices.Placed(load, place, dtype)
    return lambda text, count, seed: (*model.write(text, count, seed), asdict(model.place))


def answer(write: Writer, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Carry out one request; yield one result per statement."""
    from src.system.usage import peak_mb  # noqa: PLC0415 (not before the model is loaded)

    for number, item in enumerate(request["statements"]):
        started = time.perf_counter()
        openings, decoded, dropped, place = write(
            item["text"], int(request["n"]), int(request["seed"]) + number
        )
        yield {
            "id": item["id"],
            "openings": openings,
            "dropped": dict(dropped),
            "tokens": decoded,
            "seconds": round(time.perf_counter() - started, 3),
            "peak_mb": peak_mb(),
            **({"place": place} if place else {}),
        }


def main(stdin: IO[str], stdout: IO[str]) -> None:
    """Serve requests until there are no more. The libraries are loaded before the first one is there."""
    import safetensors.torch  # noqa: F401, PLC0415
    import tokenizers  # noqa: F401, PLC0415
    import torch  # noqa: PLC0415

    first = json.loads(stdin.readline())
    torch.set_num_threads(int(first.get("threads") or usable_cores()))
    write = loaded(first)
    for request in itertools.chain([first], map(json.loads, stdin)):
        for result in answer(write, request):
            stdout.write(json.dumps(result) + "\n")
            stdout.flush()


if __name__ == "__main__":
    isolate()
    with private_stdout() as answers:
        main(sys.stdin, answers)
