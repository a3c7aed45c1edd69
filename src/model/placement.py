"""Where the model's process wrote last, which GPU this machine has, and whether torch can use it."""

from __future__ import annotations

import contextlib
import json
import platform
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from src.config import Settings
from src.domain.errors import ConfigError
from src.domain.fixes import NO_FIX, Fix, env_file
from src.model import child
from src.model.devices import AUTO, CPU, ENTRY, FAILED, NO_DEVICE, NO_MEMORY, Place
from src.model.versions import UNFINISHED
from src.system import progress
from src.system.files import read_json, write_atomically

PROBE_SECONDS = 60.0
NVIDIA = Path("/dev/nvidia0")
AMD = Path("/dev/kfd")  # torch calls its GPUs `cuda` too
_RECORD = "DEVICE.json"
_MOST_TEXT = 200  # characters
_FIX_MEMORY = Fix("choose a smaller MODEL, lower CANDIDATES, or set DEVICE=cpu in ", env_file())
_FIX_FAILED = Fix("update the driver and torch, or set DEVICE=cpu in ", env_file())
_FIX_MISSING = Fix("set DEVICE=auto in ", env_file(), ", or install a driver and a torch that has the device")


@dataclass(frozen=True, slots=True)
class Support:
    """What torch says: its version, whether it was built for a GPU, and the formats of those it sees."""

    torch: str
    built: bool
    accelerators: dict[str, str] = field(default_factory=dict)


def parsed(data: Any) -> Place | None:
    """Return the place in an answer of the model's process, None where there is none."""
    if not isinstance(data, dict):
        return None
    with contextlib.suppress(TypeError):
        return Place(**{str(name): str(value)[:_MOST_TEXT] for name, value in data.items()})
    return None


def explain(place: Place | None) -> tuple[str, Fix]:
    """Return why a model wrote on the CPU and what the owner can do; nothing where that was wanted."""
    if place is None or not place.reason:
        return "", NO_FIX
    said = f" ({place.detail})" if place.detail else ""
    words = {
        NO_MEMORY: (
            f"the memory of {place.left} did not suffice, so the model wrote on the CPU",
            _FIX_MEMORY,
        ),
        FAILED: (f"{place.left} failed, so the model wrote on the CPU{said}", _FIX_FAILED),
        NO_DEVICE: (f"torch sees no {place.left}, so the model wrote on the CPU", _FIX_MISSING),
    }
    return words.get(place.reason, ("", NO_FIX))


def remember(models_dir: Path, model: Path, place: Place) -> None:
    """Keep where a model wrote last, for `last`. A record that cannot be written costs nothing."""
    if last(models_dir, model) == place:
        return
    record = _recorded(models_dir) | {_version(model): asdict(place)}
    with contextlib.suppress(OSError):
        write_atomically(models_dir / _RECORD, json.dumps(record, indent=1, sort_keys=True) + "\n")


def last(models_dir: Path, model: Path) -> Place | None:
    """Return where a model wrote last, None where that is not known."""
    return parsed(_recorded(models_dir).get(_version(model)))


def _version(folder: Path) -> str:
    """Return the name of a version, also of one that is tried before it gets its name."""
    return folder.name.removeprefix(".").removesuffix(UNFINISHED)


def _recorded(models_dir: Path) -> dict[str, Any]:
    try:
        data = read_json(models_dir / _RECORD)
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def gpu_of_machine() -> str:
    """Return torch's name for the GPU that this machine has, empty for none."""
    if sys.platform == "darwin":
        return "mps" if platform.machine() == "arm64" else ""
    return "cuda" if NVIDIA.exists() or AMD.exists() else ""


def probe(settings: Settings) -> Support | None:
    """Ask the installed torch, in the sandbox and the limits of the model's process; None: no answer."""
    process = child.start(ENTRY, settings.generate_memory_mb)
    try:
        with progress.bar("looking for a GPU", 1, "answer") as shown:
            deadline = time.monotonic() + PROBE_SECONDS
            status, output, _ = child.collect(process, b"", deadline, shown)
    finally:
        child.end(process)
    with contextlib.suppress(ValueError, TypeError):
        return Support(**json.loads(output)) if status == 0 else None
    return None


def check(settings: Settings, *, embedded: bool) -> str:
    """Return in words where the model writes. Raise `ConfigError` where DEVICE names what cannot be used."""
    wanted, machine = settings.device, gpu_of_machine()
    if embedded:
        return "the embedded model writes on the CPU, whatever DEVICE says"
    if wanted == CPU or (wanted == AUTO and not machine):
        why = "DEVICE=cpu" if wanted == CPU else "no GPU was seen here"
        return f"the model writes on the CPU ({why})"
    found = probe(settings)
    there = found.accelerators if found else {}
    device = next(iter(there), "") if wanted == AUTO else wanted
    if device in there:
        return f"the model writes on {device} in {there[device]}, which is experimental"
    message, fix = _missing(settings, found, machine)
    if wanted == AUTO:
        return f"the model writes on the CPU: {message}; to use it, {fix.render()}"
    message = f"DEVICE={wanted} cannot be used, so the model writes on the CPU: {message}"
    raise ConfigError(message, fix)


def _missing(settings: Settings, found: Support | None, machine: str) -> tuple[str, Fix]:
    """Return why torch sees no GPU, and what the owner can do."""
    if found is None:
        return "torch gave no answer", Fix("install the packages anew: make")
    if not machine or (settings.device not in {AUTO, machine}):
        return "this machine has none", _FIX_MISSING
    if not found.built:
        version = found.torch.partition("+")[0]
        message = f"this machine has a GPU, and the installed torch {found.torch} has no support for it"
        pip = f"{sys.executable} -m pip install --force-reinstall"
        return message, Fix(f"type: {pip} torch=={version}")
    if settings.generate_memory_mb:
        message = f"torch {found.torch} sees no GPU under GENERATE_MEMORY_MB={settings.generate_memory_mb}"
        return message, Fix("set GENERATE_MEMORY_MB=0: a GPU may need more address space than that")
    return f"torch {found.torch} sees no GPU", Fix("see that the driver works (nvidia-smi) for this user")
