"""Which model writes, and which version of it: chosen, verified, switched to and rolled back.

The embedded model is converted once by `convert`; a model of a hub is downloaded by `model update`. Nothing
is downloaded here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from src.config import ROOT, Settings
from src.domain.errors import ModelError
from src.domain.fixes import NO_FIX, Fix, command, line
from src.domain.model_choice import EMBEDDED, Embedded, HubModel, OwnFolder
from src.model import versions
from src.model.files import is_installed, manifest, refuse_unsound, sha256

GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
ADAPTER = ROOT / "data" / "adapter"
EMBEDDED_NAME = "SmolLM2-135M-Instruct"


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is ready to load: its folder, its name for logs, and its number format.

    `tuned`: it was trained to write openings. `embedded`: it is the program's own, with a decoder of its own.
    `shares_prompt`: its candidates can share the cache of the prompt. `bar` is the score at which an opening
    leads, None where no trial measured one. A `stand_in` writes in the place of the model that MODEL names.
    `note` says why, and `fix` what the owner can do.
    """

    folder: Path
    name: str
    tuned: bool = False
    dtype: str = "bfloat16"
    embedded: bool = False
    bar: float | None = None
    shares_prompt: bool = True
    stand_in: bool = False
    note: str = ""
    fix: Fix = NO_FIX

    @classmethod
    def recorded(
        cls, folder: Path, name: str, *, stand_in: bool = False, note: str = "", fix: Fix = NO_FIX
    ) -> Self:
        """Return the model in `folder` as its manifest describes it."""
        record = manifest(folder)
        trial = record.get("trial", {})
        return cls(
            folder,
            name,
            tuned=bool(record.get("adapter")),
            dtype=record.get("precision", {}).get("dtype") or trial.get("dtype", "bfloat16"),
            embedded="gguf" in record.get("source", {}),
            bar=trial.get("bar"),
            shares_prompt=trial.get("shares_prompt", True),
            stand_in=stand_in,
            note=note,
            fix=fix,
        )


def locate(settings: Settings) -> Model:
    """Return the model to write with, verified. Never downloads. Raises `ModelError`."""
    try:
        return _locate(settings)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        # Files that this user may not read, a disk that fails, or a manifest that was edited.
        message = f"the files of the model cannot be read: {type(error).__name__}: {error}"
        raise ModelError(
            message,
            Fix(
                "let this user read them, or put them there anew: make model, or ",
                command("model update"),
                " for a hub model",
            ),
        ) from error


def _locate(settings: Settings) -> Model:
    choice = settings.model_choice
    if isinstance(choice, OwnFolder):
        refuse_unsound(choice.path, settings.models_dir)
        return Model.recorded(choice.path, choice.name)
    folder = folder_in_use(settings)
    if folder is None:
        raise _nothing_installed(choice)
    refuse_unsound(folder, settings.models_dir)
    origin = manifest(folder)["source"].get("hub", EMBEDDED)
    name = EMBEDDED_NAME if origin == EMBEDDED else origin
    note, fix = _explain_stand_in(settings, choice, folder)
    return Model.recorded(folder, name, stand_in=origin != choice.name, note=note, fix=fix)


def folder_in_use(settings: Settings) -> Path | None:
    """Return the installed version that MODEL (`embedded` or a hub id) writes with now, None for none.

    It is the one switched to last, as long as MODEL_REVISION has not been changed since; then the one that
    the settings name, if it is installed; then the embedded model.
    """
    choice = settings.model_choice
    switched = versions.active(settings.models_dir).get(choice.name)
    if switched is None and not _can_be_installed(choice):
        return None
    places = [named_folder(settings)]
    if switched:
        place = settings.models_dir / switched.current
        places.insert(0 if switched.revision == choice.revision else 1, place)
    places.append(active_folder(settings.models_dir))
    return next((p for p in places if p and is_installed(p)), None)


def _can_be_installed(choice: Embedded | HubModel | OwnFolder) -> bool:
    """Return whether `make model` or `model update` can install what MODEL names."""
    return isinstance(choice, Embedded) or (isinstance(choice, HubModel) and choice.is_hub_id)


def named_folder(settings: Settings) -> Path | None:
    """Return the folder of the version that the settings name; None for a hub model without revision."""
    match settings.model_choice:
        case Embedded():
            return embedded_folder(settings.models_dir)
        case HubModel(name, revision) if revision:
            return versions.hub_folder(settings.models_dir, name, revision)
    return None


def _nothing_installed(choice: Embedded | HubModel) -> ModelError:
    if isinstance(choice, Embedded):
        return ModelError("the embedded model is not installed", Fix("type: make model"))
    if not _can_be_installed(choice):
        message = f"MODEL={choice.name} is neither a folder nor a hub id"
        return ModelError(message, Fix("give a folder, or owner/name as on the model's page"))
    return ModelError(f"the model {choice.name} is not downloaded", Fix("type: ", line("model update")))


def _explain_stand_in(settings: Settings, choice: Embedded | HubModel, folder: Path) -> tuple[str, Fix]:
    """Return why another version writes than the settings name, and the fix; both are empty if none does."""
    switched = versions.active(settings.models_dir).get(choice.name)
    is_switched_to = (
        switched is not None and switched.revision == choice.revision and folder.name == switched.current
    )
    if folder == named_folder(settings) or is_switched_to:
        return "", NO_FIX
    if isinstance(choice, Embedded):
        return (
            f"the embedded model of this release is not installed, {folder.name} writes until it is",
            Fix("type: make model"),
        )
    wanted = f"{choice.name} at revision {choice.revision[:12]}" if choice.revision else choice.name
    return f"{wanted} is not downloaded, {folder.name} writes until it is", Fix(
        "type: ", line("model update")
    )


def embedded_folder(models_dir: Path, adapter: Path = ADAPTER) -> Path:
    """Return the folder of the converted embedded model, named by its weights and its adapter."""
    return models_dir / f"embedded-{GGUF_SHA256[:8]}-{adapter_digest(adapter)[:8] or 'stock'}"


def adapter_digest(adapter: Path = ADAPTER) -> str:
    """Return the SHA-256 (hex) of an adapter's weights, empty without one."""
    weights = adapter / "adapter_model.safetensors"
    return sha256(weights) if weights.exists() else ""


def active_folder(models_dir: Path) -> Path:
    """Return the embedded model in use: the one switched to last, the shipped one, or the newest one."""
    switched = versions.active(models_dir).get(EMBEDDED)
    shipped = embedded_folder(models_dir)
    others = sorted(models_dir.glob("embedded-*"), key=lambda p: p.stat().st_mtime, reverse=True)
    places = [*([models_dir / switched.current] if switched else []), shipped, *others]
    return next((p for p in places if is_installed(p)), shipped)


def switch(settings: Settings, folder: Path) -> None:
    """Let MODEL use `folder` from the next run on; the version in use is kept for a rollback."""
    switched = versions.active(settings.models_dir).get(settings.model_choice.name)
    before = [folder_in_use(settings), active_folder(settings.models_dir)]
    if switched:
        before[1:1] = [settings.models_dir / switched.current, settings.models_dir / switched.previous]
    previous = next((p.name for p in before if p and p != folder and is_installed(p)), "")
    versions.record(settings, folder.name, previous)


def earlier(settings: Settings) -> Path | None:
    """Return the version that a rollback would switch back to, None if there is none."""
    switched = versions.active(settings.models_dir).get(settings.model_choice.name)
    folder = settings.models_dir / switched.previous if switched and switched.previous else None
    return folder if folder and is_installed(folder) else None


def rollback(settings: Settings) -> Path:
    """Switch back to the version before the last switch and return it. Raises `ModelError`."""
    folder = earlier(settings)
    if folder is None:
        message = "there is no earlier model to go back to"
        raise ModelError(message, Fix(command("model show --all"), " lists what is installed"))
    refuse_unsound(folder, settings.models_dir)
    switch(settings, folder)
    return folder


def unused(models_dir: Path) -> list[Path]:
    """Return the converted embedded models that are neither in use, nor previous, nor shipped.

    The list is empty where the record of what is in use cannot be read. `versions.prune` removes hub models.
    """
    recorded = versions.active(models_dir)
    if not recorded and (models_dir / versions.ACTIVE).exists():
        return []
    pointed_at = {
        embedded_folder(models_dir).name,
        *(name for entry in recorded.values() for name in (entry.current, entry.previous)),
    }
    return [f for f in sorted(models_dir.glob("embedded-*")) if is_installed(f) and f.name not in pointed_at]
