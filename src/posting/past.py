"""The past that a new text is compared with: this account's, what the owner retired, and what others took."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from src.config import Settings
from src.db_manager import Database
from src.domain.texts import History
from src.posting import apart


def history_of(db: Database, settings: Settings, now: datetime) -> History:
    """Return what a new text must be fresh against."""
    return replace(
        db.archive.content_history(now, settings.cooldown_days),
        hidden=db.notes.hidden(),
        elsewhere=apart.taken(settings, now),
    )
