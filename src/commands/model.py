"""`model install|update|show|tune|rollback`: what each does, as (data for JSON, text for people)."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from src.config import Settings
from src.content import library as sources
from src.domain.errors import StorageError
from src.model import choose, tune
from src.model import versions as model_versions
from src.model.convert import install_embedded
from src.model.files import manifest
from src.model.versions import Version
from src.upkeep import model_update
from src.x.claim import named

Shown = tuple[object, str]


def run(options: argparse.Namespace, settings: Settings) -> Shown:
    """Carry out `model ACTION`. Raises `ProgramError`; the model in use stays then."""
    try:
        data, text = _ACTIONS[options.action](options, settings)
    except OSError as error:
        message = f"the models folder cannot be used: {error}"
        raise StorageError(
            message,
            f"make room and let this user write there: df -h {settings.models_dir}; ls -ld {settings.models_dir}",
        ) from error
    return data, named(text, settings.profile)


def _install(_options: argparse.Namespace, settings: Settings) -> Shown:
    folder = install_embedded(settings.models_dir)
    return {"folder": str(folder)}, f"the embedded model is ready in {folder}"


def _update(options: argparse.Namespace, settings: Settings) -> Shown:
    statements = sources.load(settings.library_paths).statements
    folder, words = model_update.update(settings, options.revision, statements)
    return {"folder": str(folder), "says": words}, words


def _show(options: argparse.Namespace, settings: Settings) -> Shown:
    found = choose.locate(settings)
    note = "; ".join(filter(None, [found.note, found.fix.render()]))
    revision = manifest(found.folder).get("source", {}).get("revision", "")
    data: dict[str, object] = {
        "name": found.name,
        "folder": str(found.folder),
        "tuned": found.tuned,
        "revision": revision,
        "note": note,
    }
    lines = [
        f"{found.name}{f' at {revision[:12]}' if revision else ''}{' (tuned)' if found.tuned else ''} in {found.folder}, files sound"
    ]
    lines += [note] if note else []
    if options.all:
        versions = model_versions.installed(settings, found.folder)
        data["versions"] = [_version_data(v) for v in versions]
        lines += map(_version_line, versions)
    return data, "\n".join(lines)


def _version_data(version: Version) -> dict[str, object]:
    return {
        "folder": str(version.folder),
        "name": version.name,
        "revision": version.revision,
        "tuned": version.tuned,
        "megabytes": version.megabytes,
        "use": version.use,
    }


def _version_line(version: Version) -> str:
    tuned = "tuned" if version.tuned else ""
    return f"{version.use:<9} {version.megabytes:>8.1f} MB  {version.revision[:12]:<12}  {tuned:<5}  {version.name}  {version.folder.name}"


def _rollback(_options: argparse.Namespace, settings: Settings) -> Shown:
    with model_update.alone(settings):
        folder = choose.rollback(settings)
    return {"folder": str(folder)}, f"the next run uses {folder.name} again"


def _tune(options: argparse.Namespace, settings: Settings) -> Shown:
    examples = tune.read_examples(Path(options.examples)) if options.examples else []
    library = sources.load(settings.library_paths)
    recipe = tune.Recipe() if options.epochs is None else tune.Recipe(epochs=options.epochs)
    target = Path(options.output).absolute() if options.output else settings.models_dir / "adapter-tuned"
    with model_update.alone(settings):
        card = tune.tune(library.statements, examples, target, recipe)
        text = f"trained on {card['pairs']} pairs in {card['seconds']:.0f} s, final loss {card['final_loss']}: {target}"
        if not options.output:
            folder = model_update.adopt_tuned(settings, target, library.statements)
            text += f"\nthe next run uses {folder.name}; `model rollback` goes back"
    return card, text


_ACTIONS: dict[str, Callable[[argparse.Namespace, Settings], Shown]] = {
    "install": _install,
    "update": _update,
    "show": _show,
    "rollback": _rollback,
    "tune": _tune,
}
