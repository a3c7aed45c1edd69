"""Progress for people: a bar on standard error where that is a terminal, and nothing in cron's mail or a log.

Long work in a process of its own reports JSON lines on its standard output; `follow` draws them.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Protocol

REFRESH_SECONDS = 0.5  # so that the clock of a bar moves while the work is silent


class Bar(Protocol):
    """What a bar can do; `n` counts in the unit it was made with."""

    total: float | None

    def update(self, n: float | None = 1) -> bool | None: ...
    def refresh(self) -> object: ...
    def set_postfix_str(self, s: str, refresh: bool = True) -> None: ...


class Silent:
    """A progress bar that draws nothing."""

    total: float | None = None

    def update(self, n: float | None = 1) -> bool | None:
        """Draw nothing."""

    def refresh(self) -> object:
        """Draw nothing."""

    def set_postfix_str(self, s: str, refresh: bool = True) -> None:
        """Draw nothing."""


@contextlib.contextmanager
def bar(label: str, total: float | None = None, unit: str = "step", initial: int = 0) -> Iterator[Bar]:
    """Draw a bar that goes away when its work is done, and nothing without a terminal.

    The `unit` "B" is shown as kB, MB, GB.
    """
    if not (sys.stderr and sys.stderr.isatty()):
        yield Silent()
        return
    from tqdm import tqdm  # noqa: PLC0415 (nobody pays for it where no bar is drawn)

    tqdm.monitor_interval = 0  # its monitor is a thread, and this program forks
    size = os.get_terminal_size(sys.stderr.fileno())  # 0 by 0 where nobody set it, as over a serial line
    with tqdm(
        desc=label,
        total=total,
        initial=initial,
        unit=unit,
        unit_scale=unit == "B",
        unit_divisor=1000,
        ncols=size.columns or 80,
        nrows=size.lines or 24,
        leave=False,
        file=sys.stderr,
    ) as shown:
        yield shown


def follow(
    label: str,
    module: str,
    *arguments: str,
    environment: Mapping[str, str],
    folder: Path,
    request: str = "",
    seconds: float,
) -> tuple[int | None, str]:
    """Run one of our modules in a process of its own, in `folder` and with this `environment`; draw a bar.

    The module reads `request` from its standard input and prints JSON lines: `step`, `steps` and `doing`
    (words). Return its exit status (None: out of time, and killed) and the last line of its standard error.
    """
    with (
        tempfile.TemporaryFile(
            "w+", encoding="utf-8"
        ) as asked,  # not a pipe: writing it never waits for the reader
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=environment,
            stdin=_from_the_start(asked, request),
            stdout=subprocess.PIPE,
            stderr=complaints,
        ) as process,
        bar(label) as shown,
    ):
        assert process.stdout
        try:
            for line in lines(process.stdout.fileno(), shown, time.monotonic() + seconds):
                _draw(line, shown)
            status = process.wait(REFRESH_SECONDS * 20) if process.poll() is None else process.returncode
        except (TimeoutError, subprocess.TimeoutExpired):
            status = None
        finally:
            process.kill()
        complaints.seek(0)
        said = complaints.read().strip().splitlines()
    return status, said[-1] if said else ""


def _from_the_start(file: IO[str], text: str) -> IO[str]:
    """Write `text` to a file and return the file, ready to be read from its start."""
    file.write(text)
    file.flush()
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    return file


def lines(descriptor: int, shown: Bar, deadline: float) -> Iterator[bytes]:
    """Yield the lines of a pipe as they come, until it ends; keep the bar moving. Raise `TimeoutError`."""
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
    """Draw one report of the work; pass over anything else that is printed there."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        report = json.loads(line)
        shown.total = int(report["steps"])
        shown.set_postfix_str(str(report.get("doing", "")), refresh=False)
        shown.update(int(report["step"]) - int(getattr(shown, "n", 0)))
        shown.refresh()


def report(step: int, steps: int, doing: str = "") -> None:
    """Tell the parent how far we are: one JSON line on standard output."""
    sys.stdout.write(json.dumps({"step": step, "steps": steps, "doing": doing}) + "\n")
    sys.stdout.flush()
