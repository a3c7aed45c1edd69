"""Feeds and their items in the database: what is known for ever, and what waits."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from src.domain.feeds import ORIGIN, Answer, Decision, FeedRecord, Item, ItemState, KeptItem, Validators
from src.domain.posts import Status
from src.domain.texts import fingerprint
from src.store.connection import Connection
from src.store.rows import required_time, time_of

_WAITS = (Status.DRAFT, Status.APPROVED)


class Feeds:
    """The tables of feeds. Every method that writes is one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def records(self) -> dict[str, FeedRecord]:
        """Return every feed on record by its address."""
        return {row["address"]: _to_record(row) for row in self._db.rows("SELECT * FROM feeds")}

    def due(self, addresses: Sequence[str], now: datetime, pause: timedelta) -> list[FeedRecord]:
        """Return those of these feeds that it is time to ask, the one that waited longest first."""
        records = self.records()
        feeds = (records.get(address) or FeedRecord.unread(address) for address in addresses)
        due = [feed for feed in feeds if feed.is_due(now, pause)]
        return sorted(due, key=lambda feed: feed.next_at.timestamp() if feed.next_at else 0.0)

    def known(self, feed: str, keys: Sequence[str]) -> dict[str, int]:
        """Return which of these keys of a feed are known, and the item that each belongs to."""
        marks = ", ".join("?" * len(keys))
        rows = self._db.rows(
            f"SELECT key, item FROM feed_keys WHERE feed = ? AND key IN ({marks})",  # noqa: S608
            feed,
            *keys,
        )
        return {row["key"]: row["item"] for row in rows}

    def latest_titles(self, feed: str, most: int = 200) -> list[str]:
        """Return the titles of the items of a feed that came last."""
        rows = self._db.rows(
            "SELECT title FROM feed_items WHERE feed = ? ORDER BY id DESC LIMIT ?", feed, most
        )
        return [row["title"] for row in rows]

    def record_read(
        self,
        feed: str,
        decisions: Iterable[Decision],
        also_known: Iterable[tuple[str, int]],
        validators: Validators,
        now: datetime,
        next_at: datetime,
        detail: str = "",
    ) -> None:
        """Record a good read whole: its items with their posts, new keys of known items, and the validators.

        `also_known` are keys of items that are on record already. After a kill either all of it is there or
        nothing, and then the server sends the document again.
        """
        with self._db.transaction("feed") as db:
            db.execute("INSERT INTO feeds(address) VALUES (?) ON CONFLICT(address) DO NOTHING", (feed,))
            for decision in decisions:
                _add(db, feed, decision, now)
            db.executemany(
                "INSERT INTO feed_keys(feed, key, item) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [(feed, key, item) for key, item in also_known],
            )
            db.execute(
                "UPDATE feeds SET etag = ?, last_modified = ?, read_at = ?, next_at = ?, failures = 0,"
                " answer = ?, detail = ?, ended = 0 WHERE address = ?",
                (
                    validators.etag,
                    validators.last_modified,
                    now.timestamp(),
                    next_at.timestamp(),
                    Answer.NEW,
                    detail,
                    feed,
                ),
            )

    def record_answer(self, feed: str, answer: Answer, detail: str, now: datetime, next_at: datetime) -> None:
        """Record an answer without a document. One that failed counts; 304 is as good as a document."""
        good = answer is Answer.SAME
        with self._db.transaction("feed") as db:
            db.execute("INSERT INTO feeds(address) VALUES (?) ON CONFLICT(address) DO NOTHING", (feed,))
            db.execute(
                "UPDATE feeds SET answer = ?, detail = ?, next_at = ?,"
                " read_at = CASE WHEN ? THEN ? ELSE read_at END,"
                " failures = CASE WHEN ? THEN 0 ELSE failures + 1 END, ended = ? WHERE address = ?",
                (
                    answer,
                    detail,
                    next_at.timestamp(),
                    good,
                    now.timestamp(),
                    good,
                    answer is Answer.GONE,
                    feed,
                ),
            )

    def items(self, feed: str, state: ItemState, most: int) -> list[KeptItem]:
        """Return the items of a feed in this state, the newest first, as they stood in the feed."""
        rows = self._db.rows(
            "SELECT * FROM feed_items WHERE feed = ? AND state = ? ORDER BY id DESC LIMIT ?",
            feed,
            state,
            most,
        )
        return [_to_item(row) for row in rows]

    def item_of(self, post_id: int) -> KeptItem | None:
        """Return the item that became this post, None for a post of another kind."""
        rows = self._db.rows("SELECT * FROM feed_items WHERE post_id = ?", post_id)
        return _to_item(rows[0]) if rows else None

    def counts(self, feed: str) -> dict[ItemState, int]:
        """Return how many items of a feed are in each state."""
        rows = self._db.rows(
            "SELECT state, count(*) AS n FROM feed_items WHERE feed = ? GROUP BY state", feed
        )
        return {ItemState(row["state"]): row["n"] for row in rows}

    def waiting(self, feed: str) -> int:
        """Return how many items of a feed wait as a draft or approved."""
        return int(
            self._db.value(
                "SELECT count(*) FROM feed_items i JOIN posts p ON p.id = i.post_id"
                " WHERE i.feed = ? AND p.status IN (?, ?)",
                feed,
                *_WAITS,
            )
        )

    def settle_item(self, kept: KeptItem, decision: Decision, now: datetime) -> int | None:
        """Make a post of an item on record, or note why not; return the post's id."""
        with self._db.transaction("feed") as db:
            post_id = _add_post(db, decision, now) if decision.text else None
            db.execute(
                "UPDATE feed_items SET state = ?, reason = ?, post_id = ? WHERE id = ? AND post_id IS NULL",
                (decision.state, decision.note, post_id, kept.id),
            )
        return post_id

    def expire(self, before: datetime) -> int:
        """Reject the texts of items that were made before this time and still wait; return how many."""
        with self._db.transaction() as db:
            return db.execute(
                "UPDATE posts SET status = 'rejected', error_message = 'older than FEED_MAX_AGE_DAYS'"
                " WHERE origin = ? AND status IN (?, ?) AND created_at < ? AND attempts = 0",
                (ORIGIN, *_WAITS, before.timestamp()),
            ).rowcount


def _add(db: sqlite3.Connection, feed: str, decision: Decision, now: datetime) -> None:
    item = decision.item
    post_id = _add_post(db, decision, now) if decision.text else None
    cursor = db.execute(
        "INSERT INTO feed_items(feed, title, link, summary, version, project, tags, dated, prerelease,"
        " seen_at, state, reason, post_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            feed,
            item.title,
            item.link,
            item.summary,
            item.version,
            item.project,
            json.dumps(item.tags),
            item.dated.timestamp() if item.dated else None,
            item.prerelease,
            now.timestamp(),
            decision.state,
            decision.note,
            post_id,
        ),
    )
    db.executemany(
        "INSERT INTO feed_keys(feed, key, item) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(feed, key, cursor.lastrowid) for key in item.keys],
    )


def _add_post(db: sqlite3.Connection, decision: Decision, now: datetime) -> int | None:
    return db.execute(
        "INSERT INTO posts(content, status, fingerprint, origin, approved_at, created_at, error_message)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            decision.text,
            Status.APPROVED if decision.approved else Status.DRAFT,
            fingerprint(decision.text),
            ORIGIN,
            now.timestamp() if decision.approved else None,
            now.timestamp(),
            decision.note or None,
        ),
    ).lastrowid


def _to_record(row: sqlite3.Row) -> FeedRecord:
    return FeedRecord(
        row["address"],
        Validators(row["etag"], row["last_modified"]),
        time_of(row["read_at"]),
        time_of(row["next_at"]),
        row["failures"],
        Answer(row["answer"]) if row["answer"] else None,
        row["detail"],
        bool(row["ended"]),
    )


def _to_item(row: sqlite3.Row) -> KeptItem:
    item = Item(
        row["title"],
        row["link"],
        row["summary"],
        row["version"],
        row["project"],
        tuple(json.loads(row["tags"])),
        time_of(row["dated"]),
        bool(row["prerelease"]),
    )
    return KeptItem(
        row["id"],
        row["feed"],
        item,
        required_time(row["seen_at"]),
        ItemState(row["state"]),
        row["reason"],
        row["post_id"],
    )
