"""Hours of composing and claiming on a real database, and the cool-down that they must keep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from src.config import Settings
from src.content.library import Library
from src.content_generator import compose
from src.db_manager import empty_database
from src.domain.answers import TWITTER_EPOCH_MS, Outcome, SendResult
from src.domain.slots import slot_of
from src.domain.texts import Composition, Draft

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
Posted = list[tuple[datetime, Draft]]


def post_hourly(
    world_settings: Settings, library: Library, hours: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Posted, Composition | None]:
    """Compose and claim hourly as a tick does, on a real database, until a text is missing."""
    monkeypatch.setattr("src.content.library.load", lambda paths: library)
    db = empty_database(NOW)
    posted: Posted = []
    for hour in range(hours):
        now = NOW + timedelta(hours=hour)
        composition = compose(
            world_settings, db.archive.content_history(now, world_settings.cooldown_days), now, seconds=1
        )
        if composition.draft is None:
            return posted, composition
        slot = slot_of(now, 60)
        post = db.claim(composition.draft, slot, now)
        assert post is not None, "the database knew the text"
        attempt = db.begin_send(post, "r", now)
        tweet_id = (int(now.timestamp() * 1000) - TWITTER_EPOCH_MS) << 22
        assert attempt is not None
        db.settle(post, attempt, SendResult(Outcome.POSTED, tweet_id=tweet_id), now)
        posted.append((now, composition.draft))
    return posted, None


def hold_to_the_cooldown(posted: Posted, days: int) -> None:
    last: dict[str, datetime] = {}
    for now, draft in posted:
        assert now - last.get(draft.source_id, now - timedelta(days=days)) >= timedelta(days=days), draft
        last[draft.source_id] = now
