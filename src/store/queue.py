"""The texts that wait: drafts, approved and own ones, those written ahead. `domain.queue` has their order."""

from __future__ import annotations

from datetime import datetime

from src.domain.posts import Post
from src.domain.queue import OWN
from src.domain.texts import Draft, fingerprint
from src.store.connection import Connection
from src.store.rows import ON_X, new_id, to_post


class Queue:
    """The queue of one database. Each method that writes is one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def waiting(self, since: datetime) -> list[Post]:
        """Return the approved texts that were not posted after `since` and are not taken, in no order."""
        rows = self._db.rows(
            f"SELECT * FROM posts AS mine WHERE status = 'approved' AND NOT EXISTS (SELECT 1"  # noqa: S608
            " FROM posts WHERE fingerprint = mine.fingerprint"
            f" AND (status = 'pending' OR status IN {ON_X}) AND (status <> 'posted' OR sent_at > ?))",
            since.timestamp(),
        )
        return [to_post(row) for row in rows]

    def add_own(self, text: str, now: datetime, not_before: datetime | None = None) -> Post:
        """Keep a text of the owner's, which needs nobody's approval."""
        with self._db.transaction() as db:
            cursor = db.execute(
                "INSERT INTO posts(content, status, fingerprint, origin, created_at, approved_at, queued_at,"
                " not_before) VALUES (?, 'approved', ?, ?, ?, ?, ?, ?)",
                (text, fingerprint(text), OWN, *[now.timestamp()] * 3, _seconds(not_before)),
            )
        return self._post(new_id(cursor))

    def add_written(self, draft: Draft, now: datetime, *, approved: bool) -> Post:
        """Keep a text that was written ahead: it may go out, or it is a draft for a person to review."""
        with self._db.transaction("ahead") as db:
            cursor = db.execute(
                "INSERT INTO posts(content, status, fingerprint, origin, source_id, topic, opening,"
                " created_at, queued_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    draft.content,
                    "approved" if approved else "draft",
                    fingerprint(draft.content),
                    draft.origin,
                    draft.source_id or None,
                    draft.topic or None,
                    draft.opening or None,
                    *[now.timestamp()] * 2,
                ),
            )
        return self._post(new_id(cursor))

    def ask_for_all(self) -> int:
        """Put texts that were written ahead back to the drafts, because approval is asked for since."""
        return self._change(
            "UPDATE posts SET status = 'draft' WHERE status = 'approved' AND approved_at IS NULL"
            " AND queued_at IS NOT NULL AND attempts = 0"
        )

    def move(self, post: Post, not_before: datetime | None, place: float | None) -> bool:
        """Give a waiting text a time, a place at the front, or neither. Return False if it does not wait."""
        changed = self._change(
            "UPDATE posts SET not_before = ?, place = ? WHERE id = ? AND status IN ('draft', 'approved')",
            _seconds(not_before),
            place,
            post.id,
        )
        return changed == 1

    def front(self) -> float:
        """Return the place before all others."""
        return float(
            self._db.value("SELECT coalesce(min(place), 0) - 1 FROM posts WHERE status = 'approved'")
        )

    def take_back_rejection(self, post: Post) -> bool:
        """Make a rejected text a draft again. Return False if it is not rejected."""
        return self._change(
            "UPDATE posts SET status = 'draft' WHERE id = ? AND status = 'rejected'", post.id
        ) == 1  # fmt: skip

    def _change(self, sql: str, *values: object) -> int:
        with self._db.transaction() as db:
            return db.execute(sql, values).rowcount

    def _post(self, post_id: int) -> Post:
        return to_post(self._db.rows("SELECT * FROM posts WHERE id = ?", post_id)[0])


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
