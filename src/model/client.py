"""Running the model in its own process: no credentials, offline, bounded in time, memory and output.

A crash, a hang, an out-of-memory kill or rubbish on its output ends in one `ModelError` with the story.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from src.config import ROOT, Settings, child_environment
from src.domain.errors import ModelError
from src.model.choose import Model, parameters
from src.system import progress
from src.system.lock import model_turn

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
    """What the model is asked for: `auto` lets a model word the claim itself only from a billion parameters on.

    MODE is meant for the model that MODEL names: one that stands in for it is asked for what its own size allows.
    """
    if settings.mode != "auto" and not model.stand_in:
        return settings.mode
    return "rewrite" if not model.tuned and parameters(model.folder) >= REWRITE_FROM_PARAMETERS else "hook"


class Writer:
    """The model's process. From its start it loads its libraries, while the caller still finds out what to ask for.

    A context manager that gives up after `seconds`, all told; up to half of them may go by until other accounts on this
    machine are done with their model. Whatever happens, the process and what it started are gone at the end.
    """

    def __init__(self, settings: Settings, seconds: float) -> None:
        self._settings, self._seconds = settings, seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._not_started = ""
        self._turn = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._deadline = time.monotonic() + self._seconds
        if self._turn.enter_context(model_turn(self._settings.models_dir, self._seconds / 2)):
            try:
                self._process = _start(self._settings.generate_memory_mb)
            except (
                OSError,
                subprocess.SubprocessError,
            ) as error:  # no memory or no room for one more process
                self._not_started = f"its process could not be started: {error}"
        return self

    def __exit__(self, *_: object) -> None:
        with self._turn:
            if self._process:
                _end(self._process)

    def write(self, model: Model, items: Sequence[tuple[str, str]], *, seed: int) -> dict[str, Written]:
        """Let the model write for (id, text) pairs: once. Raises `ModelError` if it brings none for any of them."""
        request = json.dumps(
            {
                "model": str(model.folder),
                "tuned": model.tuned,
                "dtype": model.dtype,
                "n": self._settings.candidates,
                "seed": seed,
                "mode": mode_for(self._settings, model),
                "statements": [{"id": name, "text": text} for name, text in items],
            }
        )
        status, output, complaint = self.exchange(request.encode(), len(items))
        written = _read_answers(output)
        if not all(name in written for name, _ in items):
            raise ModelError(_child_story(status, self._seconds, complaint), _child_fix(status))
        return written

    def exchange(self, request: bytes, texts: int = 1) -> tuple[int | None, bytes, bytes]:
        """Exit status (None: out of time), standard output up to 2 MB, and the end of standard error. A line a text is awaited."""
        if self._not_started:
            raise ModelError(self._not_started, _child_fix(-signal.SIGKILL))
        if self._process is None:
            message = f"other accounts kept the model busy for {self._seconds / 2:.0f} s"
            raise ModelError(
                message, "let fewer of them start in one minute: `install --print` spreads their cron lines"
            )
        with progress.bar("writing", texts, "text") as shown:
            return _collect(self._process, request, self._deadline, shown)


def write(
    settings: Settings, model: Model, items: Sequence[tuple[str, str]], *, seconds: float, seed: int
) -> dict[str, Written]:
    """`Writer.write` with a process of its own."""
    with Writer(settings, seconds) as writer:
        return writer.write(model, items, seed=seed)


def _start(memory_mb: int) -> subprocess.Popen[bytes]:
    def limit_memory() -> None:
        if memory_mb:
            resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))

    return subprocess.Popen(
        [sys.executable, "-m", "src.model.worker"],
        cwd=ROOT,
        env=child_environment({}),
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=limit_memory,  # noqa: PLW1509 (no threads here)
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()


def _collect(
    process: subprocess.Popen[bytes], request: bytes, deadline: float, shown: progress.Bar
) -> tuple[int | None, bytes, bytes]:
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
        if left <= 0:
            return None, bytes(out), bytes(err[-2000:])
        for descriptor in select.select(list(pipes), [], [], min(left, progress.REFRESH_SECONDS))[0]:
            chunk = os.read(descriptor, 65536)
            if chunk:
                shown.update(chunk.count(b"\n") if pipes[descriptor] is out else 0)
                pipes[descriptor].extend(chunk)
                del err[:-4000]
            else:
                del pipes[descriptor]
        shown.refresh()
    if len(out) > MAX_ANSWER_BYTES:
        return None, b"", b"it printed more than 2 MB"
    return process.wait(max(deadline - time.monotonic(), 1)), bytes(out), bytes(err[-2000:])


def _read_answers(output: bytes) -> dict[str, Written]:
    """The answers that are well-formed; anything else the child printed is passed over."""
    written = {}
    for line in output.decode("utf-8", "replace").splitlines():
        with contextlib.suppress(
            ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError
        ):
            data = json.loads(line)
            openings = tuple((_text(item[0]), _number(item[1])) for item in data["openings"])
            written[str(data["id"])] = Written(
                openings, int(_number(data["tokens"])), _number(data["seconds"])
            )
    return written


def _text(value: object) -> str:
    """What the database can hold: half a character (a lone surrogate) becomes a question mark."""
    return str(value)[:500].encode("utf-8", "replace").decode("utf-8")


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _child_story(status: int | None, seconds: float, complaint: bytes) -> str:
    if status is None:
        return f"its process took longer than {seconds:.0f} s or printed without end and was stopped"
    if status == -signal.SIGKILL:
        return "its process was killed, most likely for want of memory"
    if status < 0:
        return f"its process died of signal {-status}"
    lines = complaint.decode("utf-8", "replace").strip().splitlines()
    return (
        f"its process ended with {status}: {lines[-1][:200] if lines else 'no words'}"
        if status
        else "its answer was unusable"
    )


def _child_fix(status: int | None) -> str:
    if status is None:
        return "raise GENERATE_SECONDS or choose a smaller MODEL"
    return "make memory free or choose a smaller MODEL" if status == -signal.SIGKILL else ""
