"""The files of a model: manifest, checksums, and what may be loaded.

Nothing is loaded that is not safetensors, needs code of its own, or differs from its recorded checksums.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from src.domain.errors import ModelError
from src.domain.fixes import Fix, command
from src.system.files import open_regular, read_json, reason_of, write_atomically

MANIFEST = "MANIFEST.json"
_WEIGHTS = "*.safetensors"
_FIX_ANEW = Fix("install the model anew: make model, or ", command("model update"), " for one of your own")
_MOST_PARTS = 1_000_000
_UNSAFE = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_RECORDED = ("*.safetensors", "*.json", "*.txt", "*.model")
_TEMPLATE = "*.jinja"


def is_installed(folder: Path) -> bool:
    """Return whether a version is complete: its manifest is written last."""
    return (folder / MANIFEST).is_file()


def manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the manifest: `source`, `adapter` and `files` (SHA-256 by name). Empty without one.

    Raises `ModelError` for one that says anything else.
    """
    file = folder / MANIFEST
    return _objects(file) if file.exists() else {}


def manifest_or_nothing(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the manifest of a folder that is only listed, empty where it cannot be read."""
    with contextlib.suppress(ModelError, OSError):
        return manifest(folder)
    return {}


def read_object(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file of a model. Raises `ModelError` for anything else, `OSError`."""
    try:
        data = read_json(file)
    except ValueError as error:
        raise _unreadable(file, reason_of(error)) from error
    if not isinstance(data, dict):
        raise _unreadable(file, "it is no JSON object")
    return data


def _objects(file: Path) -> dict[str, dict[str, Any]]:
    """Return a manifest or a record: JSON objects by name, with the files that were recorded."""
    data = read_object(file)
    if not all(isinstance(part, dict) for part in data.values()) or not _are_checksums(data.get("files")):
        raise _unreadable(file, "it is no manifest")
    return {"source": {}, **data}


def _unreadable(file: Path, reason: str) -> ModelError:
    return ModelError(f"{file} cannot be read: {reason}", _FIX_ANEW)


def _are_checksums(recorded: object) -> bool:
    """Return whether checksums stand by plain names of files, so that nothing outside the folder is read."""
    return isinstance(recorded, dict) and all(
        isinstance(digest, str) and name not in {"", ".", ".."} and not set(name) & {"/", "\0"}
        for name, digest in recorded.items()
    )


def refuse_unsafe(folder: Path) -> None:
    """Raise `ModelError` for a folder without safetensors weights, with a pipe, or with code of its own."""
    if not folder.is_dir() or not any(folder.iterdir()):
        message = f"the model folder {folder} is empty"
        raise ModelError(message, Fix("type: make model, or set MODEL to a folder that holds a model"))
    # The libraries open what they look for by its name, and would wait for the writer of a pipe.
    if odd := next(
        (p for p in sorted(folder.iterdir()) if p.exists() and not (p.is_file() or p.is_dir())), None
    ):
        raise _unreadable(odd, "it is not a regular file")
    if not any(folder.glob(_WEIGHTS)):
        pickled = next((p.name for pattern in _UNSAFE for p in folder.glob(pattern)), "")
        message = f"{folder} has no safetensors weights" + (
            f", only pickled ones ({pickled}), which can run code" if pickled else ""
        )
        raise ModelError(message, Fix("use a revision of the model that ships safetensors"))
    for name in ("config.json", "tokenizer_config.json"):
        file = folder / name
        if file.exists() and names_code(read_object(file)) and not _is_known(folder):
            message = f"{file} wants to run code of its own (auto_map)"
            raise ModelError(message, Fix("choose a model that transformers knows by itself"))


def _is_known(folder: Path) -> bool:
    """Return whether transformers has the architecture itself: then it never looks at code that is named."""
    file = folder / "config.json"
    return file.exists() and knows_kind(read_object(file))


def knows_kind(config: dict[str, Any]) -> bool:
    """Return whether a configuration is of a causal architecture that transformers has itself."""
    from transformers.models.auto.modeling_auto import (  # noqa: PLC0415 (seconds that few models cost)
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    )

    kind = config.get("model_type")
    return isinstance(kind, str) and kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES


def names_code(config: object) -> bool:
    """Return whether a configuration names code to run, at any depth, however its keys are written."""
    parts, seen = [config], 0
    while parts and seen < _MOST_PARTS:
        part, seen = parts.pop(), seen + 1
        if isinstance(part, dict):
            if "auto_map" in part:
                return True
            parts += part.values()
        elif isinstance(part, list):
            parts += part
    return bool(parts)  # too large to be looked through: not to be trusted


def refuse_unsound(folder: Path, models_dir: Path) -> None:
    """Raise `ModelError` for a folder that is not safe to load, or not as it was recorded."""
    refuse_unsafe(folder)
    verify(folder, models_dir)


def verify(folder: Path, models_dir: Path) -> None:
    """Compare the files with their recorded checksums; the first use of an owner's folder records them."""
    recorded = manifest(folder) or _trusted(folder, models_dir)
    for name, digest in recorded["files"].items():
        file = folder / name
        if not file.exists() or sha256(file) != digest:
            message = f"{file} is not the file that was recorded (checksum)"
            raise ModelError(message, _FIX_ANEW)
    unknown = sorted(p.name for p in folder.glob(_WEIGHTS) if p.name not in recorded["files"])
    if unknown:
        message = f"{folder / unknown[0]} was not there when the model was recorded"
        raise ModelError(message, Fix("remove it, or record the model anew: ", command("model update")))


def _trusted(folder: Path, models_dir: Path) -> dict[str, dict[str, str]]:
    """Return the checksums of an owner's folder, which are recorded outside it at its first use."""
    record = _record_of(folder, models_dir)
    if not record.exists():
        return trust(folder, models_dir)
    return _objects(record)


def trust(folder: Path, models_dir: Path) -> dict[str, dict[str, str]]:
    """Record the checksums of an owner's folder as it is now, and return the record."""
    record = _record_of(folder, models_dir)
    data = {"folder": {"path": str(folder)}, "files": checksums(folder, (*_RECORDED, _TEMPLATE))}
    try:
        record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(record, data)
    except OSError as error:
        message = f"the checksums of {folder} cannot be recorded in {record.parent}: {error.strerror}"
        raise ModelError(message, Fix(f"make {models_dir} writable for the first use of a model")) from error
    return data


def _record_of(folder: Path, models_dir: Path) -> Path:
    return models_dir / "trusted" / f"{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}.json"


def checksums(folder: Path, patterns: Iterable[str] = _RECORDED) -> dict[str, str]:
    """Return the SHA-256 (hex) of every file that is read when the model is loaded, by name."""
    files = sorted({p for pattern in patterns for p in folder.glob(pattern) if p.name != MANIFEST})
    return {p.name: sha256(p) for p in files}


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file (hex). Raises `ModelError` for what is no regular file, `OSError`."""
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except ValueError as error:
        raise _unreadable(path, reason_of(error)) from error


def write_json(path: Path, data: dict[str, dict[str, Any]]) -> None:
    """Write a manifest or a record, atomically and durably."""
    write_atomically(path, json.dumps(data, indent=1, sort_keys=True) + "\n")
