"""The tweets of the account: those on record, those that a read showed, and those made elsewhere."""

from __future__ import annotations

import html
import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime

from src.domain.answers import MAX_TWEET_ID, Tweet
from src.domain.posts import Post
from src.domain.texts import SHORT_LINK, Origin, alike, fingerprint, same_text
from src.store.connection import Connection
from src.store.journal import spend
from src.store.rows import iso, to_post

LOST_LOOKED_AT = 200  # of the newest lost posts, for a tweet whose text cannot be looked up


class Tweets:
    """The tweets on record."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def known_among(self, tweet_ids: Iterable[int]) -> set[int]:
        """Return those of these tweet ids that are on record."""
        return {i for i in tweet_ids if self._db.value("SELECT 1 FROM posts WHERE tweet_id = ?", i)}

    def unrecorded(self, tweets: Iterable[Tweet]) -> list[Tweet]:
        """Return those of these tweets that are not on record, under none of their ids."""
        return [tweet for tweet in tweets if not self.known_among(tweet.ids)]

    def known_tweet_ids(self, count: int, newest: int | None = None) -> list[int]:
        """Return the ids of the newest tweets that are not known to be missing on X, newest first."""
        rows = self._db.rows(
            "SELECT tweet_id FROM posts WHERE tweet_id <= ? AND vanished_at IS NULL"
            " ORDER BY tweet_id DESC LIMIT ?",
            MAX_TWEET_ID if newest is None else newest,
            count,
        )
        return [row["tweet_id"] for row in rows]

    def newest_tweet_id(self) -> int:
        """Return the largest tweet id on record, 0 for none."""
        newest = "SELECT max(tweet_id) FROM posts WHERE tweet_id IS NOT NULL"  # by its index
        return int(self._db.value(f"SELECT coalesce(({newest}), 0)"))

    def newest_tweet_before(self, moment: datetime) -> int:
        """Return the newest tweet sent up to `moment` that is not known to be missing on X, 0 for none."""
        newest = (
            "SELECT tweet_id FROM posts WHERE sent_at <= ? AND tweet_id IS NOT NULL AND vanished_at IS NULL"
            " ORDER BY sent_at DESC"
        )
        return int(self._db.value(f"SELECT coalesce(({newest}), 0)", moment.timestamp()))

    def has_texts_of_the_library(self) -> bool:
        """Return whether a tweet that was read from the timeline is a text of the library."""
        imported = "SELECT count(*) FROM posts WHERE origin = 'import' AND source_id IS NOT NULL"
        return bool(self._db.value(imported))

    def lost_post(self, text: str, *, edited: bool = False) -> Post | None:
        """Return the newest post with this text that was sent and given up, None if there is none.

        Of an edited text, most of the words must be the same.
        """
        lost = "status IN ('failed', 'expired', 'unconfirmed', 'approved') AND attempts > 0"
        rows = self._db.rows(
            f"SELECT * FROM posts WHERE fingerprint = ? AND {lost} ORDER BY id DESC LIMIT 1",  # noqa: S608
            fingerprint(html.unescape(text)),
        )
        if not rows and (edited or SHORT_LINK in text):  # X shows a link as t.co: another fingerprint
            latest = f"SELECT * FROM posts WHERE +{lost} ORDER BY id DESC LIMIT ?"  # noqa: S608
            same = alike if edited else same_text
            rows = [row for row in self._db.rows(latest, LOST_LOOKED_AT) if same(text, row["content"])]
        return to_post(rows[0]) if rows else None

    def import_tweets(
        self,
        tweets: Iterable[Tweet],
        now: datetime,
        recognise: Callable[[Tweet], Origin | None] | None = None,
        *,
        slot_of: Callable[[datetime], str | None] | None = None,
        price_of: Callable[[str], float] | None = None,
    ) -> int:
        """Record the tweets that no row holds (a cold start, a person's tweet). Return how many were new.

        One that `recognise` knows as a text of the library is recorded with its statement.

        A row of the original program with the same text gets its tweet id instead. With `slot_of` (a
        cold start: nobody knows any more which were ours) each tweet also takes its slot where that is
        free. `price_of` (the US dollars that X bills for a text) enters each in the ledger: after a
        restore, what was spent since the backup counts again.
        """
        added = 0
        with self._db.transaction() as db:
            for tweet in sorted(tweets, key=lambda t: t.first_id):
                if self.known_among(tweet.ids):
                    continue
                added += 1
                source = (recognise and recognise(tweet)) or Origin("", "", "")
                content = source.text or html.unescape(tweet.text)
                if price_of:
                    spend(db, tweet.at, "post", 1, price_of(content))
                mark = fingerprint(content)
                times = (iso(tweet.at), tweet.at.timestamp(), now.timestamp())
                if seed := _old_row(db, content, mark):
                    db.execute(
                        "UPDATE posts SET status = 'posted', tweet_id = ?, posted_at = ?, sent_at = ?,"
                        " verified_at = ? WHERE id = ?",
                        (tweet.first_id, *times, seed),
                    )
                    continue
                slot = slot_of(tweet.at) if slot_of else None
                if db.execute("SELECT 1 FROM posts WHERE slot = ?", (slot,)).fetchone():
                    slot = None
                db.execute(
                    "INSERT INTO posts(content, status, slot, fingerprint, origin, tweet_id, posted_at,"
                    " sent_at, verified_at, created_at, source_id, topic, opening)"
                    " VALUES (?, 'posted', ?, ?, 'import', ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        content,
                        slot,
                        mark,
                        tweet.first_id,
                        *times,
                        tweet.at.timestamp(),
                        *(part or None for part in source[:3]),
                    ),
                )
        return added

    def stamp_seen(self, shown: Iterable[int], gone: Iterable[int], now: datetime) -> None:
        """Stamp `verified_at` on posts that a healthy read showed, `vanished_at` on those that it lacked."""
        with self._db.transaction() as db:
            for tweet_id in shown:
                db.execute(
                    "UPDATE posts SET verified_at = ?, vanished_at = NULL WHERE tweet_id = ?",
                    (now.timestamp(), tweet_id),
                )
            for tweet_id in gone:
                db.execute(
                    "UPDATE posts SET vanished_at = coalesce(vanished_at, ?) WHERE tweet_id = ?",
                    (now.timestamp(), tweet_id),
                )

    def stamp_deleted(self, post: Post, now: datetime) -> None:
        """Record when the owner deleted this tweet with `undo`; the post stays."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE posts SET vanished_at = ?, resolved_by = 'undo' WHERE id = ?",
                (now.timestamp(), post.id),
            )


def _old_row(db: sqlite3.Connection, content: str, mark: str) -> int | None:
    """Return the row of the original program that has this text and no tweet id yet."""
    open_rows = "origin = 'seed' AND tweet_id IS NULL AND status IN ('posted', 'unconfirmed')"
    found = db.execute(
        f"SELECT id FROM posts WHERE fingerprint = ? AND {open_rows} LIMIT 1",  # noqa: S608 (a constant)
        (mark,),
    ).fetchone()
    if found or SHORT_LINK not in content:
        return found["id"] if found else None
    start = content.partition(SHORT_LINK)[0]  # what stands before the link that X shows as t.co is the same
    rows = db.execute(
        f"SELECT id, content FROM posts WHERE {open_rows} AND substr(content, 1, ?) = ?",  # noqa: S608
        (len(start), start),
    )
    return next((row["id"] for row in rows if same_text(content, row["content"])), None)
