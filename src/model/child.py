"""The program's child processes: started without keys and offline, read until a deadline, and ended.

Long work in a process of its own reports JSON lines on its standard output (`report`); `follow` draws them.
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
import tempfile
import time
from collections.abc import Iterator
from typing import IO

from src.config import ROOT, inherited_environment
from src.system.progress import REFRESH_SECONDS, Bar, bar

MAX_ANSWER_BYTES = 8_000_000


def environment(*, patient: bool = True) -> dict[str, str]:
    """Return the environment of a child process: no credentials, no proxy, offline.

    Patient threads wait asleep: spinning ones slow each other down many times over as soon as anything else
    runs. Training waits thousands of times a second, which costs a third of its time that way.
    """
    return {
        **inherited_environment(),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONHASHSEED": "0",
        "TOKENIZERS_PARALLELISM": "false",
        **({"OMP_WAIT_POLICY": "passive"} if patient else {}),
    }


def start(module: str, memory_mb: int) -> subprocess.Popen[bytes]:
    """Start a module of ours in a session of its own, its address space limited to `memory_mb` (0: not)."""

    def limit_memory() -> None:
        if memory_mb:
            resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))

    return subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=limit_memory,  # noqa: PLW1509 (no threads here)
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it started, and close its pipes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()


class Conversation:
    """Requests to a process, one a line, and what it answers until `deadline` (of the monotonic clock).

    The bar moves with every line of its standard output.
    """

    def __init__(self, process: subprocess.Popen[bytes], deadline: float, shown: Bar) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self._process, self._deadline, self._shown = process, deadline, shown
        self._stdin = process.stdin
        self._out, self._err = bytearray(), bytearray()
        self._open = {process.stdout.fileno(): self._out, process.stderr.fileno(): self._err}
        self.failed = False  # it took too long, or printed more than `MAX_ANSWER_BYTES`

    @property
    def output(self) -> bytes:
        """Return its standard output so far."""
        return bytes(self._out)

    def ask(self, request: bytes, lines: int) -> bool:
        """Send a line and wait for so many lines more; return whether they came and it still listens."""
        wanted = self._out.count(b"\n") + lines
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(request + b"\n")
            self._stdin.flush()
        return self._read(wanted)

    def finish(self) -> tuple[int | None, bytes, bytes]:
        """Let it end; return its status (None: `failed`), its output and the end of its standard error."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        self._read(None)
        if len(self._out) > MAX_ANSWER_BYTES:
            return None, b"", f"it printed more than {MAX_ANSWER_BYTES // 1_000_000} MB".encode()
        if self.failed:
            return None, self.output, bytes(self._err[-2000:])
        status = self._process.wait(max(self._deadline - time.monotonic(), 1))
        return status, self.output, bytes(self._err[-2000:])

    def _read(self, wanted: int | None) -> bool:
        """Read until the output has `wanted` lines (None: until its end); return whether it has them."""
        while self._open and not self.failed:
            if wanted is not None and self._out.count(b"\n") >= wanted:
                return True
            left = self._deadline - time.monotonic()
            self.failed = left <= 0 or len(self._out) > MAX_ANSWER_BYTES
            for descriptor in select.select(list(self._open), [], [], min(max(left, 0), REFRESH_SECONDS))[0]:
                self._take(descriptor)
            self._shown.refresh()
        return False

    def _take(self, descriptor: int) -> None:
        chunk, kept = os.read(descriptor, 65536), self._open[descriptor]
        if not chunk:
            del self._open[descriptor]
            return
        self._shown.update(chunk.count(b"\n") if kept is self._out else 0)
        kept.extend(chunk)
        del self._err[:-4000]


def collect(
    process: subprocess.Popen[bytes], request: bytes, deadline: float, shown: Bar
) -> tuple[int | None, bytes, bytes]:
    """Send the only request and read until the process ends; see `Conversation.finish`."""
    talk = Conversation(process, deadline, shown)
    talk.ask(request, 0)
    return talk.finish()


def follow(
    label: str, module: str, *arguments: str, request: str = "", seconds: float, patient: bool = True
) -> tuple[int | None, str]:
    """Run one of our modules in a process of its own, without keys, and show its progress.

    It reads `request` from its standard input and prints JSON lines with `step`, `steps` and the text
    `doing`. Return its exit status (None: it ran out of time and was killed) and the last line of its
    standard error. `patient`: whether its threads wait asleep.
    """
    with (
        # A file and not a pipe: writing it never waits for the reader.
        tempfile.TemporaryFile("w+", encoding="utf-8") as asked,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=environment(patient=patient),
            stdin=_from_the_start(asked, request),
            stdout=subprocess.PIPE,
            stderr=complaints,
        ) as process,
        bar(label) as shown,
    ):
        assert process.stdout
        try:
            for line in _lines(process.stdout.fileno(), shown, time.monotonic() + seconds):
                _draw(line, shown)
            status = process.wait(REFRESH_SECONDS * 20) if process.poll() is None else process.returncode
        except (TimeoutError, subprocess.TimeoutExpired):
            status = None
        finally:
            process.kill()
        complaints.seek(0)
        messages = complaints.read().strip().splitlines()
    return status, messages[-1] if messages else ""


def _from_the_start(file: IO[str], text: str) -> IO[str]:
    """Return the file with `text` in it, ready to be read."""
    file.write(text)
    file.flush()
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    return file


def _lines(descriptor: int, shown: Bar, deadline: float) -> Iterator[bytes]:
    """Yield the lines of a pipe until it ends, and keep the bar's clock moving. Raises `TimeoutError`."""
    rest = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if not select.select([descriptor], [], [], min(left, REFRESH_SECONDS))[0]:
            shown.refresh()
            continue
        chunk = os.read(descriptor, 65536)
        if not chunk:
            break
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _draw(line: bytes, shown: Bar) -> None:
    """Draw one report of the child; anything else that it prints is ignored."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        report = json.loads(line)
        shown.total = int(report["steps"])
        shown.set_postfix_str(str(report.get("doing", "")), refresh=False)
        shown.update(int(report["step"]) - int(getattr(shown, "n", 0)))
        shown.refresh()


def report(step: int, steps: int, doing: str = "") -> None:
    """Report progress to the parent: one JSON line on standard output."""
    sys.stdout.write(json.dumps({"step": step, "steps": steps, "doing": doing}) + "\n")
    sys.stdout.flush()
