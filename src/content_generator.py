"""source -> model -> candidates -> verdicts -> the text to post.

The model writes only an opening; a vetted statement follows it word for word, so nothing false can stand in
the body. Whatever happens to the model (missing, crashed, hanging, out of memory, writing rubbish), the vetted
wording goes out alone and the composition says so. The model runs in a child process, see `writer.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from src import gates, model_store, sources
from src.config import ROOT, Settings, child_environment
from src.model_store import Model, ModelTrouble
from src.post import Candidate, Composition, Draft, History, Verdict
from src.sources import Library, Statement
from src.tweet_text import MAX_WEIGHT, weighted_length

MAX_ANSWER_BYTES = 2_000_000
RECENT_OPENINGS = 200
NEAR_WINDOW = 2000
GOOD_ENOUGH = {True: -1.35, False: -0.9}  # lowest score of an opening that is used, for a tuned and a stock model


@dataclass(frozen=True, slots=True)
class Written:
    """What the model brought for one statement: openings with their scores (nats a token, best first), and speed."""

    openings: tuple[tuple[str, float], ...]
    tokens: int = 0
    seconds: float = 0.0


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
    written, model_notes, metrics = Written(()), [], {}
    tuned = False
    if use_model and settings.candidates:
        started = time.monotonic()
        try:
            model = model_store.locate(settings)
            tuned = model.tuned
            written = write(settings, model, [(statement.id, text)], seconds=seconds, seed=int(now.timestamp()))[statement.id]
        except ModelTrouble as error:
            model_notes = [f"the model wrote nothing ({error}); the vetted wording goes out alone" +
                           (f"; {error.fix}" if error.fix else "")]
        metrics = {"generate_seconds": round(time.monotonic() - started, 3), "tokens": float(written.tokens)}
        if written.seconds:
            metrics["tokens_per_second"] = round(written.tokens / written.seconds, 1)
    blocked = gates.read_words(settings.blocklist_file)
    candidates = judge_all(written, statement, text, history, blocked)
    best = next((c for c in candidates if c.verdict.passed and c.score >= GOOD_ENOUGH[tuned]), None)
    if settings.candidates and use_model and not model_notes and best is None:
        model_notes = [f"none of {len(candidates)} openings was good enough; the vetted wording goes out alone"]
    candidates = tuple(replace(c, chosen=True) if c is best else c for c in candidates)
    draft = _draft(settings, statement, text, best.opening if best else "")
    return Composition(draft, candidates, (*notes, *model_notes), metrics)


def _draft(settings: Settings, statement: Statement, text: str, opening: str) -> Draft:
    content = assemble(opening, text, statement.hashtags[: settings.hashtags])
    return Draft(content, "model" if opening else "wording", statement.id, statement.topic, opening)


def assemble(opening: str, text: str, hashtags: Sequence[str] = ()) -> str:
    """The tweet: opening, blank line, vetted text word for word, and as many hashtags as still fit."""
    content = f"{opening}\n\n{text}" if opening else text
    for tag in hashtags:
        longer = f"{content} #{tag}"
        if weighted_length(longer) <= MAX_WEIGHT:
            content = longer
    return content


def judge_all(
    written: Written, statement: Statement, text: str, history: History, blocked: Collection[str] = ()
) -> tuple[Candidate, ...]:
    """Every opening with its verdict: first the gates for openings, then those for the whole tweet."""
    recent = history.openings[:RECENT_OPENINGS]
    judged = []
    for opening, score in written.openings:
        verdict = gates.judge_opening(opening, statement, text, recent)
        if verdict.passed:
            verdict = gates.judge_tweet(assemble(opening, text), history.texts[:NEAR_WINDOW], blocked)
        judged.append(Candidate(statement.id, opening, score, verdict))
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


# ---- the child process ---------------------------------------------------------------------------------------


def write(
    settings: Settings, model: Model, items: Sequence[tuple[str, str]], *, seconds: float, seed: int
) -> dict[str, Written]:
    """Let the model write openings for (id, text) pairs. Raises `ModelTrouble` if it brings none for any of them."""
    request = json.dumps({
        "model": str(model.folder), "tuned": model.tuned, "n": settings.candidates, "seed": seed,
        "statements": [{"id": name, "text": text} for name, text in items],
    })
    limit = min(seconds, settings.generate_seconds)
    status, output, complaint = _run_child(request.encode(), limit, settings.generate_memory_mb)
    written = _read_answers(output)
    if not all(name in written for name, _ in items):
        raise ModelTrouble(_child_story(status, limit, complaint), _child_fix(status))
    return written


def _run_child(request: bytes, seconds: float, memory_mb: int) -> tuple[int | None, bytes, bytes]:
    """Exit status (None: out of time), standard output up to 2 MB, and the end of standard error."""

    def limit_memory() -> None:
        if memory_mb:
            resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))

    process = subprocess.Popen(
        [sys.executable, "-m", "src.writer"], cwd=ROOT, env=child_environment({}), start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limit_memory,  # noqa: PLW1509 (no threads here)
    )
    try:
        return _collect(process, request, time.monotonic() + seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


def _collect(process: subprocess.Popen[bytes], request: bytes, deadline: float) -> tuple[int | None, bytes, bytes]:
    assert process.stdin
    assert process.stdout
    assert process.stderr
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(request)
        process.stdin.close()
    out, err = bytearray(), bytearray()
    pipes = {process.stdout.fileno(): out, process.stderr.fileno(): err}
    while pipes and len(out) <= MAX_ANSWER_BYTES:
        left = deadline - time.monotonic()
        ready = select.select(list(pipes), [], [], max(left, 0))[0] if left > 0 else []
        if not ready:
            return None, bytes(out), bytes(err[-2000:])
        for descriptor in ready:
            chunk = os.read(descriptor, 65536)
            if chunk:
                pipes[descriptor].extend(chunk)
                del err[:-4000]
            else:
                del pipes[descriptor]
    if len(out) > MAX_ANSWER_BYTES:
        return None, b"", b"it printed more than 2 MB"
    return process.wait(max(deadline - time.monotonic(), 1)), bytes(out), bytes(err[-2000:])


def _read_answers(output: bytes) -> dict[str, Written]:
    """The answers that are well-formed; anything else the child printed is passed over."""
    written = {}
    for line in output.decode("utf-8", "replace").splitlines():
        with contextlib.suppress(ValueError, TypeError, KeyError, IndexError, AttributeError):
            data = json.loads(line)
            openings = tuple((str(item[0])[:500], float(item[1])) for item in data["openings"])
            written[str(data["id"])] = Written(openings, int(data["tokens"]), float(data["seconds"]))
    return written


def _child_story(status: int | None, seconds: float, complaint: bytes) -> str:
    if status is None:
        return f"its process took longer than {seconds:.0f} s or printed without end and was stopped"
    if status == -signal.SIGKILL:
        return "its process was killed, most likely for want of memory"
    if status < 0:
        return f"its process died of signal {-status}"
    lines = complaint.decode("utf-8", "replace").strip().splitlines()
    return f"its process ended with {status}: {lines[-1][:200] if lines else 'no words'}" if status else "its answer was unusable"


def _child_fix(status: int | None) -> str:
    if status is None:
        return "raise GENERATE_SECONDS or choose a smaller MODEL"
    return "make memory free or choose a smaller MODEL" if status == -signal.SIGKILL else ""
