"""Hard limits on one piece of work: a time limit that no slow server can extend, and signals held back."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

from src.domain.errors import DeadlineError


@contextlib.contextmanager
def hard_limit(seconds: float) -> Iterator[None]:
    """Break off after `seconds` with `DeadlineError` (main thread only: it is a signal)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def expire(_signal: int, _frame: object) -> None:
        raise DeadlineError

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Let the signals that end a run wait until a piece of work is done."""
    held = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
