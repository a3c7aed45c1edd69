"""`model install|update|show|tune|rollback`: the models that write."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from src.commands.arguments import Parser, add_actions
from src.commands.command import Command, Context
from src.commands.result import Result
from src.config import Settings
from src.content import library
from src.domain import model_choice
from src.domain.errors import StorageError
from src.domain.fixes import Fix
from src.model import choose, placement, tune, versions
from src.model.client import mode_for
from src.model.convert import install_embedded
from src.model.devices import Place
from src.model.files import manifest
from src.model.sampling import Sampling
from src.model.versions import Version
from src.upkeep import model_update
from src.x.claim import fix_text

MOST_EPOCHS = 100


def configure(parser: Parser) -> None:
    """Add the actions with their options."""
    action = add_actions(parser)
    action("install", "convert the embedded model, once")
    update = action("update", "download or convert what MODEL names, try it, switch to it")
    revision = "this commit (40 hex digits) instead of MODEL_REVISION"
    update.add_argument("--revision", default="", metavar="SHA", help=revision)
    show = action("show", "show which model writes and whether its files are sound")
    show.add_argument("--all", action="store_true", help="list every installed version too")
    action("rollback", "switch back to the model used before")
    _add_tune(action("tune", "teach the embedded model to write openings, in under 15 minutes on two cores"))


def _add_tune(parser: Parser) -> None:
    pairs = 'your own, one {"statement": ..., "opening": ...} a line'
    parser.add_argument("--examples", metavar="FILE", help=pairs)
    only = "only write the adapter there, do not switch to it"
    parser.add_argument("--output", metavar="FOLDER", help=only)
    parser.add_argument("--epochs", type=_epochs, default=None, metavar="N", help="passes over the pairs")


def _epochs(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= MOST_EPOCHS:
        message = f"{text!r} is not a number above 0, at most {MOST_EPOCHS}"
        raise argparse.ArgumentTypeError(message)
    return number


def run(context: Context) -> Result:
    """Carry out `model ACTION`. Raise `ProgramError`; the model in use stays then."""
    settings = context.settings
    try:
        data, text = _ACTIONS[context.options.action](context.options, settings)
    except OSError as error:
        message = f"the models folder cannot be used: {error}"
        folder = settings.models_dir
        fix = Fix(f"make room and let this user write there: df -h {folder}; ls -ld {folder}")
        raise StorageError(message, fix) from error
    return Result(data, text)


Shown = tuple[Mapping[str, object], str]


def _install(_options: argparse.Namespace, settings: Settings) -> Shown:
    folder = install_embedded(settings.models_dir)
    return {"folder": str(folder)}, f"the embedded model is ready in {folder}"


def _update(options: argparse.Namespace, settings: Settings) -> Shown:
    statements = library.load(settings.library_paths).statements
    folder, words = model_update.update(settings, options.revision, statements)
    return {"folder": str(folder), "says": words}, words


def _show(options: argparse.Namespace, settings: Settings) -> Shown:
    model = choose.locate(settings)
    warning = "; ".join(filter(None, [model.note, fix_text(model.fix, settings.profile)]))
    revision = manifest(model.folder).get("source", {}).get("revision", "")
    own = None if model.embedded else model.folder
    mode = mode_for(settings, model)
    sampling = Sampling.of(own, mode, settings.sampling_overrides)
    place = None if model.embedded else placement.last(settings.models_dir, model.folder)
    data: dict[str, object] = {
        "name": model.name,
        "folder": str(model.folder),
        "tuned": model.tuned,
        "revision": revision,
        "note": warning,
        "dtype": model.dtype,
        "sampling": sampling.as_data(),
        "openings": settings.openings,
        "model_left_out": settings.model_left_out or None,
        "trial": manifest(model.folder).get("trial", {}),
        "device": settings.device,
        "last_place": asdict(place) if place else None,
    }
    at = f" at {revision[:12]}" if revision else ""
    tuned = " (tuned)" if model.tuned else ""
    lines = [f"{model.name}{at}{tuned} in {model.folder}, files sound"]
    lines += _describe(model.dtype, sampling, manifest(model.folder).get("trial", {}))
    lines += _describe_place(settings, place)
    lines.append(f"the model {model_choice.role(mode, settings.openings, settings.model_left_out)}")
    if warning:
        lines.append(warning)
    if options.all:
        on_disk = versions.installed(settings, model.folder)
        data["versions"] = list(map(_version_data, on_disk))
        lines += map(_version_line, on_disk)
    return data, "\n".join(lines)


def _describe(dtype: str, sampling: Sampling, trial: Mapping[str, Any]) -> list[str]:
    """Return how a model writes, and what its trial measured on this machine."""
    figures = ", ".join(f"{name} {value:g}" for name, value in sampling.as_data().items())
    lines = [f"format {dtype} on the CPU; {figures}" + (f" ({sampling.note})" if sampling.note else "")]
    if trial:
        template = "a chat template" if trial.get("has_template") else "no chat template"
        lines.append(f"{trial.get('parameters', 0) / 1e6:,.1f} million parameters, {template}")
    if "tokens_per_second" in trial:
        speed = f"{trial['tokens_per_second']:.0f} tokens a second"
        lines.append(f"measured when it was installed: {speed}, {trial['peak_mb']:.0f} MB at most")
    return lines


def _describe_place(settings: Settings, place: Place | None) -> list[str]:
    """Return where a model wrote last, and why that was not the device that was wanted."""
    if place is None:
        return []
    message, fix = placement.explain(place)
    why = f"; {message}; {fix_text(fix, settings.profile)}" if message else ""
    return [f"DEVICE={settings.device}; last wrote on {place.device} in {place.dtype}{why}"]


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
    size = f"{version.use:<9} {version.megabytes:>8.1f} MB"
    return f"{size}  {version.revision[:12]:<12}  {tuned:<5}  {version.name}  {version.folder.name}"


def _rollback(_options: argparse.Namespace, settings: Settings) -> Shown:
    with model_update.alone(settings):
        folder = choose.rollback(settings)
    return {"folder": str(folder)}, f"the next run uses {folder.name} again"


def _tune(options: argparse.Namespace, settings: Settings) -> Shown:
    examples = tune.read_examples(Path(options.examples)) if options.examples else []
    statements = library.load(settings.library_paths).statements
    recipe = tune.Recipe() if options.epochs is None else tune.Recipe(epochs=options.epochs)
    target = Path(options.output).absolute() if options.output else settings.models_dir / "adapter-tuned"
    with model_update.alone(settings):
        card = tune.tune(statements, examples, target, recipe)
        effort = f"{card['pairs']} pairs in {card['seconds']:.0f} s"
        text = f"trained on {effort}, final loss {card['final_loss']}: {target}"
        if not options.output:
            folder = model_update.adopt_tuned(settings, target, statements)
            text += f"\nthe next run uses {folder.name}; {model_update.rollback_hint(settings)}"
    return card, text


_ACTIONS: dict[str, Callable[[argparse.Namespace, Settings], Shown]] = {
    "install": _install,
    "update": _update,
    "show": _show,
    "rollback": _rollback,
    "tune": _tune,
}

COMMAND = Command("model", "install, update, tune or show the model that writes", run, configure)
