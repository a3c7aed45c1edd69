"""The devices that a model may write on, for the model's own process: which one, and in which number format.

A device that fails, most often for want of memory, is left for the CPU within the same request.
`python -m src.model.devices` prints what the installed torch sees, as one JSON line, in the same sandbox.
"""

from __future__ import annotations

import importlib.metadata
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from src.model.sandbox import isolate, private_stdout

ENTRY = "src.model.devices"  # started by this name, as a process of its own
CPU, AUTO = "cpu", "auto"
NO_DEVICE, NO_MEMORY, FAILED = "no-device", "no-memory", "failed"
_WORTH_ITS_MEMORY = 1.5  # so many times quicker float32 must be: it takes twice the memory
_WIDTH, _ROWS, _REPEATS = 1024, 16, 5
_MOST_DETAIL = 200  # characters


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model writes, and in which number format.

    `reason` says why it is not the device that was wanted: `NO_DEVICE`, `NO_MEMORY` or `FAILED`, empty where
    it is. `left` is that device, and `detail` what torch said.
    """

    device: str = CPU
    dtype: str = "bfloat16"
    reason: str = ""
    left: str = ""
    detail: str = ""


Written = tuple[list[tuple[str, float, float]], int, Counter[str]]


class Writes(Protocol):
    """A loaded model; see `generate.HubModel.write`."""

    def write(self, text: str, count: int, seed: int) -> Written:
        """Return candidates, the number of tokens decoded, and why rows were dropped."""


class Placed:
    """A model that writes on one device, and from that device's first failure on with the CPU."""

    def __init__(self, load: Callable[[Place], Writes], place: Place, cpu_dtype: str) -> None:
        """Load the model by `load` on `place`, or on the CPU in the format `cpu_dtype`."""
        self._load, self._cpu_dtype = load, cpu_dtype
        self.place = place
        self._model: Writes | None = None
        try:
            self._model = load(place)
        except RuntimeError as error:
            self._leave(error)

    def write(self, text: str, count: int, seed: int) -> Written:
        """Return what the model writes; see `Writes`. Raise what it raises on the CPU."""
        if self._model is not None:
            try:
                return self._model.write(text, count, seed)
            except RuntimeError as error:
                # That is torch's own of every kind: no memory, no such kernel, a dead driver.
                self._leave(error)
        # Outside the handler, whose traceback would keep the tensors of the device alive.
        self._model = self._load(self.place)
        return self._model.write(text, count, seed)

    def _leave(self, error: RuntimeError) -> None:
        """Give the device up for the CPU. Raise the error where the CPU was the one."""
        import torch  # noqa: PLC0415

        if self.place.device == CPU:
            raise error
        reason = NO_MEMORY if isinstance(error, torch.OutOfMemoryError) else FAILED
        detail = next(iter(str(error).splitlines()), "")[:_MOST_DETAIL]
        self.place = Place(CPU, self._cpu_dtype, reason, self.place.device, detail)
        self._model = None


def choose(wanted: str, cpu_dtype: str, there: Mapping[str, str]) -> Place:
    """Return where to write: DEVICE is `wanted`, and `there` has the formats of the accelerators by name."""
    on_cpu = Place(CPU, cpu_dtype)
    if wanted == CPU:
        return on_cpu
    if wanted != AUTO and wanted not in there:
        return replace(on_cpu, reason=NO_DEVICE, left=wanted)
    device = next(iter(there), CPU) if wanted == AUTO else wanted
    return Place(device, there[device]) if device in there else on_cpu


def accelerators() -> dict[str, str]:
    """Return the accelerators that torch can use here, the best first, with the format that each does well.

    That is bfloat16 where the device has it, else float32. In float16, which older ones have, the numbers of
    models that were trained in bfloat16 overflow.
    """
    import torch  # noqa: PLC0415

    found = {}
    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        found["cuda"] = "bfloat16" if native else "float32"
    if torch.backends.mps.is_available():
        found["mps"] = "bfloat16" if torch.backends.mps.is_macos_or_newer(14, 0) else "float32"
    return found


def cpu_format() -> str:
    """Return the number format that this CPU does well, measured: some emulate bfloat16 slowly."""
    seconds = {name: _seconds(name) for name in ("bfloat16", "float32")}
    return "float32" if seconds["float32"] * _WORTH_ITS_MEMORY < seconds["bfloat16"] else "bfloat16"


def _seconds(dtype: str) -> float:
    """Return how long a layer takes for some rows: the quickest of a few times."""
    import torch  # noqa: PLC0415

    rows, weights = (torch.ones(size, _WIDTH, dtype=getattr(torch, dtype)) for size in (_ROWS, _WIDTH))
    seconds = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        torch.nn.functional.linear(rows, weights)
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def support() -> dict[str, Any]:
    """Return the version of torch, whether it was built for an accelerator, and those that it sees."""
    import torch  # noqa: PLC0415

    built = bool(torch.version.cuda or torch.version.hip or torch.backends.mps.is_built())
    return {"torch": importlib.metadata.version("torch"), "built": built, "accelerators": accelerators()}


if __name__ == "__main__":
    isolate()
    with private_stdout() as answers:
        answers.write(json.dumps(support()) + "\n")
