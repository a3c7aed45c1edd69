"""Results of posts in the database: which are due, what was read, and how reading goes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import datetime, timedelta

from src.domain.fixes import Fix
from src.domain.posts import Post
from src.domain.results import MOST, Due, Figures, PostResult, Reading, is_time, latest_age
from src.store.connection import Connection
from src.store.journal import spend
from src.store.notes import put_note
from src.store.rows import required_time, time_of, to_post

HEAD = "results"  # of the ledger


class Results:
    """The table of results, and two notes: when X was asked last, and how the last reads failed."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def due(self, days: int, now: datetime) -> list[Due]:
        """Return the posts of at least this age without a result, the oldest first, at most 100.

        None if X was asked within a day. A tweet that a person made elsewhere has no result, nor one that
        `undo` deleted.
        """
        if not is_time(self._asked_at(), now):
            return []
        rows = self._db.rows(
            "SELECT id, tweet_id FROM posts WHERE sent_at > ? AND sent_at <= ? AND +status = 'posted'"
            " AND tweet_id IS NOT NULL AND resolved_by IS NOT 'undo'"
            " AND (origin IS NOT 'import' OR source_id IS NOT NULL)"
            " AND NOT EXISTS (SELECT 1 FROM results WHERE post_id = posts.id) ORDER BY sent_at LIMIT ?",
            (now - latest_age(days)).timestamp(),
            (now - timedelta(days=days)).timestamp(),
            MOST,
        )
        return [Due(row["id"], row["tweet_id"]) for row in rows]

    def record(self, figures: Mapping[int, Figures], shown: int, usd: float, now: datetime) -> None:
        """Record a good read whole: figures by post id, and what X bills for the tweets that it showed.

        After a kill either all of it is there or nothing, and then the next run asks again.
        """
        with self._db.transaction("results") as db:
            db.executemany(
                "INSERT INTO results(post_id, read_at, impressions, likes, reposts, replies, bookmarks,"
                " quotes) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(post_id) DO NOTHING",
                [(post_id, now.timestamp(), *astuple(values)) for post_id, values in figures.items()],
            )
            _book(db, shown, usd, now)
            put_note(db, "results_reading", None)

    def record_failure(self, detail: str, fix: Fix, shown: int, usd: float, now: datetime) -> None:
        """Record a read that gave no results, one more in a row, and what X bills for it all the same."""
        failures = self.reading().failures + 1
        value = json.dumps({"failures": failures, "detail": detail, "fix": fix.as_data()})
        with self._db.transaction("results") as db:
            _book(db, shown, usd, now)
            put_note(db, "results_reading", value)

    def reading(self) -> Reading:
        """Return how the latest reads went."""
        kept = self._db.value("SELECT value FROM meta WHERE key = 'results_reading'")
        try:
            data = json.loads(kept)
            return Reading(int(data["failures"]), str(data["detail"]), Fix.from_data(data["fix"]))
        except (ValueError, KeyError, TypeError):
            return Reading()

    def of(self, post_ids: Sequence[int]) -> dict[int, PostResult]:
        """Return the results of those of these posts that have one, by the post's id."""
        among = "SELECT value FROM json_each(?)"  # of any number, which marks would not be
        rows = self._db.rows(f"{_SELECT} WHERE r.post_id IN ({among})", json.dumps(list(post_ids)))
        return {row["post_id"]: _to_result(row) for row in rows}

    def with_posts(self, since: datetime) -> list[tuple[Post, PostResult]]:
        """Return the posts that were sent since then and have a result, with it, oldest first."""
        rows = self._db.rows(f"{_SELECT} WHERE p.sent_at >= ? ORDER BY p.sent_at", since.timestamp())
        return [(to_post(row), _to_result(row)) for row in rows]

    def _asked_at(self) -> datetime | None:
        kept = self._db.value("SELECT value FROM meta WHERE key = 'results_asked_at'")
        try:
            return time_of(float(kept)) if kept else None
        except (ValueError, OverflowError, OSError):
            return None


_SELECT = "SELECT r.*, p.* FROM results r JOIN posts p ON p.id = r.post_id"


def _book(db: sqlite3.Connection, shown: int, usd: float, now: datetime) -> None:
    put_note(db, "results_asked_at", str(now.timestamp()))
    if shown:
        spend(db, now, HEAD, shown, usd)


def _to_result(row: sqlite3.Row) -> PostResult:
    read_at = required_time(row["read_at"])
    figures = Figures(
        row["impressions"], row["likes"], row["reposts"], row["replies"], row["bookmarks"], row["quotes"]
    )
    return PostResult(row["post_id"], read_at, read_at - required_time(row["sent_at"]), figures)
