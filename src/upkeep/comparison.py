"""Two installed models side by side: the same statements, gates and rounds for both, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from src.config import Settings
from src.content.library import Statement
from src.domain.errors import UsageError
from src.domain.fixes import Fix, command
from src.domain.model_choice import EMBEDDED
from src.domain.plurals import numbered
from src.model import choose, files, versions
from src.model.choose import EMBEDDED_NAME, Model
from src.model.versions import Version
from src.upkeep.evaluation import Evaluation, evaluate

_NO_LEAD = "(no opening)"


@dataclass(frozen=True, slots=True)
class Side:
    """One model of a comparison and what it wrote. `revision` is the commit of a hub model, or empty."""

    name: str
    revision: str
    folder: Path
    evaluation: Evaluation

    @property
    def passed(self) -> float:
        """Return the share of its candidates (0 to 1) that every gate let pass."""
        return self.evaluation.passed / max(self.evaluation.candidates, 1)

    @property
    def leads(self) -> float:
        """Return the share of the statements (0 to 1) that a text of its leads."""
        return self.evaluation.with_opening / max(self.evaluation.statements, 1)

    @property
    def title(self) -> str:
        return f"{self.name} at {self.revision[:12]}" if self.revision else self.name


@dataclass(frozen=True, slots=True)
class Comparison:
    """The model in use, and the one that it was compared with."""

    in_use: Side
    against: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.in_use, self.against

    def as_data(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {"models": [_data(side) for side in self.sides]}


def compare(settings: Settings, statements: Sequence[Statement], count: int, name: str) -> Comparison:
    """Let the model in use and an installed one write for the same statements. Raises `ProgramError`.

    `name` is that of a hub model, `embedded`, or the folder of a version.
    """
    model = choose.locate(settings)
    other = _find(settings, model, name)
    return Comparison(_side(settings, statements, count, model), _side(settings, statements, count, other))


def as_text(comparison: Comparison) -> str:
    """Return the comparison as a table for people, and below it what would lead each statement."""
    rows = list(_rows(comparison))
    first = max(len(row[0]) for row in rows)
    second = max(len(row[1]) for row in rows)
    lines = [f"{what:<{first}}  {left:<{second}}  {right}".rstrip() for what, left, right in rows]
    both = zip(*(side.evaluation.results for side in comparison.sides), strict=True)
    for left, right in both:
        lines += ["", left.text, f"    1: {left.opening or _NO_LEAD}", f"    2: {right.opening or _NO_LEAD}"]
    return "\n".join(lines)


def _find(settings: Settings, model: Model, name: str) -> Model:
    """Return the installed version that goes by a name and is not the one in use, verified."""
    others = [v for v in versions.installed(settings, model.folder) if v.folder != model.folder]
    version = next((v for v in others if name in _names(v)), None)
    if version is None:
        known = ", ".join(sorted({v.folder.name for v in others})) or "none"
        message = f"no other installed model goes by the name {name}; there are: {known}"
        fix = Fix(command("model show --all"), " lists them; ", command("model update"), " installs one")
        raise UsageError(message, fix)
    files.refuse_unsound(version.folder, settings.models_dir)
    return Model.recorded(version.folder, EMBEDDED_NAME if version.name == EMBEDDED else version.name)


def _names(version: Version) -> set[str]:
    alias = {EMBEDDED_NAME} if version.name == EMBEDDED else set()
    return {version.name, version.folder.name, *alias}


def _side(settings: Settings, statements: Sequence[Statement], count: int, model: Model) -> Side:
    revision = files.manifest(model.folder).get("source", {}).get("revision", "")
    return Side(model.name, revision, model.folder, evaluate(settings, statements, count, model=model))


def _data(side: Side) -> dict[str, object]:
    return {
        "name": side.name,
        "revision": side.revision,
        "folder": str(side.folder),
        "passed_share": round(side.passed, 4),
        "lead_share": round(side.leads, 4),
        **asdict(side.evaluation),
    }


def _rows(comparison: Comparison) -> Iterator[tuple[str, str, str]]:
    """Yield what is compared, with the figures of both models."""
    one, other = comparison.sides
    yield "", f"1: {one.title}", f"2: {other.title}"
    for what, figure in _FIGURES.items():
        yield what, figure(one), figure(other)
    counts = one.evaluation.reasons, other.evaluation.reasons
    for reason in dict.fromkeys((*counts[0], *counts[1])):
        yield f"refused: {reason}", str(counts[0].get(reason, 0)), str(counts[1].get(reason, 0))


def _passed(side: Side) -> str:
    report = side.evaluation
    return f"{side.passed:.0%} ({report.passed} of {numbered(report.candidates, 'text')})"


def _leads(side: Side) -> str:
    report = side.evaluation
    return f"{side.leads:.0%} ({report.with_opening} of {numbered(report.statements, 'statement')})"


_FIGURES: dict[str, Callable[[Side], str]] = {
    "passed every gate": _passed,
    "leads": _leads,
    "distinct openings": lambda side: str(side.evaluation.distinct_openings),
    "tokens a second": lambda side: f"{side.evaluation.tokens_per_second:.0f}",
    "memory at most": lambda side: f"{side.evaluation.model_peak_mb:.0f} MB",
    "took": lambda side: f"{side.evaluation.seconds:.1f} s",
}
