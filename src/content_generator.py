"""source -> model -> candidates -> verdicts -> the text to post.

The model writes only an opening; a vetted statement follows it word for word, so nothing false can stand in
the body. Whatever happens to the model (missing, crashed, hanging, out of memory, writing rubbish), the vetted
wording goes out alone and the composition says so. The model runs in a child process, see `writer.py`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from src import gates, model_store, sources
from src.config import Settings
from src.model_process import Written, mode_for, peak_of_children_mb, write
from src.model_store import ModelTrouble
from src.post import Candidate, Composition, Draft, History, Verdict
from src.sources import Library, Statement
from src.tweet_text import MAX_WEIGHT, weighted_length

RECENT_OPENINGS = 200
NEAR_WINDOW = 2000
GOOD_ENOUGH = {True: -1.35, False: -0.9}  # lowest score of an opening that is used, for a tuned and a stock model


def compose(
    settings: Settings, history: History, now: datetime, *, seconds: float, use_model: bool = True
) -> Composition:
    """Write one fresh text. `seconds` is the time left for the model. Never raises for what the model does."""
    library = sources.load(settings.library_paths)
    notes = [f"{len(library.problems)} broken records in the library: `sources check` lists them"] if library.problems else []
    picked = choose_statement(settings, library, history, now)
    if picked is None:
        notes.append("no fresh statement is left: add library files (SOURCES) or lower COOLDOWN_DAYS")
        return Composition(None, notes=tuple(notes))
    statement, text = picked
    if not (use_model and settings.candidates):
        return Composition(_draft(settings, statement, text, "", "hook"), notes=tuple(notes))
    started = time.monotonic()
    try:
        model = model_store.locate(settings)
        mode = mode_for(settings, model)
        subject = statement.topic if mode == "free" else text
        limit = min(seconds, settings.generate_seconds)
        written = write(settings, model, [(statement.id, subject)], seconds=limit, seed=int(now.timestamp()))[statement.id]
    except ModelTrouble as error:
        notes.append(f"the model wrote nothing ({error}); the vetted wording goes out alone" + (f"; {error.fix}" if error.fix else ""))
        return Composition(_draft(settings, statement, text, "", "hook"), notes=tuple(notes))
    candidates = judge_all(settings, written, statement, text, history, mode)
    best = best_of(candidates, tuned=model.tuned)
    if best is None:
        notes.append(f"none of {len(candidates)} candidates was good enough; the vetted wording goes out alone")
    candidates = tuple(replace(c, chosen=True) if c is best else c for c in candidates)
    metrics = {"generate_seconds": round(time.monotonic() - started, 3), "tokens": float(written.tokens),
               "tokens_per_second": round(written.tokens / max(written.seconds, 0.001), 1),
               "model_peak_mb": peak_of_children_mb()}
    draft = _draft(settings, statement, text, best.opening if best else "", mode)
    return Composition(draft, candidates, tuple(notes), metrics)


def best_of(candidates: Sequence[Candidate], *, tuned: bool) -> Candidate | None:
    """The best candidate that passed every gate, if its score is good enough to be worth more than none."""
    return next((c for c in candidates if c.verdict.passed and c.score >= GOOD_ENOUGH[tuned]), None)


def _draft(settings: Settings, statement: Statement, text: str, written: str, mode: str) -> Draft:
    content = tweet(text, written, mode, statement.hashtags[: settings.hashtags])
    source = "" if mode == "free" and written else statement.id
    return Draft(content, "model" if written else "wording", source, statement.topic, written if mode == "hook" else "")


def tweet(text: str, written: str, mode: str, hashtags: Sequence[str] = ()) -> str:
    """The whole tweet: in `hook` mode what the model wrote leads the vetted text, otherwise it takes its place."""
    return assemble(written, text, hashtags) if mode == "hook" else assemble("", written or text, hashtags)


def assemble(opening: str, text: str, hashtags: Sequence[str] = ()) -> str:
    """The tweet: opening, blank line, vetted text word for word, and as many hashtags as still fit."""
    content = f"{opening}\n\n{text}" if opening else text
    for tag in hashtags:
        longer = f"{content} #{tag}"
        if weighted_length(longer) <= MAX_WEIGHT:
            content = longer
    return content


def judge_all(
    settings: Settings, written: Written, statement: Statement, text: str, history: History, mode: str = "hook"
) -> tuple[Candidate, ...]:
    """Every candidate with its verdict: first the gates for what the model wrote, then those for the whole tweet."""
    blocked = gates.read_words(settings.blocklist_file)
    recent = history.openings[:RECENT_OPENINGS]
    judged = []
    for candidate, score in written.openings:
        verdict = Verdict()
        if mode == "hook":
            verdict = gates.judge_opening(candidate, statement, text, recent)
        elif mode == "rewrite":
            verdict = gates.judge_rewrite(candidate, statement)
        if verdict.passed:
            whole = assemble(candidate, text) if mode == "hook" else candidate
            verdict = gates.judge_tweet(whole, history.texts[:NEAR_WINDOW], blocked)
        judged.append(Candidate(statement.id, candidate, score, verdict))
    return tuple(judged)


def judge_by_hand(settings: Settings, text: str, history: History) -> Verdict:
    """The gates for a text that a person wrote or edited: the same as for the model's."""
    return gates.judge_tweet(text, history.texts[:NEAR_WINDOW], gates.read_words(settings.blocklist_file))


def choose_statement(
    settings: Settings, library: Library, history: History, now: datetime
) -> tuple[Statement, str] | None:
    """The statement to post next and the wording to use. None if nothing fresh is left.

    Past its cool-down, in the topic that has waited longest; never used before used; another wording first. A
    text too like a recent one is passed over. The choice is random but the same for the same hour.
    """
    cooldown = timedelta(days=settings.cooldown_days)
    fresh = [s for s in library.statements
             if s.id not in history.last_used or now - history.last_used[s.id] >= cooldown]
    blocked = gates.read_words(settings.blocklist_file)
    order = random.Random(int(now.timestamp()) // 3600)  # noqa: S311 (variety, not secrecy)
    order.shuffle(fresh)
    waited = {topic: index for index, topic in reversed(list(enumerate(history.topics)))}
    fresh.sort(key=lambda s: (
        -waited.get(s.topic, len(history.topics)),
        s.id in history.last_used,
        history.last_used[s.id].timestamp() if s.id in history.last_used else 0.0))
    used = {gates.normal_words(t.rpartition("\n")[2]) for t in history.texts}
    recent = history.texts[:NEAR_WINDOW]
    for statement in fresh:
        texts = [t for t in statement.texts if gates.normal_words(t) not in used]
        for text in texts:
            if gates.judge_tweet(text, recent, blocked).passed:
                return statement, text
    return None
