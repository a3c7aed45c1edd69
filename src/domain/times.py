"""Times as a person reads them: by the clock of the owner's time zone. Programs and files get UTC."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, tzinfo

CRON_JITTER = timedelta(minutes=5)  # cron starts no run to the second


def shown(moment: datetime, zone: tzinfo = UTC) -> str:
    """Return `2026-11-22 15:07 CET`."""
    return f"{moment.astimezone(zone):%F %R %Z}"


def parse(text: str, zone: tzinfo) -> datetime:
    """Return the moment (UTC) of `2026-12-01 15:00`, or of a date's first minute, by the clock of `zone`.

    Raise `ValueError` for anything else. A time that the clock skips counts as the one an hour later.
    """
    words = " ".join(text.replace("T", " ").split())
    for form in ("%Y-%m-%d %H:%M", "%Y-%m-%d"):
        with contextlib.suppress(ValueError):
            return datetime.strptime(words, form).replace(tzinfo=zone).astimezone(UTC)
    message = f'{text!r} is not a date or a time; write 2026-12-24 or "2026-12-24 15:00"'
    raise ValueError(message)
