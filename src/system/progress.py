"""Progress bars on standard error where that is a terminal; nothing in cron's mail or a log."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Protocol

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
