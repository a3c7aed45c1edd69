"""`evaluate`: the model writes for many statements, and the verdicts are counted for a person to judge."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from src import content_generator
from src.config import Settings
from src.content import safety
from src.content.library import Statement
from src.domain.plurals import numbered
from src.domain.texts import Candidate, History
from src.model import choose
from src.model.choose import Model
from src.model.client import Written, mode_for, write
from src.model.tune import is_held_out, read_lessons
from src.system.usage import peak_of_children_mb

SECONDS_A_STATEMENT = 120.0  # a bound against hanging, for a large model on a slow machine


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One statement: its text, the tweet that would be posted, and every candidate with its verdict.

    `held_out` says whether the shipped lessons leave it out; None: they are not about it.
    """

    id: str
    held_out: bool | None
    text: str
    tweet: str
    opening: str
    score: float | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of an evaluation: counts, reason codes and every text.

    Seconds are wall time. `reasons` also counts rows that gave no text (`thinking`, `unfinished`). The peak
    (megabytes) is that of the model's process.
    """

    statements: int
    candidates: int
    passed: int
    with_opening: int
    distinct_openings: int
    seconds: float
    tokens_per_second: float
    model_peak_mb: float
    reasons: dict[str, int]
    results: tuple[Evaluated, ...]

    def as_data(self) -> dict[str, object]:
        """Plain data for JSON."""
        return asdict(self)


def evaluate(
    settings: Settings,
    statements: Sequence[Statement],
    count: int,
    seed: int = 1,
    model: Model | None = None,
    *,
    one_round: bool = False,
) -> Evaluation:
    """Write for `count` statements (chosen at random) and judge them as a tick would. Raises `ModelError`.

    A `model` is tried in the place of the one in use. `one_round`: it writes once, good enough or not.
    """
    chosen = random.Random(seed).sample(list(statements), min(count, len(statements)))  # noqa: S311
    model = model or choose.locate(settings)
    mode = mode_for(settings, model)
    blocked = safety.read_words(settings.blocklist_file)
    started = time.monotonic()
    items = [(s.id, s.topic if mode == "free" else s.statement) for s in chosen]
    limit = 60 + SECONDS_A_STATEMENT * len(items)
    picked = [(s, s.statement) for s in chosen]
    enough = content_generator.good_enough(settings, model, blocked, picked, History())
    written = write(settings, model, items, seconds=limit, seed=seed, enough=None if one_round else enough)
    seconds = time.monotonic() - started
    taught = read_lessons()
    results: list[Evaluated] = []
    openings: list[str] = []
    for statement in chosen:
        history = History(openings=tuple(reversed(openings)))
        candidates = content_generator.judge_all(
            blocked, written[statement.id], statement, statement.statement, history, mode
        )
        best = content_generator.best_of(candidates, content_generator.bar_for(settings, model, mode))
        if best:
            openings.append(best.opening)
        tweet = content_generator.tweet(statement.statement, best.opening if best else "", mode)
        results.append(
            Evaluated(
                statement.id,
                is_held_out(statement.id) if statement.id in taught else None,
                statement.statement,
                tweet,
                best.opening if best else "",
                best.score if best else None,
                candidates,
            )
        )
    everything = [c for r in results for c in r.candidates]
    return Evaluation(
        statements=len(results),
        candidates=len(everything),
        passed=sum(c.verdict.passed for c in everything),
        with_opening=len(openings),
        distinct_openings=len(set(openings)),
        seconds=round(seconds, 2),
        tokens_per_second=_speed(written.values()),
        model_peak_mb=max((w.peak_mb for w in written.values()), default=0.0) or peak_of_children_mb(),
        reasons=_count_reasons(everything, written.values()),
        results=tuple(results),
    )


def _speed(written: Iterable[Written]) -> float:
    """Return tokens a second, without the start of the process."""
    texts = list(written)
    return round(sum(w.tokens for w in texts) / max(sum(w.seconds for w in texts), 0.001), 1)


def _count_reasons(candidates: Iterable[Candidate], written: Iterable[Written]) -> dict[str, int]:
    """Return how often each gate refused, and each reason for which a row gave no text; the most first."""
    counts = Counter(reason for c in candidates for reason in c.verdict.reasons)
    for texts in written:
        counts.update(texts.dropped)
    return dict(counts.most_common())


_MARKS = {True: "held out, ", False: "trained on, ", None: ""}


def as_text(evaluation: Evaluation) -> str:
    """Return the evaluation for people: every tweet, then the counts."""
    lines = []
    for result in evaluation.results:
        score = "no opening" if result.score is None else f"score {result.score:.2f}"
        lines += [f"{result.id}  ({_MARKS[result.held_out]}{score})"]
        lines += [f"    {line}" for line in result.tweet.splitlines() if line] + [""]
    share = evaluation.with_opening / max(evaluation.statements, 1)
    speed = evaluation.candidates / max(evaluation.seconds, 0.001)
    statements = numbered(evaluation.statements, "statement")
    openings = f"{evaluation.with_opening} of {statements} got an opening ({share:.0%})"
    lines += [f"{count:>6}  refused: {reason}" for reason, count in evaluation.reasons.items()]
    lines += [
        f"{evaluation.passed} of {numbered(evaluation.candidates, 'candidate')} passed every gate",
        f"{openings}, {evaluation.distinct_openings} distinct",
        f"{speed:.1f} candidates a second, the start of the model included",
        f"{evaluation.tokens_per_second:.0f} tokens a second, {evaluation.model_peak_mb:.0f} MB at most",
    ]
    return "\n".join(lines)
