"""The versions of models on disk: which one each MODEL uses, the one before it, and which may be removed.

`ACTIVE.json` holds for every MODEL (accounts may share the folder) the version in use, the one used before,
and the MODEL_REVISION that was set when it was switched to. A version is a folder with a manifest, which is
written last.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from src.config import Settings
from src.domain.model_choice import EMBEDDED
from src.model.files import is_installed, manifest_or_nothing
from src.system.files import read_json, write_atomically

ACTIVE = "ACTIVE.json"
UNFINISHED = ".download"
_STALE_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Active:
    """What one MODEL uses: folder names, and the MODEL_REVISION in force when it was switched to."""

    current: str
    previous: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """One installed version. `use` is `in use`, `previous` or empty, as seen by the MODEL that is set."""

    folder: Path
    name: str
    revision: str
    tuned: bool
    megabytes: float
    use: str = ""


def active(models_dir: Path) -> dict[str, Active]:
    """Return what every MODEL uses, by its name; empty without a switch or if the file cannot be read."""
    try:
        data = read_json(models_dir / ACTIVE)
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict):
        return {}
    if isinstance(data.get("current"), str):
        data = {EMBEDDED: data}  # written by an early version, which knew the embedded model only
    entries = {}
    for name, entry in data.items():
        with contextlib.suppress(TypeError):
            found = Active(**entry)
            if all(isinstance(value, str) for value in asdict(found).values()):
                entries[name] = found
    return entries


def record(settings: Settings, current: str, previous: str) -> None:
    """Let the MODEL that is set use the folder named `current` from the next run on. Atomic, durable."""
    choice = settings.model_choice
    entries = active(settings.models_dir)
    entries[choice.name] = Active(current, previous, choice.revision)
    data = {name: asdict(entry) for name, entry in sorted(entries.items())}
    write_atomically(settings.models_dir / ACTIVE, json.dumps(data, indent=1) + "\n")


def hub_folder(models_dir: Path, name: str, revision: str) -> Path:
    """Return where a hub model is installed."""
    return models_dir / f"{name.replace('/', '--')}-{revision[:12]}"


def installed(settings: Settings, in_use: Path) -> list[Version]:
    """Return every version on disk, the one in use first, then the one that a rollback would restore."""
    entry = active(settings.models_dir).get(settings.model_choice.name, Active(""))
    versions = []
    for folder in sorted(settings.models_dir.glob("*")) if settings.models_dir.is_dir() else []:
        if folder.name.startswith(".") or not is_installed(folder):
            continue
        made = manifest_or_nothing(folder)
        source = made.get("source", {})
        use = "in use" if folder == in_use else "previous" if folder.name == entry.previous else ""
        megabytes = sum(f.stat().st_size for f in folder.iterdir() if f.is_file()) / 1e6
        versions.append(
            Version(
                folder,
                source.get("hub", EMBEDDED),
                source.get("revision", source.get("gguf", "")),
                bool(made.get("adapter")),
                round(megabytes, 1),
                use,
            )
        )
    return sorted(versions, key=lambda v: ("in use", "previous", "").index(v.use))


def prune(settings: Settings, keep: Path) -> list[str]:
    """Remove hub versions that no MODEL uses or could go back to, and abandoned work; return their names.

    `keep` stays.
    """
    used = {
        name for entry in active(settings.models_dir).values() for name in (entry.current, entry.previous)
    }
    removed = []
    for folder in settings.models_dir.glob("*"):
        old_hub = (
            not folder.name.startswith(".")
            and "hub" in manifest_or_nothing(folder).get("source", {})
            and folder.name not in used
        )
        if folder.is_dir() and folder != keep and (old_hub or _is_abandoned(folder)):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder.name)
    return removed


def _is_abandoned(folder: Path) -> bool:
    """Return whether a folder is a download or a conversion that died: hidden, and unchanged for an hour."""
    return folder.name.startswith(".") and time.time() - folder.stat().st_mtime > _STALE_SECONDS
