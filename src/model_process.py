"""Running the model in its own process: no credentials, offline, bounded in time, memory and output.

A crash, a hang, an out-of-memory kill or rubbish on its output ends in one `ModelTrouble` with the story.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from src.config import ROOT, Settings, child_environment
from src.lock import model_turn
from src.model_store import Model, ModelTrouble, parameters

MAX_ANSWER_BYTES = 2_000_000
REWRITE_FROM_PARAMETERS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Written:
    """What the model brought for one statement: texts with their scores (nats a token, best first), and speed."""

    openings: tuple[tuple[str, float], ...]
    tokens: int = 0
    seconds: float = 0.0


def peak_of_children_mb() -> float:
    """Peak resident memory of the largest child process so far, megabytes."""
    return round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, 1)


def mode_for(settings: Settings, model: Model) -> str:
    """What the model is asked for: `auto` lets a model word the claim itself only from a billion parameters on."""
    if settings.mode != "auto":
        return settings.mode
    return "rewrite" if not model.tuned and parameters(model.folder) >= REWRITE_FROM_PARAMETERS else "hook"


def write(
    settings: Settings, model: Model, items: Sequence[tuple[str, str]], *, seconds: float, seed: int
) -> dict[str, Written]:
    """Let the model write for (id, text) pairs within `seconds`, all told. Raises `ModelTrouble` if it brings none for any of them.

    Up to half of the time may go by until other accounts on this machine are done with their model.
    """
    request = json.dumps({
        "model": str(model.folder), "tuned": model.tuned, "n": settings.candidates, "seed": seed,
        "mode": mode_for(settings, model),
        "statements": [{"id": name, "text": text} for name, text in items],
    })
    started = time.monotonic()
    with model_turn(settings.models_dir, seconds / 2) as ours:
        if not ours:
            message = f"other accounts kept the model busy for {seconds / 2:.0f} s"
            raise ModelTrouble(message, "let fewer of them start in one minute: `install --print` spreads their cron lines")
        seconds -= time.monotonic() - started
        status, output, complaint = _run_child(request.encode(), seconds, settings.generate_memory_mb)
    written = _read_answers(output)
    if not all(name in written for name, _ in items):
        raise ModelTrouble(_child_story(status, seconds, complaint), _child_fix(status))
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
