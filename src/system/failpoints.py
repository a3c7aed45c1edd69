"""Named places where a test can kill, delay or break the program. Without a plan they do nothing.

A plan is `name:action`, the action `kill`, `raise`, `exit` or `sleep=SECONDS`; the setting is FAILPOINT.
The names are listed here so that the crash tests can walk them all.
"""

from __future__ import annotations

import os
import signal
import time

from src.domain.errors import ConfigError, InjectedFault
from src.domain.fixes import Fix, env_file

NAMES = (
    "tick.locked",
    "tick.recovered",
    "history.page",
    "reconcile.read",
    "reconcile.settled",
    "tick.due",
    "tick.composed",
    "statement.reserved",
    "ahead.composed",
    "ahead.before_commit",
    "ahead.committed",
    "claim.before_commit",
    "claim.committed",
    "intent.before_commit",
    "intent.committed",
    "send.before",
    "send.after",
    "settle.before_commit",
    "settle.committed",
    "feed.fetched",
    "feed.before_commit",
    "feed.committed",
    "results.read",
    "results.before_commit",
    "results.committed",
    "tick.finished",
    "migrate.statement",
    "migrate.before_commit",
    "model.part",
    "model.downloaded",
    "model.tried",
    "model.renamed",
    "model.switched",
    "maintain.locked",
    "maintain.checked",
    "maintain.backup_begun",
    "maintain.backup_written",
    "maintain.backup_checked",
    "maintain.backup_named",
    "maintain.prune.before_commit",
    "maintain.prune.committed",
    "maintain.finished",
    "restore.copied",
    "restore.kept",
    "restore.swapped",
    "tokens.rotated",
    "tokens.saved",
)

_plan: dict[str, str] = {}
_seen: list[str] = []


def arm(plan: str) -> None:
    """Replace the plan: comma-separated `name:action`, empty for none. Raises `ConfigError`."""
    _plan.clear()
    for part in filter(None, plan.split(",")):
        name, _, action = part.partition(":")
        if name not in NAMES:
            message = f"FAILPOINT: there is no failpoint {name[:60]!r}"
            raise ConfigError(message, Fix("take FAILPOINT out of ", env_file(), ": it is for tests only"))
        _plan[name] = action
    _seen.clear()


def passed() -> list[str]:
    """Return the failpoints passed since `arm`, in order: a traced run for the crash tests."""
    return list(_seen)


def reach(name: str) -> None:
    """Carry out the plan for this place, if there is one."""
    _seen.append(name)
    action = _plan.get(name, "")
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "exit":
        os._exit(99)
    elif action == "raise":
        raise InjectedFault(name)
    elif action.startswith("sleep="):
        time.sleep(float(action.removeprefix("sleep=")))
