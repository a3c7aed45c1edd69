"""The account's @name: X tells it at a login and to `check --online`, and it is kept in a small file.

The file stands beside the database, not in it: the name is known before the first run makes a database, and
an alert about a broken one names the account too. It holds a hash of the account's number, so that the name
of another account's keys is never shown.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re

from src.config import Settings
from src.system.files import read_json, write_atomically

FILE = "account.json"
_NAME = re.compile(r"[A-Za-z0-9_]{1,50}", re.ASCII)


def checked(name: object) -> str:
    """Return a name as X forms them, without the @; empty for anything else."""
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""


def keep(settings: Settings, name: str) -> None:
    """Keep the @name of the account of these settings. A name that cannot be kept is asked for again."""
    if not (checked(name) and settings.account_id):
        return
    with contextlib.suppress(OSError):
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = {"account": _mark(settings), "name": name}
        write_atomically(settings.data_dir / FILE, json.dumps(kept) + "\n")


def known(settings: Settings) -> str:
    """Return the @name of the account of these settings, with the @; empty where X has not told it yet."""
    try:
        kept = read_json(settings.data_dir / FILE)
        name = checked(kept["name"]) if kept["account"] == _mark(settings) else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f"@{name}" if name else ""


def _mark(settings: Settings) -> str:
    """Return a hash of the account's number: the access token begins with it, and it must not be shown."""
    return hashlib.sha256(settings.account_id.encode()).hexdigest()[:16]
