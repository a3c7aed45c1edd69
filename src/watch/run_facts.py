"""The facts that a run knows about the health of the program when it ends."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from src.domain.errors import ConfigError
from src.domain.runs import Metric, TickResult
from src.posting.run import Run
from src.watch import health
from src.watch.facts import Facts, Login, Stock


def read(run: Run, result: TickResult) -> Facts:
    """Return what this run knows of the health of the program."""
    fresh, days = run.metrics.get(Metric.FRESH_STATEMENTS), run.metrics.get(Metric.LIBRARY_DAYS)
    return replace(
        health.look(run.db, run.settings, run.clock.now()),
        result=result,
        library=None if fresh is None else Stock(int(fresh), days),
        login=_login(run),
    )


def _login(run: Run) -> Login | None:
    """Return when the login ends, as it stands after this run; None if its file cannot be read."""
    if run.settings.login is None:
        return Login(ends=None)
    from src.x import credentials  # noqa: PLC0415 (with keys from .env a run never loads it)

    with contextlib.suppress(ConfigError):
        return Login(credentials.lapses_at(credentials.load(run.settings.credentials_file), run.clock.now()))
    return None
