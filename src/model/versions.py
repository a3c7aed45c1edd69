"""The versions of models on disk: which one each MODEL uses, the one before it, and what may go.

`ACTIVE.json` holds for every MODEL (accounts may share the folder) the version in use, the one used before, and the
MODEL_REVISION that was set when it was switched to. A version is a folder whose manifest is there: it is written last.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from src.config import Settings
from src.system.files import write_atomically

ACTIVE = "ACTIVE.json"
MANIFEST = "MANIFEST.json"
EMBEDDED = "embedded"
UNFINISHED = ".download"
_STALE_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Choice:
    """What one MODEL uses: folder names, and the MODEL_REVISION in force when it was chosen."""

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


def choices(models_dir: Path) -> dict[str, Choice]:
    """What every MODEL uses, by its name; empty where nothing was ever switched to or the file cannot be read."""
    try:
        data = json.loads((models_dir / ACTIVE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict):
        return {}
    if isinstance(
        data.get("current"), str
    ):  # written by an early version, which knew the embedded model only
        data = {EMBEDDED: data}
    found = {}
    for name, choice in data.items():
        with contextlib.suppress(TypeError):
            found[name] = Choice(**choice)
    return found


def revision_set(settings: Settings) -> str:
    """The MODEL_REVISION that counts for the MODEL that is set."""
    return "" if settings.model == EMBEDDED else settings.model_revision


def choose(settings: Settings, current: str, previous: str) -> None:
    """Let the MODEL that is set use the folder named `current` from the next run on. Atomic, durable."""
    known = choices(settings.models_dir)
    known[settings.model] = Choice(current, previous, revision_set(settings))
    data = {name: asdict(choice) for name, choice in sorted(known.items())}
    write_atomically(settings.models_dir / ACTIVE, json.dumps(data, indent=1) + "\n")


def is_installed(folder: Path) -> bool:
    """Whether a version is whole: its manifest is written last."""
    return (folder / MANIFEST).is_file()


def manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """What a version is made of: `source`, `adapter` and `files` (SHA-256 by name). Empty without one."""
    file = folder / MANIFEST
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def hub_folder(models_dir: Path, name: str, revision: str) -> Path:
    """Where a hub model lives."""
    return models_dir / f"{name.replace('/', '--')}-{revision[:12]}"


def installed(settings: Settings, in_use: Path) -> list[Version]:
    """Every version on disk, the one in use first, then the one that a rollback would bring back."""
    choice = choices(settings.models_dir).get(settings.model, Choice(""))
    found = []
    for folder in sorted(settings.models_dir.glob("*")) if settings.models_dir.is_dir() else []:
        if folder.name.startswith(".") or not is_installed(folder):
            continue
        said = manifest(folder)
        source = said.get("source", {})
        use = "in use" if folder == in_use else "previous" if folder.name == choice.previous else ""
        megabytes = sum(f.stat().st_size for f in folder.iterdir() if f.is_file()) / 1e6
        found.append(
            Version(
                folder,
                source.get("hub", EMBEDDED),
                source.get("revision", source.get("gguf", "")),
                bool(said.get("adapter")),
                round(megabytes, 1),
                use,
            )
        )
    return sorted(found, key=lambda v: ("in use", "previous", "").index(v.use))


def prune(settings: Settings, keep: Path) -> list[str]:
    """Remove hub versions that no MODEL uses or could go back to, and what broke off; the names. `keep` stays."""
    used = {
        name for choice in choices(settings.models_dir).values() for name in (choice.current, choice.previous)
    }
    gone = []
    for folder in settings.models_dir.glob("*"):
        old_hub = (
            not folder.name.startswith(".")
            and "hub" in manifest(folder).get("source", {})
            and folder.name not in used
        )
        if folder.is_dir() and folder != keep and (old_hub or _broke_off(folder)):
            shutil.rmtree(folder, ignore_errors=True)
            gone.append(folder.name)
    return gone


def _broke_off(folder: Path) -> bool:
    """A download for another version, or the work of a conversion that died: untouched for an hour."""
    return folder.name.startswith(".") and time.time() - folder.stat().st_mtime > _STALE_SECONDS
