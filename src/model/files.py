"""The files of a model: manifest, checksums, what may be loaded, and the headers of the weights.

Nothing is loaded that is not safetensors, asks for remote code, or differs from its recorded checksums.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from src.domain.errors import ModelError
from src.domain.fixes import Fix, command
from src.system.files import write_atomically

MANIFEST = "MANIFEST.json"
_WEIGHTS = "*.safetensors"
_UNSAFE = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_RECORDED = ("*.safetensors", "*.json", "*.txt", "*.model")


def is_installed(folder: Path) -> bool:
    """Return whether a version is complete: its manifest is written last."""
    return (folder / MANIFEST).is_file()


def manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the manifest: `source`, `adapter` and `files` (SHA-256 by name). Empty without one."""
    file = folder / MANIFEST
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def refuse_unsafe(folder: Path) -> None:
    """Raise `ModelError` for a folder that has no safetensors weights or asks to run code of its own."""
    if not folder.is_dir() or not any(folder.iterdir()):
        message = f"the model folder {folder} is empty"
        raise ModelError(message, Fix("type: make model, or set MODEL to a folder that holds a model"))
    if not any(folder.glob(_WEIGHTS)):
        pickled = next((p.name for pattern in _UNSAFE for p in folder.glob(pattern)), "")
        message = f"{folder} has no safetensors weights" + (
            f", only pickled ones ({pickled}), which can run code" if pickled else ""
        )
        raise ModelError(message, Fix("use a revision of the model that ships safetensors"))
    for name in ("config.json", "tokenizer_config.json"):
        file = folder / name
        if file.exists() and "auto_map" in file.read_text(encoding="utf-8", errors="replace"):
            message = f"{file} wants to run code of its own (auto_map)"
            raise ModelError(message, Fix("choose a model that transformers knows by itself"))


def verify(folder: Path, models_dir: Path) -> None:
    """Compare the files with their recorded checksums; the first use of an owner's folder records them."""
    recorded = manifest(folder) or _trusted(folder, models_dir)
    for name, digest in recorded["files"].items():
        file = folder / name
        if not file.exists() or sha256(file) != digest:
            message = f"{file} is not the file that was recorded (checksum)"
            raise ModelError(
                message,
                Fix(
                    "install the model anew: make model, or ", command("model update"), " for one of your own"
                ),
            )
    unknown = sorted(p.name for p in folder.glob(_WEIGHTS) if p.name not in recorded["files"])
    if unknown:
        message = f"{folder / unknown[0]} was not there when the model was recorded"
        raise ModelError(message, Fix("remove it, or record the model anew: ", command("model update")))


def _trusted(folder: Path, models_dir: Path) -> dict[str, dict[str, str]]:
    """Return the checksums of an owner's folder, which are recorded outside it at its first use."""
    record = _record_of(folder, models_dir)
    if not record.exists():
        return trust(folder, models_dir)
    return dict(json.loads(record.read_text(encoding="utf-8")))


def trust(folder: Path, models_dir: Path) -> dict[str, dict[str, str]]:
    """Record the checksums of an owner's folder as it is now, and return the record."""
    record = _record_of(folder, models_dir)
    data = {"folder": {"path": str(folder)}, "files": checksums(folder)}
    try:
        record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(record, data)
    except OSError as error:
        message = f"the checksums of {folder} cannot be recorded in {record.parent}: {error.strerror}"
        raise ModelError(message, Fix(f"make {models_dir} writable for the first use of a model")) from error
    return data


def _record_of(folder: Path, models_dir: Path) -> Path:
    return models_dir / "trusted" / f"{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}.json"


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 (hex) of every file that is read when the model is loaded, by name."""
    files = sorted({p for pattern in _RECORDED for p in folder.glob(pattern) if p.name != MANIFEST})
    return {p.name: sha256(p) for p in files}


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file (hex)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parameters(folder: Path) -> int:
    """Return the number of parameters of a model, from the headers of its weights; scales do not count."""
    from src.model.llama import SCALE  # noqa: PLC0415 (the tuned model, which ships, is never counted)

    shapes = (
        tensor["shape"]
        for file in folder.glob(_WEIGHTS)
        for name, tensor in _header(file).items()
        if not name.endswith(SCALE)
    )
    return sum(map(math.prod, shapes))


def _header(weights: Path) -> dict[str, Any]:
    """Return the description of each tensor of a safetensors file, by name; empty without a header."""
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(length)) if length < weights.stat().st_size else {}
        except ValueError:
            return {}
    return {name: tensor for name, tensor in header.items() if name != "__metadata__"}


def write_json(path: Path, data: dict[str, dict[str, Any]]) -> None:
    """Write a manifest or a record, atomically and durably."""
    write_atomically(path, json.dumps(data, indent=1, sort_keys=True) + "\n")
