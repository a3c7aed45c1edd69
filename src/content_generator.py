"""The text to post: source, model, candidates, verdicts, draft.

The model writes only an opening; a vetted statement follows it word for word, so nothing false can stand in
the body. Whatever happens to the model (missing, crashed, hanging, out of memory, malformed output), the
vetted wording goes out, with an opening of the library or alone, and a note says so. The model runs in a
child process, see `model/client.py`.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from src.config import Settings
from src.content import choice, gates, links, safety, variety
from src.content import library as sources
from src.content.freshness import EVER, Supply, joined, may_run, repeats_after, sendable, supply
from src.content.intake import composed
from src.content.library import Library, Statement
from src.content.tweet_text import MAX_WEIGHT, weighted_length
from src.domain.errors import ModelError
from src.domain.fixes import Fix, command
from src.domain.notes import Note, NoteCode
from src.domain.plurals import numbered
from src.domain.queue import OWN
from src.domain.runs import Metric
from src.domain.texts import Candidate, Composition, Draft, History, Verdict
from src.model import choose, placement
from src.model.choose import Model
from src.model.client import Enough, ModelProcess, Written, mode_for, place_of
from src.system.usage import peak_of_children_mb

# Lowest score at which the model's opening is preferred to a vetted one, for a tuned and a stock model. Set
# by reading the best openings of 160 statements: above it nine in ten of the tuned model's are worth posting.
GOOD_ENOUGH = {True: -0.25, False: 0.3}
# A question with "why" presupposes that something is so: a reader accepted half as many of them as of others.
PREMISE_MARGIN = 0.1


def compose(
    settings: Settings, history: History, now: datetime, *, seconds: float, use_model: bool = True
) -> Composition:
    """Write one fresh text. `seconds` is the time left for the model. Never raises because of the model."""
    return compose_many(settings, history, now, 1, seconds=seconds, use_model=use_model)[0]


def compose_many(
    settings: Settings, history: History, now: datetime, count: int, *, seconds: float, use_model: bool = True
) -> list[Composition]:
    """Write up to `count` fresh texts with one start of the model; each is fresh against those before it too.

    The last composition has no draft if the library ran out before `count`.
    """
    blocked = safety.read_words(settings.blocklist_file)
    with contextlib.ExitStack() as stack:
        limit = min(seconds, settings.generate_seconds)
        wanted = use_model and not settings.model_left_out
        process = stack.enter_context(ModelProcess(settings, limit)) if wanted else None
        return _compose_many(settings, blocked, history, now, count, process)


def _compose_many(
    settings: Settings,
    blocked: frozenset[str],
    history: History,
    now: datetime,
    count: int,
    process: ModelProcess | None,
) -> list[Composition]:
    loaded = sources.load(settings.library_paths)
    library = replace(loaded, statements=choice.wanted(settings, loaded))
    notes = _note_problems(library)
    picked: list[tuple[Statement, str]] = []
    before = history
    while len(picked) < count and (chosen := choose_statement(settings, blocked, library, before, now)):
        picked.append(chosen)
        before = before.with_draft(Draft(chosen[1], "wording", chosen[0].id, chosen[0].topic), now)
    # As far as the alert looks: to play a year of posts would take as long as all the rest of a choice.
    left = supply(settings, library.statements, history, now, settings.alert_low_library_days + 1)
    written, remarks, metrics, model = _write(settings, blocked, picked, history, now, process)
    metrics[Metric.FRESH_STATEMENTS] = float(left.fresh)
    if left.days is not None:
        metrics[Metric.LIBRARY_DAYS] = round(left.days, 2)
    compositions = []
    for statement, text in picked:
        composition = _compose_one(
            settings, blocked, statement, text, written.get(statement.id), history, now, model
        )
        if composition.draft:
            history = history.with_draft(composition.draft, now)
        compositions.append(
            replace(composition, notes=(*notes, *remarks, *composition.notes), metrics=metrics)
        )
    if len(picked) < count:
        compositions.append(Composition(None, notes=(*notes, _why_nothing(settings, left)), metrics=metrics))
    return compositions


def _note_problems(library: Library) -> list[Note]:
    """Return a note that records of the library were left out, if any were."""
    if not library.problems:
        return []
    message = f"{len(library.problems)} broken records in the library"
    return [Note(NoteCode.BROKEN_RECORDS, message, Fix(command("sources check"), " lists them"))]


def _why_nothing(settings: Settings, left: Supply) -> Note:
    """Return why no text could be chosen, and what the owner can do."""
    fix = Fix(f"add statements (SOURCES): {left.needed} fill a year at this pace; or post less often")
    if left.back is None:
        message = f"every text of {numbered(left.total, 'statement')} has been sent"
    elif not left.fresh and left.elsewhere:
        message = (
            f"{left.elsewhere} statements that this account could post are another profile's for some days"
        )
        fix = Fix("post less often, add statements (SOURCES), or lower ACCOUNTS_APART_DAYS")
    elif not left.fresh:
        message = f"no fresh statement is left until {settings.shown(left.back)}"
    else:
        message = "every text that could be sent now is too much like one of the last days"
        fix = Fix("add library files (SOURCES)")
    return Note(NoteCode.NO_TEXT_LEFT, message, fix)


def _write(
    settings: Settings,
    blocked: frozenset[str],
    picked: Sequence[tuple[Statement, str]],
    history: History,
    now: datetime,
    process: ModelProcess | None,
) -> tuple[dict[str, Written], list[Note], dict[str, float], Model | None]:
    """Let the model write for all picked statements; return what it wrote, notes, metrics, and the model."""
    if not picked or process is None:
        return {}, [], {}, None
    started = time.monotonic()
    try:
        model = choose.locate(settings)
        free = mode_for(settings, model) == "free"
        items = [(s.id, s.topic if free else text) for s, text in picked]
        enough = good_enough(settings, model, blocked, picked, history, repeats_after(settings, now))
        written = process.write(model, items, seed=int(now.timestamp()), enough=enough)
    except ModelError as error:
        seconds = round(time.monotonic() - started, 3)
        metrics: dict[str, float] = {Metric.MODEL_FAILED: 1.0, Metric.MODEL_SECONDS: seconds}
        message = f"the model wrote nothing ({error}); a vetted text goes out"
        return {}, [Note(NoteCode.MODEL_FAILED, message, error.fix)], metrics, None
    tokens = sum(w.tokens for w in written.values())
    speed = tokens / max(sum(w.seconds for w in written.values()), 0.001)
    metrics = {
        Metric.MODEL_SECONDS: round(time.monotonic() - started, 3),
        "tokens": float(tokens),
        Metric.TOKENS_PER_SECOND: round(speed, 1),
        Metric.MODEL_PEAK_MB: peak_of_children_mb(),
    }
    return written, _notes_of(model, written), metrics, model


def _notes_of(model: Model, written: Mapping[str, Written]) -> list[Note]:
    """Return why another model wrote than the one that is set, and why on the CPU."""
    message, fix = placement.explain(place_of(written.values()))
    notes = [
        Note(NoteCode.MODEL_STANDS_IN, model.note, model.fix),
        Note(NoteCode.MODEL_ON_CPU, message, fix),
    ]
    return [note for note in notes if note.message]


def _compose_one(
    settings: Settings,
    blocked: frozenset[str],
    statement: Statement,
    text: str,
    written: Written | None,
    history: History,
    now: datetime,
    model: Model | None,
) -> Composition:
    """Judge what the model wrote for one statement, and draft the best candidate or the vetted wording."""
    since = repeats_after(settings, now)
    vetted = vetted_opening(blocked, statement, text, history, since)
    if written is None or model is None:
        return Composition(_vetted_draft(settings, blocked, statement, text, vetted))
    mode = mode_for(settings, model)
    candidates = judge_all(blocked, written, statement, text, history, mode, since)
    best = best_of(candidates, bar_for(settings, model, mode))
    if best is None:
        leads = "the library's own opening leads" if vetted else "the vetted wording goes out alone"
        message = f"none of {numbered(len(candidates), 'candidate')} was good enough; {leads}"
        note = Note(NoteCode.NO_GOOD_OPENING, message)
        return Composition(_vetted_draft(settings, blocked, statement, text, vetted), candidates, (note,))
    candidates = tuple(replace(c, chosen=True) if c is best else c for c in candidates)
    draft = _draft(settings, blocked, statement, text, best.opening, mode, origin="model")
    return Composition(draft, candidates)


def good_enough(
    settings: Settings,
    model: Model,
    blocked: frozenset[str],
    picked: Sequence[tuple[Statement, str]],
    history: History,
    since: datetime = EVER,
) -> Enough | None:
    """Return what tells whether an opening that was written would lead; None for whole texts: one round."""
    if (mode := mode_for(settings, model)) != "hook":
        return None
    texts = {statement.id: (statement, text) for statement, text in picked}
    bar = bar_for(settings, model, mode)

    def enough(name: str, written: Written) -> bool:
        candidates = judge_all(blocked, written, *texts[name], history, mode, since)
        return best_of(candidates, bar) is not None

    return enough


def write_openings(
    settings: Settings, texts: Sequence[tuple[str, str, str]], now: datetime, *, seconds: float
) -> dict[str, str]:
    """Return the model's openings above texts of other sources, given as (id, topic, text), by their ids.

    A text for which it wrote none that may lead is left out. Never raises because of the model.
    """
    if settings.model_left_out or settings.mode_in_force != "hook":
        return {}
    blocked = safety.read_words(settings.blocklist_file)
    picked = [(Statement(name, topic, text), text) for name, topic, text in texts]
    with ModelProcess(settings, min(seconds, settings.generate_seconds)) as process:
        written, _, _, model = _write(settings, blocked, picked, History(), now, process)
    if model is None:
        return {}
    bar = bar_for(settings, model, "hook")
    judged = {s.id: judge_all(blocked, written[s.id], s, text, History()) for s, text in picked}
    return {name: best.opening for name, all_of in judged.items() if (best := best_of(all_of, bar))}


def vetted_opening(
    blocked: frozenset[str], statement: Statement, text: str, history: History, since: datetime
) -> str | None:
    """Return a hand-written opening whose text was not sent after `since` and may go out.

    Empty where the text goes out alone; None where everything that can be made of this text was sent.
    """
    open_pairs = sendable(statement, history.sent.get(statement.id, {}), since)
    unsent = [opening for opening, wording in open_pairs if wording == text]
    leads = variety.in_order(unsent, statement, text, history)
    others, recent = history.of_others(statement.id)

    def may_go_out(lead: str) -> bool:
        verdict = gates.judge_lead(lead, text, recent)
        return verdict.passed and gates.judge_tweet(assemble(lead, text), others, blocked).passed

    return next((lead for lead in leads if not lead or may_go_out(lead)), None)


def bar_for(settings: Settings, model: Model, mode: str) -> float:
    """Return the score (nats a token) from which a text of this model is used; its trial measured it.

    It was measured for openings. With OPENINGS=model, and for a whole tweet by a model of the hub, the best
    that passes every gate goes out: both are the owner's choice.
    """
    if settings.openings == "model" or (mode != "hook" and not model.embedded):
        return -math.inf
    return GOOD_ENOUGH[model.tuned] if model.bar is None else model.bar


def best_of(candidates: Sequence[Candidate], bar: float) -> Candidate | None:
    """Return the best candidate that passed every gate, None unless its score reaches the bar."""

    def good(candidate: Candidate) -> bool:
        margin = PREMISE_MARGIN if candidate.opening.lower().startswith("why") else 0.0
        return candidate.verdict.passed and candidate.score >= bar + margin

    return next(filter(good, candidates), None)


def _vetted_draft(
    settings: Settings, blocked: frozenset[str], statement: Statement, text: str, opening: str | None
) -> Draft | None:
    if opening is None:
        return None
    return _draft(settings, blocked, statement, text, opening, "hook", origin="wording")


def _draft(
    settings: Settings,
    blocked: frozenset[str],
    statement: Statement,
    text: str,
    written: str,
    mode: str,
    *,
    origin: str,
) -> Draft:
    allowed = [tag for tag in statement.hashtags if not sources.is_blocked_tag(tag, blocked)]
    content = tweet(text, written, mode, allowed[: settings.hashtags])
    source = "" if mode == "free" and written else statement.id
    return Draft(content, origin, source, statement.topic, written if mode == "hook" else "")


def tweet(text: str, written: str, mode: str, hashtags: Sequence[str] = ()) -> str:
    """Return the whole tweet: the model's text leads the vetted one in `hook` mode, otherwise replaces it."""
    return assemble(written, text, hashtags) if mode == "hook" else assemble("", written or text, hashtags)


def assemble(opening: str, text: str, hashtags: Sequence[str] = ()) -> str:
    """Return the tweet: opening, blank line, vetted text word for word, and as many hashtags as still fit."""
    content = joined(opening, text)
    for tag in hashtags:
        longer = f"{content} #{tag}"
        if weighted_length(longer) <= MAX_WEIGHT:
            content = longer
    return content


def judge_all(
    blocked: frozenset[str],
    written: Written,
    statement: Statement,
    text: str,
    history: History,
    mode: str = "hook",
    since: datetime = EVER,
) -> tuple[Candidate, ...]:
    """Return every candidate with its verdict, by the gates for its mode and then by those for a whole tweet.

    `blocked` are the words of the owner's blocklist. What the statement itself sent after `since` is refused.
    """
    others, recent = history.of_others(statement.id)
    if mode != "hook":  # a whole text of the model's may repeat what this statement sent before
        others = tuple(dict.fromkeys((*history.texts, *history.sent.get(statement.id, {}))))
    sent = {text for text, at in history.sent.get(statement.id, {}).items() if at > since}
    judged = []
    for raw, score in written.openings:
        candidate = composed(raw)
        verdict = Verdict()
        if mode == "hook":
            verdict = gates.judge_opening(candidate, statement, text, recent)
        elif mode == "rewrite":
            verdict = gates.judge_rewrite(candidate, statement)
        elif mode == "free":
            verdict = gates.judge_free(candidate)
        if verdict.passed:
            whole = assemble(candidate, text) if mode == "hook" else candidate
            if whole in sent:
                verdict = Verdict(("near-duplicate",))
            else:
                verdict = gates.judge_tweet(whole, others, blocked)
        judged.append(Candidate(statement.id, candidate, score, verdict))
    return tuple(judged)


def judge_by_hand(settings: Settings, text: str, others: Sequence[str], origin: str = OWN) -> Verdict:
    """Judge a whole text, by default one that a person wrote. `others`: past texts."""
    blocked = safety.read_words(settings.blocklist_file)
    return gates.judge_tweet(text, others, blocked, links.rule_for(settings, origin))


def choose_statement(
    settings: Settings, blocked: frozenset[str], library: Library, history: History, now: datetime
) -> tuple[Statement, str] | None:
    """Return the statement to post next and the wording to use; None if nothing is left that may go out.

    Its cool-down is over, and its topic has waited longest. Statements that never ran come first; of a
    statement, the wording used least, with an opening that never led it. A text too similar to a recent one
    is skipped; of statements of a topic that never ran, one that opens unlike the last tweets is preferred.
    The choice is random, but the same within one hour for one account.
    """
    fresh = [s for s in library.statements if may_run(settings, s, history, now)]
    hour = int(now.timestamp()) // 3600
    order = random.Random(f"{settings.account_id}:{hour}" if settings.account_id else hour)  # noqa: S311 (variety)
    order.shuffle(fresh)
    waited = {topic: index for index, topic in reversed(list(enumerate(history.topics)))}
    fresh.sort(
        key=lambda s: (
            -waited.get(s.topic, len(history.topics)),
            s.id in history.last_used,
            history.last_used[s.id].timestamp() if s.id in history.last_used else 0.0,
        )
    )
    since = repeats_after(settings, now)
    usable = ((s, text) for s in fresh if (text := _usable_wording(blocked, s, history, since)))
    first = next(usable, None)
    if first is None or first[0].id in history.last_used:
        return first
    others = itertools.takewhile(lambda pair: pair[0].id not in history.last_used, usable)
    patterns = variety.recent_patterns(library.statements, history)
    least, best = math.inf, first
    for statement, text in itertools.chain([first], itertools.islice(others, variety.CHOICES - 1)):
        if statement.topic != best[0].topic and least < variety.TOO_ALIKE:
            break  # the topic that waited longest has one that will do
        lead = vetted_opening(blocked, statement, text, history, since) or ""
        alike_by = variety.likeness(joined(lead, text), history)
        alike_by += variety.SAME_PATTERN if statement.pattern in patterns else 0
        if alike_by < least:
            least, best = alike_by, (statement, text)
        if not least:
            break
    return best


def _usable_wording(
    blocked: frozenset[str], statement: Statement, history: History, since: datetime
) -> str | None:
    """Return the wording of a statement to use now: it makes a text not sent after `since`, unlike others."""
    wordings = dict.fromkeys(t for _, t in sendable(statement, history.sent.get(statement.id, {}), since))
    others, _ = history.of_others(statement.id)
    return next(
        (
            text
            for text in wordings
            if gates.judge_tweet(text, others, blocked).passed
            and vetted_opening(blocked, statement, text, history, since) is not None
        ),
        None,
    )
