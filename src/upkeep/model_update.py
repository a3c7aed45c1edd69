"""`model update`: download or convert the model that MODEL names, try it, and only then switch to it.

The previous version is kept. Everything new is made beside the version in use, under a hidden name; a kill at
any point leaves the model in use, and the next `model update` continues. Ticks read only what was switched
to, so they can run meanwhile.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from src.config import Settings
from src.content.library import Statement
from src.domain.errors import ConfigError, ModelError, UsageError
from src.domain.fixes import Fix, command, env_file
from src.domain.model_choice import Embedded, HubModel, OwnFolder, is_commit
from src.domain.plurals import numbered
from src.model import choose, clean, files, hub, trial, versions
from src.model.choose import EMBEDDED_NAME, GGUF_SHA256, Model
from src.model.convert import install_embedded
from src.model.files import MANIFEST, is_installed, manifest
from src.model.hub import Source
from src.model.trial import Tried
from src.model.tune import is_held_out
from src.system import failpoints
from src.system.files import sync_folder
from src.system.lock import writer_lock
from src.system.usage import machine_memory_mb
from src.upkeep import evaluation
from src.upkeep.evaluation import Evaluation
from src.x.claim import fix_text

SMOKE_STATEMENTS = 8
SMOKE_CANDIDATES = 8
BAR_MARGIN = 0.05  # nats a token: the same text scores a little differently in another batch
SHOWN_TEXTS = 3


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Hold the lock of the model folder: one update, tuning or rollback at a time. Ticks do not need it."""
    with writer_lock(settings.models_dir / "models") as ours:
        if not ours:
            message = "another model command is at work"
            raise UsageError(message, Fix("wait for it to end"))
        yield


def update(settings: Settings, revision: str, statements: Sequence[Statement]) -> tuple[Path, str]:
    """Install what MODEL names and switch to it; return the folder in use now, and a message.

    A `revision` takes the place of MODEL_REVISION. Raises `ProgramError`; the model in use stays then.
    """
    with alone(settings):
        match settings.model_choice:
            case OwnFolder() as own:
                return own.path, _record_anew(settings, own, statements)
            case Embedded():
                return _update_embedded(settings, statements)
            case HubModel() as wanted:
                return _update_from_hub(settings, _source(settings, wanted, revision), statements)


def smoke_test(settings: Settings, model: Model, statements: Sequence[Statement]) -> Evaluation:
    """Let a model write for a few statements that it has not seen, and return what it wrote.

    Raises `ModelError` unless at least half of them get a text that passes the gates.
    """
    held_out = [s for s in statements if is_held_out(s.id)]
    sample = held_out if len(held_out) >= SMOKE_STATEMENTS else list(statements)
    if not sample:
        message = "there is no statement to try the model with"
        raise ModelError(message, Fix(command("sources check"), " lists what is wrong with the library"))
    asked = settings.model_copy(update={"candidates": SMOKE_CANDIDATES})
    report = evaluation.evaluate(asked, sample, SMOKE_STATEMENTS, model=model, one_round=True)
    good = sum(any(c.verdict.passed for c in result.candidates) for result in report.results)
    if good * 2 < report.statements:
        share = f"{good} of {numbered(report.statements, 'statement')}"
        message = f"{model.name} wrote a usable text for {share}, so it is not used{_why(report)}"
        raise ModelError(
            message, Fix("the model in use stays; choose another model, or tune with more or better examples")
        )
    return report


def _why(report: Evaluation) -> str:
    """Return the most frequent reason why texts were refused, to be put behind a sentence."""
    reason, count = next(iter(report.reasons.items()), ("", 0))
    if reason == clean.THINKING:
        return ": it thinks before it answers, which cannot be switched off"
    return f"; most often refused: {reason} ({count} times)" if reason else ""


def bar_of(report: Evaluation) -> float | None:
    """Return the score from which openings of this model lead: what three in four statements tried reached.

    None without one. Scores of two models cannot be compared, so a model measures its own.
    """
    passed = ([c.score for c in r.candidates if c.verdict.passed] for r in report.results)
    best = sorted(max(scores) for scores in passed if scores)
    return round(best[(len(best) - 1) // 4] - BAR_MARGIN, 4) if best else None


def adopt(settings: Settings, folder: Path, statements: Sequence[Statement]) -> None:
    """Try an installed version and switch to it."""
    name = manifest(folder)["source"].get("hub", EMBEDDED_NAME)
    smoke_test(settings, Model.recorded(folder, name), statements)
    failpoints.reach("model.tried")
    choose.switch(settings, folder)
    failpoints.reach("model.switched")


def adopt_tuned(settings: Settings, adapter: Path, statements: Sequence[Statement]) -> Path:
    """Merge an adapter into the embedded model, try it and switch to it; remove it if it writes badly."""
    folder = install_embedded(settings.models_dir, adapter)
    try:
        adopt(settings, folder, statements)
    except ModelError:
        if folder != choose.folder_in_use(settings):
            shutil.rmtree(folder)
        raise
    return folder


def _record_anew(settings: Settings, own: OwnFolder, statements: Sequence[Statement]) -> str:
    """Try the owner's own folder as it is now, and then record its files."""
    files.refuse_unsafe(own.path)
    smoke_test(settings, Model.recorded(own.path, own.name), statements)
    if not is_installed(own.path):
        files.trust(own.path, settings.models_dir)
    return f"{own.path} was tried and its files are recorded as they are now"


def _update_embedded(settings: Settings, statements: Sequence[Statement]) -> tuple[Path, str]:
    """Convert the packaged model again if it or the shipped adapter is new; the owner's tuning stays."""
    shipped = choose.embedded_folder(settings.models_dir)
    before = choose.folder_in_use(settings)
    if before is not None:
        made = manifest(before)
        owners = made.get("adapter", {}).get("from") == "owner"
        if made["source"].get("gguf") == GGUF_SHA256 and (before == shipped or owners):
            files.verify(before, settings.models_dir)
            return before, f"the embedded model is current{', tuned by you' if owners else ''}: {before.name}"
    folder = install_embedded(settings.models_dir)
    adopt(settings, folder, statements)
    return folder, f"the embedded model was made anew: {folder.name}; {rollback_hint(settings)}"


def rollback_hint(settings: Settings) -> str:
    """Return how to go back to the model used before, or that there is none."""
    if choose.earlier(settings) is None:
        return "there is no earlier model to go back to"
    return fix_text(Fix(command("model rollback"), " goes back"), settings.profile)


def _source(settings: Settings, wanted: HubModel, revision: str) -> Source:
    revision = revision or wanted.revision
    if not wanted.is_hub_id:
        message = f"MODEL={wanted.name} is neither `embedded` nor a folder nor a hub id"
        raise ConfigError(message, Fix("give owner/name as on the model's page, or a folder"))
    if not revision:
        return hub.resolve(settings, wanted.name)
    if not is_commit(revision):
        message = f"{revision!r} is not a commit"
        page = f"{settings.hf_endpoint}/{wanted.name}/commits/main"
        raise ConfigError(message, Fix(f"give 40 hex digits from {page}, or none: the newest is taken"))
    return Source(wanted.name, revision)


def _update_from_hub(settings: Settings, source: Source, statements: Sequence[Statement]) -> tuple[Path, str]:
    folder = versions.hub_folder(settings.models_dir, source.name, source.revision)
    work = folder.with_name(f".{folder.name}{versions.UNFINISHED}")
    if is_installed(folder) and not _is_sound(settings, folder):
        shutil.rmtree(work, ignore_errors=True)
        folder.rename(work)  # its good files need not be fetched again
    before = choose.folder_in_use(settings)
    said: list[str] = []
    if not is_installed(folder):
        tried = _download(settings, source, work, said)
        report = smoke_test(settings, Model.recorded(work, source.name), statements)
        _record_trial(work, report, tried, bar_of(report) if settings.mode_in_force == "hook" else None)
        said += _trial_lines(report)
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
    removed = versions.prune(settings, keep=folder)
    lines = [*said, f"the next run writes with {_named(folder)}{_instead_of(before, folder)}"]
    lines[-1] += f"; {rollback_hint(settings)}"
    if removed:
        lines.append(f"removed, no longer needed: {', '.join(removed)}")
    if settings.model_revision and source.revision != settings.model_revision:
        lines.append(
            fix_text(
                Fix(f"put MODEL_REVISION={source.revision} into ", env_file(), " to keep it"),
                settings.profile,
            )
        )
    return folder, "\n".join(lines)


def _named(folder: Path) -> str:
    """Return a version as its manifest names it: the model and the commit."""
    source = manifest(folder)["source"]
    revision = source.get("revision", "")[:12]
    name: str = source.get("hub", EMBEDDED_NAME)
    return f"{name} at {revision}" if revision else name


def _instead_of(before: Path | None, folder: Path) -> str:
    return f" instead of {_named(before)}" if before and before != folder and is_installed(before) else ""


def _record_trial(folder: Path, report: Evaluation, tried: Tried, bar: float | None) -> None:
    """Add to a manifest what the trials found: the bar, the speed, the memory, the parameters."""
    record = manifest(folder)
    record["trial"] = asdict(tried) | {
        "bar": bar,
        "tokens_per_second": report.tokens_per_second,
        "peak_mb": report.model_peak_mb,
    }
    files.write_json(folder / MANIFEST, record)


def _trial_lines(report: Evaluation) -> list[str]:
    """Return what the trial was like: how many texts passed, and some of them for the owner to read."""
    passed = f"{report.passed} of {report.candidates} trial texts passed every gate"
    speed = f"{report.tokens_per_second:.0f} tokens a second, {report.model_peak_mb:.0f} MB"
    best = [next((c.opening for c in r.candidates if c.verdict.passed), "") for r in report.results]
    return [f"{passed}; {speed}; such as:", *[f"    {text}" for text in best if text][:SHOWN_TEXTS]]


def _download(settings: Settings, source: Source, work: Path, said: list[str]) -> Tried:
    """Fetch the whole version under its hidden name, verify it, and write its manifest last.

    Before the weights, the architecture is tried. `said` gets what it needs and what the machine has.
    """
    (work / MANIFEST).unlink(missing_ok=True)
    listing = hub.listing(settings, source)
    found: list[Tried] = []

    def before_weights(weights: Sequence[hub.RemoteFile]) -> str:
        found.append(trial.try_architecture(settings, work, source.name))
        said.append(_require_memory(settings, source, found[0], weights))
        return f"{sum(file.size for file in weights) / 1e9:.1f} GB"

    fetched = hub.fetch(settings, source, listing, work, before_weights)
    files.refuse_unsafe(work)
    record = {
        "source": {"hub": source.name, "revision": source.revision},
        "adapter": {},
        "trial": asdict(found[0]),
        "files": hub.checksums(work, fetched),
    }
    files.write_json(work / MANIFEST, record)
    return found[0]


def _require_memory(
    settings: Settings, source: Source, tried: Tried, weights: Sequence[hub.RemoteFile]
) -> str:
    """Return what a model needs beside what there is. Raise `ConfigError` where it does not fit."""
    there = min(filter(None, (machine_memory_mb(), settings.generate_memory_mb)))
    size = sum(file.size for file in weights) / 1e6
    about = f"{tried.parameters / 1e6:,.1f} million parameters, {size:,.0f} MB to fetch"
    needs = f"{about}; it needs about {tried.memory_mb:,} MB of memory, there are {there:,}"
    if tried.memory_mb > there:
        message = f"{source.name} does not fit: {needs}"
        raise ConfigError(
            message, Fix("choose a smaller MODEL, or raise GENERATE_MEMORY_MB if that is the limit")
        )
    return f"{source.name} at {source.revision[:12]}: {needs}"


def _is_chosen(settings: Settings, folder: Path) -> bool:
    choice = settings.model_choice
    active = versions.active(settings.models_dir).get(choice.name)
    return active is not None and (active.current, active.revision) == (folder.name, choice.revision)


def _is_sound(settings: Settings, folder: Path) -> bool:
    try:
        files.verify(folder, settings.models_dir)
    except ModelError:
        return False
    return True
