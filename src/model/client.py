"""The caller's side of the model's process: no credentials, offline, bounded in time, memory and output.

A crash, a hang, an out-of-memory kill or malformed output ends in one `ModelError` that says what happened.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from src.config import ROOT, Settings
from src.domain.errors import ModelError
from src.domain.fixes import Fix, command
from src.model import child, placement
from src.model.choose import Model
from src.model.devices import Place
from src.model.voice import voice_of
from src.system import progress
from src.system.lock import model_turn

BARRIERS_SECONDS = 20.0
LOOK = Fix(command("check"), " looks at its files; ", command("model update"), " installs it anew")
ROUNDS = 3  # of CANDIDATES each, until one is good enough
SEEDS_A_ROUND = 10_000  # the texts of a round have seeds of their own, one after the other
ENTRY = "src.model.worker"  # started by this name, as a process of its own


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote for one statement: texts with scores (nats a token, best first), and its speed.

    `dropped` counts rows that gave no text, by the reason (`clean`, or `control-token`). `place` is where it
    wrote, None for the embedded model. `peak_mb` is the most memory that its process had, 0 where not said.
    """

    openings: tuple[tuple[str, float], ...]
    tokens: int = 0
    seconds: float = 0.0
    dropped: Mapping[str, int] = field(default_factory=dict)
    place: Place | None = None
    peak_mb: float = 0.0

    def joined(self, more: Written) -> Written:
        """Return what two rounds wrote: each text once, with its better score, the best first."""
        scores: dict[str, float] = {}
        for text, score in (*self.openings, *more.openings):
            scores[text] = max(score, scores.get(text, score))
        openings = tuple(sorted(scores.items(), key=lambda item: -item[1]))
        dropped = dict(Counter(self.dropped) + Counter(more.dropped))
        tokens, seconds = self.tokens + more.tokens, self.seconds + more.seconds
        peak = max(self.peak_mb, more.peak_mb)
        return Written(openings, tokens, seconds, dropped, more.place or self.place, peak)


Enough = Callable[[str, Written], bool]
"""Whether what was written for an id is good enough, so that no further round is needed."""


def place_of(written: Iterable[Written]) -> Place | None:
    """Return where a model wrote its last text, None where it did not say."""
    return next((w.place for w in reversed(list(written)) if w.place), None)


def mode_for(settings: Settings, model: Model) -> str:
    """Return what to ask the model for. `auto` is the opening: no size makes a rewrite safe.

    MODE is meant for the model that MODEL names: one in its place writes openings.
    """
    return "hook" if model.stand_in else settings.mode_in_force


class ModelProcess:
    """The model's process, which loads its libraries while the caller still finds out what to ask for.

    A context manager that gives up after `seconds` in total; up to half of them may pass while other accounts
    on this machine use their model. Whatever happens, the process and all that it started are ended with it.
    """

    def __init__(self, settings: Settings, seconds: float) -> None:
        self._settings, self._seconds = settings, seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._not_started: ModelError | None = None
        self._turn = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._deadline = time.monotonic() + self._seconds
        if self._turn.enter_context(model_turn(self._settings.models_dir, self._seconds / 2)):
            try:
                self._process = child.start(ENTRY, self._settings.generate_memory_mb)
            except (OSError, subprocess.SubprocessError) as error:
                self._not_started = ModelError(
                    f"its process could not be started: {error}", _start_fix(error)
                )
        return self

    def __exit__(self, *_: object) -> None:
        with self._turn:
            if self._process:
                child.end(self._process)

    def write(
        self, model: Model, items: Sequence[tuple[str, str]], *, seed: int, enough: Enough | None = None
    ) -> dict[str, Written]:
        """Let the model write for (id, text) pairs. Raises `ModelError` unless it answers each.

        Where `enough` is not content with what it wrote for one, it writes for that one again, in `ROUNDS`
        rounds at most. A later round that fails takes nothing away.
        """
        first = {
            "model": str(model.folder),
            "embedded": model.embedded,
            "tuned": model.tuned,
            "shares_prompt": model.shares_prompt,
            "dtype": model.dtype,
            "device": self._settings.device,
            "mode": mode_for(self._settings, model),
            "voice": voice_of(self._settings),
            "sampling": self._settings.sampling_overrides,
        }
        process = self._started()
        with progress.bar("writing", len(items), "text") as shown:
            talk = child.Conversation(process, self._deadline, shown)
            left, more = list(items), first
            for number in range(ROUNDS):
                if not left or not talk.ask(self._line(left, seed + number * SEEDS_A_ROUND, more), len(left)):
                    break
                left, more = _unsettled(left, _read_answers(talk.output), enough), {}
                shown.total = (shown.total or 0) + len(left)
            status, output, complaint = talk.finish()
        written = _read_answers(output)
        if not all(name in written for name, _ in items):
            raise ModelError(_child_story(status, self._seconds, complaint), _child_fix(status))
        if place := place_of(written.values()):
            placement.remember(self._settings.models_dir, model.folder, place)
        return written

    def _line(self, items: Sequence[tuple[str, str]], seed: int, more: Mapping[str, object]) -> bytes:
        """Return a request for (id, text) pairs; `more` of the first one says which model writes, and how."""
        statements = [{"id": name, "text": text} for name, text in items]
        asked = {"n": self._settings.candidates, "seed": seed, "statements": statements}
        return json.dumps({**more, **asked}).encode()

    def exchange(self, request: bytes, texts: int = 1) -> tuple[int | None, bytes, bytes]:
        """Send the only request; return the exit status (None: out of time), standard output and error.

        One line of output per text is expected.
        """
        process = self._started()
        with progress.bar("writing", texts, "text") as shown:
            return child.collect(process, request, self._deadline, shown)

    def _started(self) -> subprocess.Popen[bytes]:
        """Return the process. Raises `ModelError` where there is none."""
        if self._not_started:
            raise self._not_started
        if self._process is None:
            message = f"other accounts kept the model busy for {self._seconds / 2:.0f} s"
            raise ModelError(
                message,
                Fix(
                    "let fewer of them start in one minute: ",
                    command("install --print"),
                    " spreads their cron lines",
                ),
            )
        return self._process


def _unsettled(
    items: Sequence[tuple[str, str]], written: Mapping[str, Written], enough: Enough | None
) -> list[tuple[str, str]]:
    """Return the items to write for once more: those with answers that are not `enough`."""
    if enough is None:
        return []
    return [(name, text) for name, text in items if name in written and not enough(name, written[name])]


def barriers() -> str:
    """Return what keeps the model's process from the network on this machine, empty for nothing."""
    try:
        asked = subprocess.run(
            [sys.executable, "-m", "src.model.sandbox"],
            cwd=ROOT,
            env=child.environment(),
            capture_output=True,
            text=True,
            timeout=BARRIERS_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def write(
    settings: Settings,
    model: Model,
    items: Sequence[tuple[str, str]],
    *,
    seconds: float,
    seed: int,
    enough: Enough | None = None,
) -> dict[str, Written]:
    """Let the model write for (id, text) pairs in a process of its own; see `ModelProcess.write`."""
    with ModelProcess(settings, seconds) as process:
        return process.write(model, items, seed=seed, enough=enough)


def _read_answers(output: bytes) -> dict[str, Written]:
    """Return the well-formed answers by statement, those of several rounds as one.

    Anything else that the child printed is ignored.
    """
    written: dict[str, Written] = {}
    for line in output.decode("utf-8", "replace").splitlines():
        with contextlib.suppress(
            ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError
        ):
            data = json.loads(line)
            openings = tuple((_text(item[0]), _number(item[1])) for item in data["openings"])
            name, tokens, seconds = str(data["id"]), int(_number(data["tokens"])), _number(data["seconds"])
            place, peak = placement.parsed(data.get("place")), _number(data.get("peak_mb", 0))
            more = Written(openings, tokens, seconds, _counts(data), place, peak)
            written[name] = written.get(name, Written(())).joined(more)
    return written


def _counts(data: Mapping[str, Any]) -> dict[str, int]:
    return {str(name)[:40]: int(_number(count)) for name, count in data.get("dropped", {}).items()}


def _text(value: object) -> str:
    """Return text that the database can hold: a lone surrogate becomes a question mark."""
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
    if status:
        return f"its process ended with {status}: {lines[-1][:200] if lines else 'no message'}"
    return "its answer was unusable"


def _start_fix(error: Exception) -> Fix:
    """Return what helps against a process that could not be started: not every reason is a want of memory."""
    number = error.errno if isinstance(error, OSError) else None
    if number in {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ENOEXEC}:
        return Fix(f"let this user enter {ROOT} and run {sys.executable}: ls -ld shows their rights")
    if number in {errno.EMFILE, errno.ENFILE}:
        return Fix("raise the limit of open files: ulimit -n")
    if number == errno.EAGAIN:
        return Fix("this user has too many processes: end some, or raise the limit: ulimit -u")
    return Fix("free some memory or choose a smaller MODEL") if number == errno.ENOMEM else LOOK


def _child_fix(status: int | None) -> Fix:
    if status is None:
        return Fix("raise GENERATE_SECONDS or choose a smaller MODEL")
    return Fix("free some memory or choose a smaller MODEL") if status == -signal.SIGKILL else LOOK
