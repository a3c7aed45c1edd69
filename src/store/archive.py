"""Reads over all posts: what slot, day and month have used, which texts are taken, and what reports show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from src.domain.posts import Post, Status
from src.domain.slots import Usage, slot_name, slot_start
from src.domain.texts import History, fingerprint
from src.store.connection import Connection
from src.store.rows import ON_X, REFUSED, required_time, time_of, to_post

TOPICS_LOOKED_AT = 2000  # of the newest texts: longer ago than these, every topic has waited equally long
# Reading the history of the account holds no post back.
_SPENT = "SELECT total(usd) FROM spending WHERE kind <> 'import' AND "


class Archive:
    """All posts of one database. Nothing here writes."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def usage(self, slot: str, now: datetime, day_before: datetime | None = None) -> Usage:
        """Return the slot's state, the last post's time, and the posts and costs of a day and the month.

        Tweets that a person made do not count as posts, and reading the account's history does not count
        towards the budgets. `day_before` is the slot of a day ago, which no longer counts. Constant time in
        the number of posts.
        """
        # `+status` keeps the planner on the index of sent_at: by status it would read every row ever posted.
        # A send without X's answer carries our own clock's time. More than a day ahead, that clock was wrong;
        # and so it was where a healthy look, for which it must agree with X's, came before the send.
        last, in_slot = (
            self._db.value(
                f"SELECT sent_at FROM posts WHERE sent_at IS NOT NULL AND +status IN"  # noqa: S608 (a constant)
                f" {ON_X}"
                " AND (tweet_id IS NOT NULL OR (sent_at <= ? AND coalesce(sent_at <= absent_at + 300, 1)))"
                f"{only} ORDER BY sent_at DESC LIMIT 1",
                now.timestamp() + 86400,
            )
            for only in ("", " AND length(slot) = 17")
        )
        day = now.timestamp() - 86400
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()
        status = self._db.value("SELECT status FROM posts WHERE slot = ?", slot)
        # The post of this slot a day ago may be younger than 24 hours by the seconds its run took longer.
        begun = slot_start(slot) if slot else now
        yesterday = slot_name(day_before or begun - timedelta(days=1))
        return Usage(
            slot_status=Status(status) if status else None,
            last_sent=time_of(last),
            sent_24h=int(
                self._db.value(
                    f"SELECT count(*) FROM posts WHERE sent_at > ? AND +status IN {ON_X}"  # noqa: S608
                    " AND (slot IS NULL OR slot > ?) AND (origin IS NOT 'import' OR source_id IS NOT NULL)",
                    day,
                    yesterday,
                )
            ),
            spent_24h=float(self._db.value(_SPENT + "at > ?", day)),
            spent_month=float(self._db.value(_SPENT + "at >= ?", month)),
            last_in_slot=time_of(in_slot),
        )

    def slot_to_fill(self, slots: Sequence[str]) -> str:
        """Return which of the slots, the oldest first, a run takes: that of a text which waits, a free one.

        Where all have their post it is the newest, and without any an empty text.
        """
        held = {slot: self._db.value("SELECT status FROM posts WHERE slot = ?", slot) for slot in slots}
        waiting = [slot for slot, status in held.items() if status == Status.PENDING]
        free = [slot for slot, status in held.items() if status is None]
        return next(iter([*waiting, *free, *reversed(slots)]), "")

    def holds_slot(self, slot: str) -> bool:
        """Return whether a post holds this slot."""
        return self._db.value("SELECT 1 FROM posts WHERE slot = ?", slot) is not None

    def content_history(self, now: datetime, cooldown_days: int) -> History:
        """Return what a new text must be fresh against.

        Texts and openings are those of the cool-down, and at least of a day: a statement may return after it.
        Statements are looked for as far back as the cool-down and at least a year, so that the longest
        unused comes first. Which of its texts were sent, and when, is asked of the whole history.
        """
        recent = self._db.rows(
            "SELECT content, opening FROM posts WHERE status NOT IN ('expired', 'rejected')"
            " AND (created_at > ? OR sent_at > ?) ORDER BY id DESC",
            since := (now - timedelta(days=max(cooldown_days, 1))).timestamp(),
            since,
        )
        topics = self._db.rows(
            "SELECT topic FROM posts WHERE status NOT IN ('expired', 'rejected') ORDER BY id DESC LIMIT ?",
            TOPICS_LOOKED_AT,
        )
        used = self._db.rows(
            "SELECT source_id, max(coalesce(sent_at, created_at)) AS at FROM posts WHERE source_id IS NOT"
            " NULL"
            " AND status NOT IN ('expired', 'rejected') AND (created_at > ? OR sent_at > ?) GROUP BY"
            " source_id",
            since := (now - timedelta(days=max(cooldown_days, 366))).timestamp(),
            since,
        )
        return History(
            texts=tuple(row["content"] for row in recent),
            openings=tuple(row["opening"] for row in recent if row["opening"]),
            topics=tuple(row["topic"] for row in topics if row["topic"]),
            last_used={row["source_id"]: required_time(row["at"]) for row in used},
            sent=self.sent_texts(),
        )

    def sent_texts(self) -> dict[str, dict[str, datetime]]:
        """Return each statement's texts that are or may be on X or wait for it, and the last send of each."""
        texts: dict[str, dict[str, datetime]] = {}
        for source_id, content, at in self._db.rows(
            "SELECT source_id, content, max(coalesce(sent_at, created_at, 0)) FROM posts"
            " WHERE source_id IS NOT NULL AND status NOT IN ('failed', 'expired', 'rejected')"
            " GROUP BY source_id, content"
        ):
            texts.setdefault(source_id, {})[content] = required_time(at)
        return texts

    def is_known_text(self, text: str, since: datetime) -> bool:
        """Tell whether a text was posted after `since`, may be on X, or waits for it. One index look-up."""
        return bool(
            self._db.value(
                "SELECT 1 FROM posts WHERE fingerprint = ? AND status NOT IN ('failed', 'expired',"
                " 'rejected') AND (status <> 'posted' OR sent_at > ?) LIMIT 1",
                fingerprint(text),
                since.timestamp(),
            )
        )

    def history(self, count: int) -> list[Post]:
        """Return the last `count` posts, newest first."""
        return [to_post(row) for row in self._db.rows("SELECT * FROM posts ORDER BY id DESC LIMIT ?", count)]

    def sent_posts(self, count: int) -> list[Post]:
        """Return the last `count` posts that are or may be on X, newest first."""
        rows = self._db.rows(
            f"SELECT * FROM posts WHERE sent_at IS NOT NULL AND +status IN {ON_X}"  # noqa: S608 (a constant)
            " ORDER BY sent_at DESC LIMIT ?",
            count,
        )
        return [to_post(row) for row in rows]

    def slots_since(self, since: datetime) -> dict[str, Status]:
        """Return the state of each slot's post, for slots that begin at `since` or later."""
        rows = self._db.rows("SELECT slot, status FROM posts WHERE slot >= ?", slot_name(since))
        return {row["slot"]: Status(row["status"]) for row in rows}

    def last_tweet(self) -> Post | None:
        """Return the newest post that is on X."""
        rows = self._db.rows(
            "SELECT * FROM posts WHERE sent_at IS NOT NULL AND +status = 'posted' ORDER BY sent_at DESC"
            " LIMIT 1"
        )
        return to_post(rows[0]) if rows else None

    def open_posts(self) -> list[int]:
        """Return the ids of posts whose outcome is open. Rows of the original program are not: too old."""
        return [
            row["id"]
            for row in self._db.rows(
                "SELECT id FROM posts WHERE status IN ('unknown', 'unconfirmed') AND origin IS NOT 'seed'"
                " ORDER BY status DESC, id"
            )
        ]

    def last_posted(self, until: datetime | None = None) -> datetime | None:
        """Return when the newest tweet on record was sent; a time after `until` counts for nothing."""
        return time_of(
            self._db.value(
                "SELECT sent_at FROM posts WHERE +status = 'posted' AND sent_at <= ? ORDER BY sent_at DESC"
                " LIMIT 1",
                until.timestamp() if until else 1e18,
            )
        )

    def unsettled(self) -> list[Post]:
        """Return the posts whose outcome nobody knows, the oldest first.

        One that X refused is left out while reads of the timeline may still prove that no tweet was made.
        """
        refused = (
            "SELECT 1 FROM attempts a WHERE a.id = (SELECT max(id) FROM attempts"  # noqa: S608 (a constant)
            f" WHERE post_id = posts.id) AND a.outcome IN {REFUSED}"
        )
        rows = self._db.rows(
            "SELECT * FROM posts WHERE status IN ('unknown', 'unconfirmed') AND origin <> 'seed'"  # noqa: S608
            f" AND NOT (status = 'unknown' AND EXISTS ({refused})) ORDER BY sent_at"
        )
        return [to_post(row) for row in rows]

    def returned_drafts(self) -> list[Post]:
        """Return the drafts that were approved once and refused when their turn came, oldest first."""
        rows = self._db.rows(
            "SELECT * FROM posts WHERE status = 'draft' AND error_message IS NOT NULL ORDER BY id"
        )
        return [to_post(row) for row in rows]

    def count_posts(self) -> int:
        """Count the posts in any state."""
        return int(self._db.value("SELECT count(*) FROM posts"))

    def count_by_status(self) -> dict[str, int]:
        """Count the posts in each state."""
        return {
            row["status"]: row["posts"]
            for row in self._db.rows("SELECT status, count(*) AS posts FROM posts GROUP BY status")
        }
