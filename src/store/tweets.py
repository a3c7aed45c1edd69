"""The tweets of the account: those on record, those that a read showed, and those made elsewhere."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from datetime import datetime

from src.domain.answers import Tweet
from src.domain.posts import Post
from src.domain.texts import SHORT_LINK, Origin, fingerprint, same_text
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

    def known_tweet_ids(self, count: int, newest: int | None = None) -> list[int]:
        """Return the ids of the newest tweets that are not known to be missing on X, newest first."""
        rows = self._db.rows(
            "SELECT tweet_id FROM posts WHERE tweet_id IS NOT NULL AND tweet_id <= ? AND vanished_at IS NULL"
            " ORDER BY tweet_id DESC LIMIT ?",
            newest if newest is not None else 2**63 - 1,
            count,
        )
        return [row["tweet_id"] for row in rows]

    def newest_tweet_id(self) -> int:
        """Return the largest tweet id on record, 0 for none."""
        return int(
            self._db.value(
                "SELECT tweet_id FROM posts WHERE tweet_id IS NOT NULL ORDER BY tweet_id DESC LIMIT 1"
            )
            or 0
        )

    def newest_tweet_before(self, moment: datetime) -> int:
        """Return the newest tweet sent up to `moment` that is not known to be missing on X, 0 for none."""
        return int(
            self._db.value(
                "SELECT tweet_id FROM posts WHERE sent_at <= ? AND tweet_id IS NOT NULL AND vanished_at IS"
                " NULL"
                " ORDER BY sent_at DESC LIMIT 1",
                moment.timestamp(),
            )
            or 0
        )

    def lost_post(self, text: str) -> Post | None:
        """Return the newest post with this text that was sent and given up, None if there is none."""
        lost = "status IN ('failed', 'expired', 'unconfirmed') AND attempts > 0"
        rows = self._db.rows(
            f"SELECT * FROM posts WHERE fingerprint = ? AND {lost} ORDER BY id DESC LIMIT 1",  # noqa: S608
            fingerprint(html.unescape(text)),
        )
        if not rows and SHORT_LINK in text:  # X shows a link as t.co, so the fingerprint is another one
            latest = f"SELECT * FROM posts WHERE +{lost} ORDER BY id DESC LIMIT ?"  # noqa: S608
            rows = [row for row in self._db.rows(latest, LOST_LOOKED_AT) if same_text(text, row["content"])]
        return to_post(rows[0]) if rows else None

    def import_tweets(
        self,
        tweets: Iterable[Tweet],
        now: datetime,
        recognise: Callable[[str], Origin | None] | None = None,
        *,
        slot_of: Callable[[datetime], str | None] | None = None,
        usd: float = 0.0,
    ) -> int:
        """Record the tweets that no row holds (a cold start, a person's tweet). Return how many were new.

        One that `recognise` knows as a text of the library is recorded with its statement.

        A row of the original program with the same text gets its tweet id instead. With `slot_of` (a
        cold start: nobody knows any more which were ours) each tweet also takes its slot where that is
        free. `usd` is what each is entered with in the ledger: after a restore, what was spent since the
        backup counts again.
        """
        added = 0
        with self._db.transaction() as db:
            for tweet in sorted(tweets, key=lambda t: t.id):
                if db.execute("SELECT 1 FROM posts WHERE tweet_id = ?", (tweet.id,)).fetchone():
                    continue
                added += 1
                if usd:
                    spend(db, tweet.at, "post", 1, usd)
                mark = fingerprint(html.unescape(tweet.text))
                times = (iso(tweet.at), tweet.at.timestamp(), now.timestamp())
                seed = db.execute(
                    "SELECT id FROM posts WHERE fingerprint = ? AND origin = 'seed' AND tweet_id IS NULL"
                    " AND status IN ('posted', 'unconfirmed') LIMIT 1",
                    (mark,),
                ).fetchone()
                if seed:
                    db.execute(
                        "UPDATE posts SET status = 'posted', tweet_id = ?, posted_at = ?, sent_at = ?,"
                        " verified_at = ? WHERE id = ?",
                        (tweet.id, *times, seed["id"]),
                    )
                    continue
                slot = slot_of(tweet.at) if slot_of else None
                if slot and db.execute("SELECT 1 FROM posts WHERE slot = ?", (slot,)).fetchone():
                    slot = None
                source = (recognise and recognise(tweet.text)) or Origin("", "", "")
                db.execute(
                    "INSERT INTO posts(content, status, slot, fingerprint, origin, tweet_id, posted_at,"
                    " sent_at, verified_at, created_at, source_id, topic, opening)"
                    " VALUES (?, 'posted', ?, ?, 'import', ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        html.unescape(tweet.text),
                        slot,
                        mark,
                        tweet.id,
                        *times,
                        tweet.at.timestamp(),
                        *(part or None for part in source),
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
