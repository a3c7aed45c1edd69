"""`model update`: bring the model that MODEL names, try it, and only then switch to it. The one before is kept.

Everything new is made beside what is in use, under a hidden name; a kill at any point leaves the model in use, and
the next `model update` goes on. Ticks read only what was switched to, so they can run meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from src.config import Settings
from src.content.library import Statement
from src.domain.errors import ConfigError, ModelError, UsageError
from src.model import choose, hub, versions
from src.model.choose import EMBEDDED_NAME, GGUF_SHA256, Model
from src.model.hub import Source
from src.model.tune import is_held_out
from src.model.versions import EMBEDDED, MANIFEST, is_installed, manifest
from src.system import failpoints
from src.system.files import sync_folder, write_atomically
from src.system.lock import writer_lock
from src.upkeep import evaluation

SMOKE_STATEMENTS = 8
SMOKE_CANDIDATES = 8
_REVISION = re.compile(r"[0-9a-f]{40}")


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Hold the lock of the model folder: one update, tuning or rollback at a time. Ticks do not need it."""
    with writer_lock(settings.models_dir / "models") as ours:
        if not ours:
            message = "another `model` command is at work"
            raise UsageError(message, "wait for it to end")
        yield


def update(settings: Settings, revision: str, statements: Sequence[Statement]) -> tuple[Path, str]:
    """Bring what MODEL names and switch to it: (the folder in use now, words). `revision` stands in for MODEL_REVISION.

    Raises `ProgramError`; the model in use stays then.
    """
    with alone(settings):
        own = choose.own_folder(settings)
        if own is not None:
            return own, _record_anew(settings, own, statements)
        if settings.model == EMBEDDED:
            return _update_embedded(settings, statements)
        return _update_from_hub(settings, _source(settings, revision), statements)


def smoke_test(settings: Settings, model: Model, statements: Sequence[Statement]) -> None:
    """Let a model write for a few statements it has not seen. Raises `ModelError` unless half get a text that passes."""
    held_out = [s for s in statements if is_held_out(s.id)]
    sample = held_out if len(held_out) >= SMOKE_STATEMENTS else list(statements)
    if not sample:
        message = "there is no statement to try the model with"
        raise ModelError(message, "`sources check` lists what is wrong with the library")
    asked = settings.model_copy(update={"candidates": SMOKE_CANDIDATES})
    report = evaluation.evaluate(asked, sample, SMOKE_STATEMENTS, model=model)
    good = sum(any(c.verdict.passed for c in result.candidates) for result in report.results)
    if good * 2 < report.statements:
        message = f"{model.name} wrote a usable text for {good} of {report.statements} statements, so it is not used"
        raise ModelError(
            message, "the model in use stays; choose another model, or tune with more or better examples"
        )


def adopt(settings: Settings, folder: Path, statements: Sequence[Statement]) -> None:
    """Try an installed version and switch to it."""
    name = manifest(folder)["source"].get("hub", EMBEDDED_NAME)
    smoke_test(settings, Model.recorded(folder, name), statements)
    failpoints.reach("model.tried")
    choose.switch(settings, folder)
    failpoints.reach("model.switched")


def adopt_tuned(settings: Settings, adapter: Path, statements: Sequence[Statement]) -> Path:
    """Merge an adapter into the embedded model, try the result and switch to it; one that writes badly is removed."""
    folder = choose.install_embedded(settings.models_dir, adapter)
    try:
        adopt(settings, folder, statements)
    except ModelError:
        if folder != choose.folder_in_use(settings):
            shutil.rmtree(folder)
        raise
    return folder


def _record_anew(settings: Settings, folder: Path, statements: Sequence[Statement]) -> str:
    """The owner changed their own folder: try it as it is, then trust it."""
    choose.refuse_unsafe(folder)
    smoke_test(settings, Model.recorded(folder, settings.model), statements)
    if not is_installed(folder):
        choose.trust(folder, settings.models_dir)
    return f"{folder} was tried and its files are recorded as they are now"


def _update_embedded(settings: Settings, statements: Sequence[Statement]) -> tuple[Path, str]:
    """Convert the packaged model again if it or the shipped adapter is new; an owner's own tuning is left in use."""
    shipped = choose.embedded_folder(settings.models_dir)
    before = choose.folder_in_use(settings)
    if before is not None:
        said = manifest(before)
        owners = said.get("adapter", {}).get("from") == "owner"
        if said["source"].get("gguf") == GGUF_SHA256 and (before == shipped or owners):
            choose.verify(before, settings.models_dir)
            return before, f"the embedded model is current{', tuned by you' if owners else ''}: {before.name}"
    folder = choose.install_embedded(settings.models_dir)
    adopt(settings, folder, statements)
    return folder, f"the embedded model was made anew: {folder.name}; `model rollback` goes back"


def _source(settings: Settings, revision: str) -> Source:
    wanted = revision or settings.model_revision
    if "/" not in settings.model:
        message = f"MODEL={settings.model} is neither `embedded` nor a folder nor a hub id"
        raise ConfigError(message, "give owner/name as on the model's page, or a folder")
    if not _REVISION.fullmatch(wanted):
        message = f"{wanted!r} is not a commit" if wanted else f"no commit of {settings.model} is pinned"
        raise ConfigError(
            message,
            f"set MODEL_REVISION to 40 hex digits from {settings.hf_endpoint}/{settings.model}/commits/main",
        )
    return Source(settings.model, wanted)


def _update_from_hub(settings: Settings, source: Source, statements: Sequence[Statement]) -> tuple[Path, str]:
    folder = versions.hub_folder(settings.models_dir, source.name, source.revision)
    work = folder.with_name(f".{folder.name}{versions.UNFINISHED}")
    if is_installed(folder) and not _is_sound(settings, folder):
        shutil.rmtree(work, ignore_errors=True)
        folder.rename(work)  # its good files need not be fetched again
    if not is_installed(folder):
        _bring(settings, source, work)
        smoke_test(settings, Model(work, source.name), statements)
        failpoints.reach("model.tried")
        work.rename(folder)
        sync_folder(settings.models_dir)
        failpoints.reach("model.renamed")
        choose.switch(settings, folder)
        failpoints.reach("model.switched")
    elif _is_chosen(settings, folder):
        return folder, f"{source.name} at {source.revision[:12]} is in use already, files sound"
    else:
        adopt(settings, folder, statements)
    gone = versions.prune(settings, keep=folder)
    words = [f"the next run writes with {source.name} at {source.revision[:12]}; `model rollback` goes back"]
    words += [f"removed, no longer needed: {', '.join(gone)}"] if gone else []
    words += (
        [f"put MODEL_REVISION={source.revision} into .env to keep it"]
        if source.revision != settings.model_revision
        else []
    )
    return folder, "\n".join(words)


def _bring(settings: Settings, source: Source, work: Path) -> None:
    """The whole version under its hidden name, verified, its manifest last."""
    (work / MANIFEST).unlink(missing_ok=True)
    files = hub.listing(settings, source)
    hub.fetch(settings, source, files, work)
    said = {
        "source": {"hub": source.name, "revision": source.revision},
        "adapter": {},
        "files": hub.checksums(work, files),
    }
    choose.refuse_unsafe(work)
    write_atomically(work / MANIFEST, json.dumps(said, indent=1, sort_keys=True) + "\n")


def _is_chosen(settings: Settings, folder: Path) -> bool:
    choice = versions.choices(settings.models_dir).get(settings.model)
    return choice is not None and (choice.current, choice.revision) == (
        folder.name,
        versions.revision_set(settings),
    )


def _is_sound(settings: Settings, folder: Path) -> bool:
    try:
        choose.verify(folder, settings.models_dir)
    except ModelError:
        return False
    return True
