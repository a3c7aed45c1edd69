"""All SQL: schema, migrations, claim and settle, duplicates, holds, the ledger, history.

The protocol in one paragraph. A text is *claimed* for a slot (`pending`, committed), then *intent* is recorded
(`sending`, committed) before the first byte leaves; *settle* records what came back. Each step is one
`BEGIN IMMEDIATE` transaction with a compare-and-swap, so it holds even without the process lock. With the
lock held, a `sending` row can only be the trace of a dead run: `recover` makes it `unknown`.

Journal DELETE with synchronous=EXTRA: with Python's default, or WAL and NORMAL, a power cut can lose the
very row that prevents a second tweet. Times are stored as Unix seconds (REAL), `posted_at` as ISO text in UTC.
"""

from __future__ import annotations

import contextlib
import html
import itertools
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from src.domain.answers import UNSENT, Outcome, RateLimit, SendResult, Tweet, snowflake_time
from src.domain.errors import DamagedError, LockedError, StorageError
from src.domain.posts import Post, Status
from src.domain.slots import slot_of, slot_start
from src.domain.texts import Candidate, Draft, History, fingerprint
from src.system.failpoints import reach

MIGRATIONS = tuple(sorted((Path(__file__).parent / "store" / "migrations").glob("*.sql")))
APPLICATION_ID = 0x7477746D  # "twtm"
BACKUPS = "backups"  # the folder beside the database
TOPICS_LOOKED_AT = 2000  # of the newest texts: longer ago than these, every topic has waited equally long
SMALL_DATABASE_BYTES = (
    8 * 1024 * 1024
)  # up to here a full check at every start costs milliseconds, indexes included
_PRAGMAS = {
    "busy_timeout": 10000,
    "foreign_keys": 1,
    "journal_mode": "delete",
    "synchronous": 3,  # EXTRA
    "trusted_schema": 0,
    "cell_size_check": 1,
    "mmap_size": 0,
}
_ON_X = "('sending', 'posted', 'unknown', 'unconfirmed')"


@dataclass(frozen=True, slots=True)
class Usage:
    """What bears on whether a post is due. Money in US dollars; `last_sent` is X's own time where X gave an id."""

    slot_status: Status | None
    last_sent: datetime | None
    sent_24h: int
    spent_24h: float
    spent_month: float


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason not to post before `until` (UTC; None: no wait), what the owner can do, and how often it came in a row.

    `kind` is "blocked" (account, app or money: a person has to act) or "wait" (time heals it).
    """

    kind: str
    reason: str
    until: datetime | None
    fix: str
    count: int
    since: datetime


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One tick on record. Times UTC; `finished` and `exit_code` are None where it died or goes on; `metrics` as it measured."""

    slot: str
    started: datetime
    finished: datetime | None
    exit_code: int | None
    outcome: str
    message: str
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to post and X's answer: `outcome` as in `post.Outcome`, `http_status` None where X gave none."""

    slot: str
    started: datetime
    outcome: str
    http_status: int | None
    reason: str
    detail: str
    latency_ms: int


class Database:
    """One open database. Use `open_database`; every method is one transaction unless it says otherwise."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self._db = connection
        self.path = path

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.contextmanager
    def _transaction(self, step: str = "") -> Iterator[sqlite3.Connection]:
        with _readable_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                if step:
                    reach(f"{step}.before_commit")
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise
        if step:
            reach(f"{step}.committed")

    def _rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with _readable_errors(self.path):
            return self._db.execute(sql, values).fetchall()

    def _value(self, sql: str, *values: object) -> Any:
        rows = self._rows(sql, *values)
        return rows[0][0] if rows else None

    # ---- the life of a post -------------------------------------------------------------------------------

    def recover(self, slot: str) -> list[Post]:
        """Call with the lock held. `sending` -> `unknown` (its sender is dead); `pending` of other slots is let go.

        A pending text was provably not sent: one a person approved goes back to the queue, others expire.
        Returns the posts that became unknown.
        """
        if not self._value("SELECT 1 FROM posts WHERE status IN ('sending', 'pending') LIMIT 1"):
            return []
        with self._transaction() as db:
            orphans = [row["id"] for row in db.execute("SELECT id FROM posts WHERE status = 'sending'")]
            db.execute(
                "UPDATE posts SET status = 'unknown', error_message = 'the run that sent it died'"
                " WHERE status = 'sending'"
            )
            db.execute(
                "UPDATE attempts SET outcome = 'unknown', detail = 'the run died' WHERE outcome IS NULL"
            )
            db.execute(
                "UPDATE posts SET status = 'approved', slot = NULL"
                " WHERE status = 'pending' AND slot <> ? AND approved_at IS NOT NULL",
                (slot,),
            )
            db.execute("UPDATE posts SET status = 'expired' WHERE status = 'pending' AND slot <> ?", (slot,))
        return [self.post(i) for i in orphans]

    def claim(self, draft: Draft, slot: str, now: datetime) -> Post | None:
        """Freeze a text for a slot (`pending`). None if the slot or the text is taken: somebody else has it."""
        try:
            with self._transaction("claim") as db:
                cursor = db.execute(
                    "INSERT INTO posts(content, status, slot, fingerprint, origin, source_id, topic, opening, created_at)"
                    " VALUES (?, 'pending', ?, ?, ?, ?, ?, ?, ?)",
                    (
                        draft.content,
                        slot,
                        fingerprint(draft.content),
                        draft.origin,
                        draft.source_id or None,
                        draft.topic or None,
                        draft.opening or None,
                        now.timestamp(),
                    ),
                )
        except sqlite3.IntegrityError:
            return None
        return self.post(int(cursor.lastrowid or 0))

    def claim_approved(self, slot: str) -> Post | None:
        """Give the slot to the oldest approved draft whose text is not taken. None if there is none, or the slot is taken."""
        post_id = self._value(
            f"SELECT id FROM posts AS mine WHERE status = 'approved' AND NOT EXISTS (SELECT 1 FROM posts"  # noqa: S608
            f" WHERE fingerprint = mine.fingerprint AND (status = 'pending' OR status IN {_ON_X}))"
            " ORDER BY approved_at, id LIMIT 1"
        )
        if post_id is None:
            return None
        try:
            with self._transaction("claim") as db:
                changed = db.execute(
                    "UPDATE posts SET status = 'pending', slot = ? WHERE id = ? AND status = 'approved'",
                    (slot, post_id),
                ).rowcount
        except sqlite3.IntegrityError:
            return None
        return self.post(post_id) if changed == 1 else None

    def pending(self, slot: str) -> Post | None:
        """The text frozen for this slot and provably not sent yet, if there is one."""
        rows = self._rows("SELECT * FROM posts WHERE status = 'pending' AND slot = ?", slot)
        return _post(rows[0]) if rows else None

    def begin_send(self, post: Post, run_id: str, now: datetime) -> int | None:
        """Record the intent to send: the last write before the first byte leaves. The attempt's id, or None.

        None means that another process has it. `since_id` remembers the newest tweet known before the send.
        """
        since = self.newest_tweet_id()
        with self._transaction("intent") as db:
            changed = db.execute(
                "UPDATE posts SET status = 'sending', attempts = attempts + 1, sent_at = ?, since_id = ?"
                " WHERE id = ? AND status = 'pending' AND attempts = ?",
                (now.timestamp(), since, post.id, post.attempts),
            ).rowcount
            if changed != 1:
                return None
            cursor = db.execute(
                "INSERT INTO attempts(post_id, slot, run_id, started) VALUES (?, ?, ?, ?)",
                (post.id, post.slot, run_id, now.timestamp()),
            )
        return int(cursor.lastrowid or 0)

    def settle(self, post: Post, attempt: int, result: SendResult, now: datetime, usd: float = 0.0) -> Post:
        """Record X's answer: one transition, one attempt row, and the money. Returns the post as it now stands."""
        status = {
            Outcome.POSTED: Status.POSTED,
            Outcome.REFUSED: Status.FAILED,
            Outcome.DUPLICATE: Status.UNKNOWN,
            Outcome.UNKNOWN: Status.UNKNOWN,
        }.get(result.outcome, Status.PENDING)
        made = (
            snowflake_time(result.tweet_id) if result.outcome is Outcome.POSTED and result.tweet_id else None
        )
        nothing_left = result.outcome in UNSENT or result.outcome is Outcome.REFUSED
        with self._transaction("settle") as db:
            db.execute(
                "UPDATE attempts SET finished = ?, outcome = ?, http_status = ?, reason = ?, detail = ?,"
                " transaction_id = ?, latency_ms = ? WHERE id = ?",
                (
                    now.timestamp(),
                    result.outcome,
                    result.http_status,
                    result.reason,
                    result.detail,
                    result.transaction_id,
                    result.latency_ms,
                    attempt,
                ),
            )
            changed = db.execute(
                "UPDATE posts SET status = ?, tweet_id = ?, posted_at = ?, error_message = ?, duplicate = ?,"
                " verified_at = ?, slot = CASE WHEN ? THEN NULL ELSE slot END,"
                " sent_at = CASE WHEN ? THEN NULL ELSE coalesce(?, sent_at) END WHERE id = ? AND status = 'sending'",
                (
                    status,
                    result.tweet_id if made else None,
                    _iso(made) if made else None,
                    None if made else f"{result.reason}: {result.detail}".strip(": "),
                    result.outcome is Outcome.DUPLICATE,
                    now.timestamp() if made else None,
                    result.outcome is Outcome.REFUSED,
                    nothing_left,
                    made.timestamp() if made else None,
                    post.id,
                ),
            ).rowcount
            if changed != 1:
                message = f"post {post.id} was not 'sending' when its answer came"
                raise StorageError(
                    message, "another program writes to this database; stop it and run `reconcile`"
                )
            if not nothing_left:
                _spend(db, now, "post", 1, usd)
        return self.post(post.id)

    def confirm_posted(self, post: Post, tweet: Tweet, resolved_by: str, now: datetime) -> bool:
        """The tweet was found: the post is `posted` and has its slot (again). False if that tweet belongs to another post."""
        try:
            with self._transaction() as db:
                changed = db.execute(
                    "UPDATE posts SET status = 'posted', tweet_id = ?, posted_at = ?, sent_at = ?, error_message = NULL,"
                    " resolved_by = ?, verified_at = ?, slot = coalesce(slot, (SELECT a.slot FROM attempts a WHERE a.post_id = posts.id"
                    " AND NOT EXISTS (SELECT 1 FROM posts p WHERE p.slot = a.slot) ORDER BY a.id DESC LIMIT 1))"
                    " WHERE id = ? AND status IN ('unknown', 'unconfirmed', 'failed', 'pending', 'expired')",
                    (tweet.id, _iso(tweet.at), tweet.at.timestamp(), resolved_by, now.timestamp(), post.id),
                ).rowcount
        except sqlite3.IntegrityError:
            return False
        return changed == 1

    def record_absence(self, post: Post, now: datetime) -> Post:
        """A healthy read did not show it: counted, with the time of the first such read."""
        with self._transaction() as db:
            db.execute(
                "UPDATE posts SET absent = absent + 1, absent_at = coalesce(absent_at, ?) WHERE id = ? AND status = 'unknown'",
                (now.timestamp(), post.id),
            )
        return self.post(post.id)

    def prove_absent(self, post: Post, resolved_by: str, *, free_slot: bool) -> None:
        """It is not on X: `failed`. The slot stays used unless X itself said that nothing was made (`free_slot`)."""
        with self._transaction() as db:
            db.execute(
                "UPDATE posts SET status = 'failed', resolved_by = ?, error_message = 'not on the timeline',"
                " slot = CASE WHEN ? THEN NULL ELSE slot END, sent_at = NULL"
                " WHERE id = ? AND status IN ('unknown', 'unconfirmed')",
                (resolved_by, free_slot, post.id),
            )

    def give_up(self, post: Post) -> None:
        """Neither found nor proven absent in time: `unconfirmed`; it still counts as posted."""
        with self._transaction() as db:
            db.execute(
                "UPDATE posts SET status = 'unconfirmed' WHERE id = ? AND status = 'unknown'", (post.id,)
            )

    def import_tweets(
        self, tweets: Iterable[Tweet], now: datetime, *, slot_minutes: int | None = None, usd: float = 0.0
    ) -> int:
        """Record tweets of the account that no row holds (a cold start, a person's tweet). How many were new.

        A row of the original program with the same text gets its tweet id instead. With `slot_minutes` (a cold
        start: nobody knows any more which were ours) each tweet also takes its slot where that is free. `usd` is
        what each is entered with in the ledger: after a restore, what was spent since the backup counts again.
        """
        added = 0
        with self._transaction() as db:
            for tweet in sorted(tweets, key=lambda t: t.id):
                if db.execute("SELECT 1 FROM posts WHERE tweet_id = ?", (tweet.id,)).fetchone():
                    continue
                added += 1
                if usd:
                    _spend(db, tweet.at, "post", 1, usd)
                mark = fingerprint(html.unescape(tweet.text))
                times = (_iso(tweet.at), tweet.at.timestamp(), now.timestamp())
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
                slot = slot_of(tweet.at, slot_minutes) if slot_minutes else None
                if slot and db.execute("SELECT 1 FROM posts WHERE slot = ?", (slot,)).fetchone():
                    slot = None
                db.execute(
                    "INSERT INTO posts(content, status, slot, fingerprint, origin, tweet_id, posted_at, sent_at,"
                    " verified_at, created_at) VALUES (?, 'posted', ?, ?, 'import', ?, ?, ?, ?, ?)",
                    (html.unescape(tweet.text), slot, mark, tweet.id, *times, now.timestamp()),
                )
        return added

    def stamp_seen(self, shown: Iterable[int], gone: Iterable[int], now: datetime) -> None:
        """Stamp `verified_at` on the posts a healthy read showed and `vanished_at` on those it should have shown."""
        with self._transaction() as db:
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
        """The owner deleted this tweet with `undo`: it stays on record, with the time it went."""
        with self._transaction() as db:
            db.execute(
                "UPDATE posts SET vanished_at = ?, resolved_by = 'undo' WHERE id = ?",
                (now.timestamp(), post.id),
            )

    # ---- drafts that a person looks at ------------------------------------------------------------------------

    def add_draft(self, draft: Draft, now: datetime) -> Post:
        """Keep a text for review."""
        with self._transaction() as db:
            cursor = db.execute(
                "INSERT INTO posts(content, status, fingerprint, origin, source_id, topic, opening, created_at)"
                " VALUES (?, 'draft', ?, ?, ?, ?, ?, ?)",
                (
                    draft.content,
                    fingerprint(draft.content),
                    draft.origin,
                    draft.source_id or None,
                    draft.topic or None,
                    draft.opening or None,
                    now.timestamp(),
                ),
            )
        return self.post(int(cursor.lastrowid or 0))

    def approve(self, post: Post, now: datetime) -> bool:
        """`draft` -> `approved`: it goes out before anything new. False if it is not a draft any more."""
        return self._move(
            "UPDATE posts SET status = 'approved', approved_at = ? WHERE id = ? AND status = 'draft'",
            now.timestamp(),
            post.id,
        )

    def reject(self, post: Post) -> bool:
        """`draft` or `approved` -> `rejected`: it never goes out. False if it is neither."""
        return self._move(
            "UPDATE posts SET status = 'rejected' WHERE id = ? AND status IN ('draft', 'approved')", post.id
        )

    def edit(self, post: Post, content: str) -> bool:
        """Put a person's text in the place of a draft's; it must be approved (again). False if it is not a draft."""
        return self._move(
            "UPDATE posts SET content = ?, fingerprint = ?, origin = 'person', opening = NULL, status = 'draft',"
            " approved_at = NULL WHERE id = ? AND status IN ('draft', 'approved')",
            content,
            fingerprint(content),
            post.id,
        )

    def _move(self, sql: str, *values: object) -> bool:
        with self._transaction() as db:
            return db.execute(sql, values).rowcount == 1

    # ---- questions ----------------------------------------------------------------------------------------

    def post(self, post_id: int) -> Post:
        """One post by its id; `StorageError` if there is none."""
        rows = self._rows("SELECT * FROM posts WHERE id = ?", post_id)
        if not rows:
            message = f"no post with id {post_id}"
            raise StorageError(message)
        return _post(rows[0])

    def was_refused(self, post: Post) -> bool:
        """Whether X answered the last attempt with a refusal that leaves the text to be sent again (a limit, a block)."""
        outcome = self._value(
            "SELECT outcome FROM attempts WHERE post_id = ? AND kind = 'post' ORDER BY id DESC LIMIT 1",
            post.id,
        )
        return outcome in {Outcome.LATER, Outcome.BLOCKED}

    def find_post(self, post_id: int) -> Post | None:
        """One post by its id, or None."""
        rows = self._rows("SELECT * FROM posts WHERE id = ?", post_id)
        return _post(rows[0]) if rows else None

    def with_status(self, status: Status) -> list[Post]:
        """Every post in an open state, oldest first."""
        return [_post(row) for row in self._rows("SELECT * FROM posts WHERE status = ? ORDER BY id", status)]

    def count_posts(self) -> int:
        """How many posts there are, in any state."""
        return int(self._value("SELECT count(*) FROM posts"))

    def first_free_slot(self, now: datetime, interval_minutes: int) -> str:
        """The first slot from `now` on that no post holds."""
        while self._value("SELECT 1 FROM posts WHERE slot = ?", slot := slot_of(now, interval_minutes)):
            now += timedelta(minutes=interval_minutes)
        return slot

    def history(self, count: int) -> list[Post]:
        """The last `count` posts, newest first."""
        return [_post(row) for row in self._rows("SELECT * FROM posts ORDER BY id DESC LIMIT ?", count)]

    def lost_post(self, text: str) -> Post | None:
        """A post we sent and gave up on (`failed`, `expired` or `unconfirmed`, with an attempt) with this text, newest first."""
        rows = self._rows(
            "SELECT * FROM posts WHERE fingerprint = ? AND status IN ('failed', 'expired', 'unconfirmed') AND attempts > 0"
            " ORDER BY id DESC LIMIT 1",
            fingerprint(html.unescape(text)),
        )
        return _post(rows[0]) if rows else None

    def known_among(self, tweet_ids: Iterable[int]) -> set[int]:
        """Those of these tweet ids that are on record."""
        return {i for i in tweet_ids if self._value("SELECT 1 FROM posts WHERE tweet_id = ?", i)}

    def known_tweet_ids(self, count: int, newest: int | None = None) -> list[int]:
        """Ids of our newest tweets that are not known to be gone, newest first."""
        rows = self._rows(
            "SELECT tweet_id FROM posts WHERE tweet_id IS NOT NULL AND tweet_id <= ? AND vanished_at IS NULL"
            " ORDER BY tweet_id DESC LIMIT ?",
            newest if newest is not None else 2**63 - 1,
            count,
        )
        return [row["tweet_id"] for row in rows]

    def newest_tweet_before(self, moment: datetime) -> int:
        """The newest tweet on record that was sent before `moment` and is not known to be gone, 0 for none."""
        return int(
            self._value(
                "SELECT tweet_id FROM posts WHERE sent_at <= ? AND tweet_id IS NOT NULL AND vanished_at IS NULL"
                " ORDER BY sent_at DESC LIMIT 1",
                moment.timestamp(),
            )
            or 0
        )

    def newest_tweet_id(self) -> int:
        """The largest tweet id on record, 0 for none."""
        return int(
            self._value(
                "SELECT tweet_id FROM posts WHERE tweet_id IS NOT NULL ORDER BY tweet_id DESC LIMIT 1"
            )
            or 0
        )

    def usage(self, slot: str, now: datetime) -> Usage:
        """What this slot, the last day and the month have used. Constant time in the number of posts."""
        # `+status` keeps the planner on the index of sent_at: by status it would read every row ever posted.
        # A send without X's answer carries our own clock's time: more than a day ahead, that clock was wrong.
        last = self._value(
            f"SELECT sent_at FROM posts WHERE sent_at IS NOT NULL AND +status IN {_ON_X}"  # noqa: S608 (a constant)
            " AND (tweet_id IS NOT NULL OR sent_at <= ?) ORDER BY sent_at DESC LIMIT 1",
            now.timestamp() + 86400,
        )
        day = now.timestamp() - 86400
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()
        status = self._value("SELECT status FROM posts WHERE slot = ?", slot)
        # The post of this same slot a day ago may be younger than 24 hours by the seconds that its run took longer.
        yesterday = slot_of(slot_start(slot) - timedelta(days=1), 1)
        return Usage(
            slot_status=Status(status) if status else None,
            last_sent=_time(last),
            sent_24h=int(
                self._value(
                    f"SELECT count(*) FROM posts WHERE sent_at > ? AND +status IN {_ON_X}"  # noqa: S608
                    " AND (slot IS NULL OR slot > ?)",
                    day,
                    yesterday,
                )
            ),
            spent_24h=float(self._value("SELECT total(usd) FROM spending WHERE at > ?", day)),
            spent_month=float(self._value("SELECT total(usd) FROM spending WHERE at >= ?", month)),
        )

    def content_history(self, now: datetime, cooldown_days: int) -> History:
        """Return what a new text must be fresh against.

        Texts and openings are those of the cool-down: what a statement posted before that is no reason to keep the same
        statement from coming back. Statements are looked for as far back as the cool-down and at least a year, so that the
        longest unused comes first. Which of its texts were sent is asked of the whole history.
        """
        recent = self._rows(
            "SELECT content, opening FROM posts WHERE status NOT IN ('expired', 'rejected')"
            " AND (created_at > ? OR sent_at > ?) ORDER BY id DESC",
            since := (now - timedelta(days=cooldown_days)).timestamp(),
            since,
        )
        topics = self._rows(
            "SELECT topic FROM posts WHERE status NOT IN ('expired', 'rejected') ORDER BY id DESC LIMIT ?",
            TOPICS_LOOKED_AT,
        )
        used = self._rows(
            "SELECT source_id, max(coalesce(sent_at, created_at)) AS at FROM posts WHERE source_id IS NOT NULL"
            " AND status NOT IN ('expired', 'rejected') AND (created_at > ? OR sent_at > ?) GROUP BY source_id",
            since := (now - timedelta(days=max(cooldown_days, 366))).timestamp(),
            since,
        )
        return History(
            texts=tuple(row["content"] for row in recent),
            openings=tuple(row["opening"] for row in recent if row["opening"]),
            topics=tuple(row["topic"] for row in topics if row["topic"]),
            last_used={row["source_id"]: _required_time(row["at"]) for row in used},
            sent=self.sent_texts(),
        )

    def sent_texts(self) -> dict[str, frozenset[str]]:
        """Return the texts of each statement that are or may be on X or wait to go there, over all of history."""
        texts: dict[str, set[str]] = {}
        for source_id, content in self._rows(
            "SELECT source_id, content FROM posts WHERE source_id IS NOT NULL AND status NOT IN ('failed', 'expired', 'rejected')"
        ):
            texts.setdefault(source_id, set()).add(content)
        return {source_id: frozenset(contents) for source_id, contents in texts.items()}

    def is_known_text(self, text: str) -> bool:
        """Whether a text with this fingerprint is or may be on X, or waits to be. One index look-up."""
        return bool(
            self._value(
                "SELECT 1 FROM posts WHERE fingerprint = ? AND status NOT IN ('failed', 'expired', 'rejected') LIMIT 1",
                fingerprint(text),
            )
        )

    # ---- notes across runs --------------------------------------------------------------------------------

    def get(self, key: str) -> str | None:
        """A note from an earlier run."""
        value = self._value("SELECT value FROM meta WHERE key = ?", key)
        return None if value is None else str(value)

    def get_time(self, key: str) -> datetime | None:
        """A note that holds a time. One that cannot be read (the only rows without a second copy in an index) is none."""
        try:
            return _required_time(float(self.get(key) or "none"))
        except (ValueError, OverflowError, OSError):
            return None

    def put(self, **notes: str | None) -> None:
        """Keep notes for later runs, or drop them (None)."""
        with self._transaction() as db:
            for key, value in notes.items():
                _put(db, key, value)

    def put_hold(self, hold: Hold) -> None:
        """Keep a reason not to post. `posting.breaker` counts and times it."""
        value = {
            "kind": hold.kind,
            "reason": hold.reason,
            "until": hold.until.timestamp() if hold.until else None,
            "fix": hold.fix,
            "count": hold.count,
            "since": hold.since.timestamp(),
        }
        self.put(hold=json.dumps(value))

    def current_hold(self) -> Hold | None:
        """The hold on record, over or not."""
        value = self.get("hold")
        if value is None:
            return None
        try:
            data = json.loads(value)
            return Hold(
                data["kind"],
                data["reason"],
                _time(data["until"]),
                data["fix"],
                data["count"],
                _required_time(data["since"]),
            )
        except (ValueError, KeyError, TypeError, OverflowError, OSError):
            return None

    def put_limits(self, limits: Iterable[RateLimit]) -> None:
        """Keep the rate-limit windows that X reported last."""
        self.put(limits=json.dumps([[w.name, w.limit, w.remaining, w.reset.timestamp()] for w in limits]))

    def limits(self) -> tuple[RateLimit, ...]:
        """The rate-limit windows that X reported last."""
        try:
            noted = json.loads(self.get("limits") or "[]")
            return tuple(
                RateLimit(n, int(limit), int(left), _required_time(at)) for n, limit, left, at in noted
            )
        except (ValueError, TypeError, OverflowError, OSError):
            return ()

    def clear_hold(self) -> None:
        """X answers normally again."""
        if self.get("hold") is not None:
            self.put(hold=None)

    def spend(self, now: datetime, kind: str, units: int, usd: float) -> None:
        """Write into the ledger what X will bill (US dollars, all units together)."""
        with self._transaction() as db:
            _spend(db, now, kind, units, usd)

    def begin_run(self, run_id: str, command: str, slot: str, version: str, now: datetime) -> None:
        """Note that a run has started."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO runs(run_id, command, slot, started, version) VALUES (?, ?, ?, ?, ?)",
                (run_id, command, slot, now.timestamp(), version),
            )

    def finish_run(
        self,
        run_id: str,
        exit_code: int,
        outcome: str,
        message: str,
        metrics: Mapping[str, float],
        now: datetime,
    ) -> None:
        """Note how a run ended and what it measured."""
        with self._transaction() as db:
            db.execute(
                "UPDATE runs SET finished = ?, exit_code = ?, outcome = ?, message = ?, metrics = ? WHERE run_id = ?",
                (now.timestamp(), exit_code, outcome, message, json.dumps(dict(metrics)), run_id),
            )

    def oldest_unknown(self) -> datetime | None:
        """When the oldest post whose outcome nobody knows was sent."""
        return _time(
            self._value(
                "SELECT min(sent_at) FROM posts WHERE status IN ('unknown', 'unconfirmed') AND origin <> 'seed'"
            )
        )

    def last_posted(self) -> datetime | None:
        """When the newest tweet on record went out."""
        return _time(
            self._value(
                "SELECT sent_at FROM posts WHERE sent_at IS NOT NULL AND +status = 'posted'"
                " ORDER BY sent_at DESC LIMIT 1"
            )
        )

    def made_at(self) -> datetime | None:
        """When this database was made or taken over."""
        return self.get_time("made_at")

    def failures_in_a_row(self, most: int = 100) -> int:
        """How many of the latest runs that had something to do ended badly, up to the last that did not."""
        rows = self._rows(
            "SELECT exit_code FROM runs WHERE finished IS NOT NULL AND command = 'tick'"
            " AND (exit_code <> 0 OR outcome = 'posted') ORDER BY id DESC LIMIT ?",
            most,
        )
        return next((n for n, row in enumerate(rows) if row["exit_code"] == 0), len(rows))

    def model_failures_in_a_row(self, most: int = 100) -> int:
        """In how many of the latest runs that asked the model for a text it brought none, up to the last in which it did."""
        rows = self._rows(
            "SELECT metrics FROM runs WHERE finished IS NOT NULL AND command = 'tick' ORDER BY id DESC LIMIT ?",
            most,
        )
        asked = (
            metrics for row in rows if "generate_seconds" in (metrics := _numbers(row["metrics"]))
        )  # read no further than needed
        return sum(1 for _ in itertools.takewhile(lambda metrics: "model_failed" in metrics, asked))

    def add_candidates(self, run_id: str, candidates: Iterable[Candidate], now: datetime) -> None:
        """Keep what the model wrote and why it was taken or refused."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO candidates(run_id, created_at, source_id, opening, score, reasons, chosen)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        run_id,
                        now.timestamp(),
                        c.source_id,
                        c.opening,
                        c.score,
                        ",".join(c.verdict.reasons),
                        c.chosen,
                    )
                    for c in candidates
                ],
            )

    # ---- what status and report look at -----------------------------------------------------------------------

    def last_tweet(self) -> Post | None:
        """The newest post that is on X."""
        rows = self._rows(
            "SELECT * FROM posts WHERE sent_at IS NOT NULL AND +status = 'posted' ORDER BY sent_at DESC LIMIT 1"
        )
        return _post(rows[0]) if rows else None

    def sent_posts(self, count: int) -> list[Post]:
        """The last `count` posts that are or may be on X, newest first."""
        rows = self._rows(
            f"SELECT * FROM posts WHERE sent_at IS NOT NULL AND +status IN {_ON_X}"  # noqa: S608 (a constant)
            " ORDER BY sent_at DESC LIMIT ?",
            count,
        )
        return [_post(row) for row in rows]

    def slots_since(self, since: datetime) -> dict[str, Status]:
        """How the post of each slot stands, for the slots that have one and begin at `since` or later."""
        rows = self._rows("SELECT slot, status FROM posts WHERE slot >= ?", slot_of(since, 1))
        return {row["slot"]: Status(row["status"]) for row in rows}

    def runs_since(self, since: datetime) -> list[RunRecord]:
        """The ticks that started since then, oldest first."""
        rows = self._rows(
            "SELECT * FROM runs WHERE started >= ? AND command = 'tick' ORDER BY started", since.timestamp()
        )
        return [_run(row) for row in rows]

    def latest_run(self) -> RunRecord | None:
        """The tick that started last, over or not."""
        rows = self._rows("SELECT * FROM runs WHERE command = 'tick' ORDER BY id DESC LIMIT 1")
        return _run(rows[0]) if rows else None

    def attempts_since(self, since: datetime) -> list[Attempt]:
        """The requests to post that left since then, oldest first."""
        rows = self._rows(
            "SELECT * FROM attempts WHERE started >= ? AND kind = 'post' ORDER BY started", since.timestamp()
        )
        return [
            Attempt(
                row["slot"] or "",
                _required_time(row["started"]),
                row["outcome"] or "",
                row["http_status"],
                row["reason"] or "",
                row["detail"] or "",
                row["latency_ms"] or 0,
            )
            for row in rows
        ]

    def candidates_since(self, since: datetime) -> tuple[int, int, dict[str, int]]:
        """(openings judged, of these taken, how many each gate refused) since then."""
        rows = self._rows(
            "SELECT reasons, count(*) AS judged, sum(chosen) AS taken FROM candidates WHERE created_at >= ?"
            " GROUP BY reasons",
            since.timestamp(),
        )
        refused: dict[str, int] = {}
        for row in rows:
            for reason in filter(None, row["reasons"].split(",")):
                refused[reason] = refused.get(reason, 0) + row["judged"]
        return sum(row["judged"] for row in rows), sum(row["taken"] for row in rows), refused

    def spending_by_day(self, since: datetime) -> list[tuple[str, str, int, float]]:
        """(day as 2026-11-22 in UTC, kind, units, US dollars) of the ledger since then."""
        rows = self._rows(
            "SELECT date(at, 'unixepoch') AS day, kind, sum(units) AS units, sum(usd) AS usd FROM spending"
            " WHERE at >= ? GROUP BY day, kind ORDER BY day",
            since.timestamp(),
        )
        return [(row["day"], row["kind"], row["units"], row["usd"]) for row in rows]

    def count_by_status(self) -> dict[str, int]:
        """How many posts are in each state."""
        return {
            row["status"]: row["posts"]
            for row in self._rows("SELECT status, count(*) AS posts FROM posts GROUP BY status")
        }

    # ---- upkeep -------------------------------------------------------------------------------------------

    def check_whole(self) -> None:
        """Every page, index and reference of the file. Raises `DamagedError` with what SQLite found."""
        found = [row[0] for row in self._rows("PRAGMA integrity_check(5)") if row[0] != "ok"]
        found += [
            f"row {row['rowid']} of {row['table']} refers to a missing row of {row['parent']}"
            for row in self._rows("PRAGMA foreign_key_check")[:5]
        ]
        if found:
            raise DamagedError("; ".join(found))

    def back_up(self, target: Path) -> Contents:
        """Write a whole, compact copy to a new file (mode 0600), sync it, open it, and compare it. Raises `StorageError`.

        Call with the lock held: then nothing changes between the copy and the comparison.
        """
        _create_private(target)
        reach("maintain.backup_begun")
        with _readable_errors(target):
            self._db.execute("VACUUM INTO ?", (str(target),))
        sync(target)
        reach("maintain.backup_written")
        try:
            copied, own = read_contents(target), self.contents()
        except DamagedError as error:  # of the copy: the database itself was checked before
            message = f"the backup is damaged as soon as it is written: {error}"
            raise StorageError(message, "look at the disk: dmesg, df -h") from error
        if copied != own:
            message = f"the backup does not hold what the database holds: {copied} instead of {own}"
            raise StorageError(message, "look at the disk: dmesg, df -h")
        reach("maintain.backup_checked")
        return copied

    def contents(self) -> Contents:
        """What this file holds, in numbers."""
        with _readable_errors(self.path):
            return _contents(self._db)

    def prune(self, *, candidates: datetime, runs: datetime, attempts: datetime) -> dict[str, int]:
        """Delete what is older than these times; how many rows of each table. Posts stay, whole, for ever.

        The attempts of a post that is still open stay too: they are what forbids to send its text again.
        """
        with self._transaction("maintain.prune") as db:
            return {
                "candidates": db.execute(
                    "DELETE FROM candidates WHERE created_at < ?", (candidates.timestamp(),)
                ).rowcount,
                "runs": db.execute("DELETE FROM runs WHERE started < ?", (runs.timestamp(),)).rowcount,
                "attempts": db.execute(
                    "DELETE FROM attempts WHERE started < ? AND (SELECT status FROM posts WHERE id = post_id)"
                    " IN ('posted', 'failed', 'expired', 'rejected')",
                    (attempts.timestamp(),),
                ).rowcount,
            }


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database file holds: its schema's version, rows of each table, and the newest post (id, status, tweet id)."""

    version: int
    rows: dict[str, int]
    newest_post: tuple[int, str, int | None] | None

    @property
    def posts(self) -> int:
        return self.rows.get("posts", 0)


def read_contents(path: Path) -> Contents:
    """Check another database file whole, without writing to it, and count it. Raises `StorageError` if it is not sound or not ours."""
    with _readable_errors(path), contextlib.closing(_read_only(path)) as connection:
        _prepare(connection)
        ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if not ours or not 0 < version <= len(MIGRATIONS):
            message = f"{path} is a database of " + (
                "a newer version of this program" if ours and version else "another program"
            )
            raise StorageError(
                message, "update this program" if ours and version else "name a backup that `maintain` made"
            )
        Database(connection, path).check_whole()
        return _contents(connection)


def newest_post_id(path: Path) -> int | None:
    """The largest id of a post in another database file, at no cost; None if it cannot be read or has none."""
    with (
        contextlib.suppress(StorageError),
        _readable_errors(path),
        contextlib.closing(_read_only(path)) as db,
    ):
        newest: int | None = db.execute("SELECT max(id) FROM posts").fetchone()[0]
        return newest
    return None


def _contents(db: sqlite3.Connection) -> Contents:
    tables = [
        row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    ]
    newest = db.execute("SELECT id, status, tweet_id FROM posts ORDER BY id DESC LIMIT 1").fetchone()
    return Contents(
        db.execute("PRAGMA user_version").fetchone()[0],
        {table: db.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables},  # noqa: S608 (names from the schema)
        tuple(newest) if newest else None,
    )


def prepare_restored(source: Path, target: Path, now: datetime) -> dict[str, int]:
    """Copy a checked backup to a new file, made fit to go on from. Raises `StorageError`; the source stays as it is.

    What waited when the backup was made may have gone out since: a frozen text expires, an approved draft must be
    approved again. `cold_start` makes the next run read the account's tweets first. Returns how many of each.
    """
    _create_private(target)
    with _readable_errors(target), contextlib.closing(_connect(target)) as copy:
        with contextlib.closing(_read_only(source)) as original:
            original.backup(copy)
        _migrate(copy, target, now, fresh=False, backup=False)
        db = Database(copy, target)
        with db._transaction() as changes:
            expired = changes.execute("UPDATE posts SET status = 'expired' WHERE status = 'pending'").rowcount
            again = changes.execute(
                "UPDATE posts SET status = 'draft', approved_at = NULL WHERE status = 'approved'"
            ).rowcount
            _put(changes, "cold_start", "restored")
            _put(changes, "restored_at", str(now.timestamp()))
        db.check_whole()
    sync(target)
    return {"expired": expired, "to_approve": again}


def settle_journal(path: Path) -> bool:
    """Let SQLite finish or undo what a dead run left in the journal of a database. False if the file is too damaged."""
    try:
        with _readable_errors(path), contextlib.closing(_connect(path)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
    except StorageError as error:
        if getattr(error.__cause__, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise
        return False
    return True


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_database(path: Path, now: datetime, *, set_aside: bool = True) -> Database:
    """Open (making it if need be), check and migrate the database. Raises `StorageError`.

    A damaged file is set aside under a name that says so and left as it is; without `set_aside` it stays where it
    is. `cold_start` in `meta` tells the tick that this file is new: it must import the account's tweets first.
    """
    if _was_lost(path):
        if not set_aside:
            message = "it is empty although it held posts before"
            raise DamagedError(message)
        _set_aside(path, now, "is empty although it held posts before")
    fresh = _create_private(path)
    connection = None
    try:
        with _readable_errors(path):
            connection = _connect(path)
            _check(connection, path)
            _migrate(connection, path, now, fresh=fresh)
        mark_in_use(path)
    except DamagedError as error:
        if connection:
            connection.close()
        if not set_aside:
            raise
        _set_aside(path, now, str(error))
    except BaseException:
        if connection:
            connection.close()
        raise
    assert connection is not None  # _set_aside always raises
    return Database(connection, path)


def open_for_reading(path: Path) -> Database | None:
    """An in-memory copy of the database as it is, None where there is none. The file is not written.

    A copy from before a migration is migrated in memory. Raises `StorageError`.
    """
    if not path.exists() or not path.stat().st_size:
        return None
    memory = sqlite3.connect(":memory:", isolation_level=None)
    _prepare(memory)
    try:
        with _readable_errors(path), contextlib.closing(_read_only(path)) as source:
            source.backup(memory)
            _check(memory, path)
            _migrate(memory, path, datetime.now(UTC), fresh=False, backup=False)
    except DamagedError as error:
        message = f"the database {path} is damaged: {error}"
        raise StorageError(message, "the next run sets it aside and starts anew from the timeline") from error
    return Database(memory, None)


def empty_database(now: datetime) -> Database:
    """A new database in memory, for a dry run on a fresh clone."""
    memory = sqlite3.connect(":memory:", isolation_level=None)
    _prepare(memory)
    _migrate(memory, Path(":memory:"), now, fresh=True, backup=False)
    return Database(memory, None)


@contextlib.contextmanager
def _readable_errors(path: Path | None) -> Iterator[None]:
    """SQLite's errors as `StorageError` with the fix in words; integrity errors pass, they are answers."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except (
        UnicodeDecodeError
    ) as error:  # the sqlite3 module cannot read SQLite's own words about a broken schema
        message = "its schema is not readable"
        raise DamagedError(message, "run again: the damaged file is then set aside") from error
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise DamagedError(str(error), "run again: the damaged file is then set aside") from error
        message = f"the database {path} failed: {error} ({name or type(error).__name__})"
        if name.startswith("SQLITE_BUSY"):
            raise LockedError(
                message,
                "another program holds the database; close it (a database browser, a copy in progress)",
            ) from error
        fixes = {
            "SQLITE_FULL": "the disk is full; make room, the next run goes on from here",
            "SQLITE_READONLY": f"make the folder and the file writable: chmod u+w {path}",
            "SQLITE_CANTOPEN": f"check that the folder of {path} exists and is yours",
        }
        fix = next(
            (text for code, text in fixes.items() if name.startswith(code)), "look at the disk: dmesg, df -h"
        )
        raise StorageError(message, fix) from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    _prepare(connection)
    for name, value in _PRAGMAS.items():
        connection.execute(f"PRAGMA {name}={value}")
        taken = connection.execute(f"PRAGMA {name}").fetchone()
        if taken is not None and str(taken[0]) != str(value):
            connection.close()
            message = f"the database refused {name}={value} (it has {taken[0]})"
            raise StorageError(
                message, "the file system cannot hold this database safely; move DATA_DIR to a local disk"
            )
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.row_factory = sqlite3.Row
    connection.create_function("fingerprint", 1, fingerprint, deterministic=True)  # the migration of old rows


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Newer than the program: refused. Small enough: checked whole at every start; larger ones by `maintain`."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        message = f"the database {path} is of version {version}, this program knows {len(MIGRATIONS)}"
        raise StorageError(message, "it was written by a newer program: update this one")
    if path.exists() and path.stat().st_size > SMALL_DATABASE_BYTES:
        return
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise DamagedError(found)


def _migrate(
    connection: sqlite3.Connection, path: Path, now: datetime, *, fresh: bool, backup: bool = True
) -> None:
    """Bring the schema up to date: ordered files, all in one transaction with the version re-read under its lock."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == len(MIGRATIONS):
        return
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and backup:
        _backup_before_migration(connection, path, version)
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for file in MIGRATIONS[version:]:
            with _file_errors(file):
                script = file.read_text(encoding="utf-8")
            for statement in _statements(script):
                connection.execute(statement)
                reach("migrate.statement")
        if version < len(MIGRATIONS):
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
            _put(connection, "made_at", str(now.timestamp()))
            if not tables or fresh or version == 0:
                _put(connection, "cold_start", "replaced" if _marker(path).exists() else "new")
        reach("migrate.before_commit")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    part = ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""


def _backup_before_migration(connection: sqlite3.Connection, path: Path, version: int) -> None:
    target = path.with_name(f"{path.name}.before-version-{len(MIGRATIONS)}-from-{version}")
    target.unlink(missing_ok=True)
    _create_private(target)
    with contextlib.closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)


def _create_private(path: Path) -> bool:
    """Make an empty file that only we can read, in a folder that only we can enter. False if it exists."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        return False
    except OSError as error:
        message = f"cannot make {path}: {error.strerror}"
        raise StorageError(message, f"make the folder writable: chmod u+wx {path.parent}") from error
    return True


def was_in_use(path: Path) -> bool:
    """Whether a database was here before: then one that is gone or empty has been lost."""
    return _marker(path).exists()


def mark_in_use(path: Path) -> None:
    """Say beside the database that it has held posts. Raises `StorageError`."""
    with _file_errors(_marker(path)):
        _marker(path).touch(mode=0o600)


@contextlib.contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    """What goes wrong with a file that is no database, as `StorageError`."""
    try:
        yield
    except OSError as error:
        message = f"cannot use {path}: {error.strerror}"
        raise StorageError(
            message, f"make room and the folder writable: df -h {path.parent}; chmod u+wx {path.parent}"
        ) from error


def _marker(path: Path) -> Path:
    """An empty file beside the database that says: this database has held posts."""
    return path.with_name(f"{path.name}.in-use")


def _was_lost(path: Path) -> bool:
    return path.exists() and path.stat().st_size == 0 and _marker(path).exists()


def _set_aside(path: Path, now: datetime, why: str) -> None:
    """Move a damaged database away, never delete it, and say so."""
    target = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%S}")
    with contextlib.suppress(OSError):
        path.chmod(0o600)
    with _file_errors(target):
        path.rename(target)
        for suffix in ("-journal", "-wal", "-shm"):
            side = path.with_name(path.name + suffix)
            if side.exists():
                side.rename(target.with_name(target.name + suffix))
    message = f"the database is damaged ({why}); it was set aside as {target}"
    backups = sorted((path.parent / BACKUPS).glob("twitter-*.db"), reverse=True)
    back = f"python -m src.twitter_manager restore {backups[0]}" if backups else "restore a backup"
    raise StorageError(message, f"{back}, or let the next run start anew: it first reads your timeline on X")


def _put(db: sqlite3.Connection, key: str, value: str | None) -> None:
    if value is None:
        db.execute("DELETE FROM meta WHERE key = ?", (key,))
    else:
        db.execute(
            "INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
            (key, value),
        )


def _spend(db: sqlite3.Connection, now: datetime, kind: str, units: int, usd: float) -> None:
    db.execute(
        "INSERT INTO spending(at, kind, units, usd) VALUES (?, ?, ?, ?)", (now.timestamp(), kind, units, usd)
    )


def _post(row: sqlite3.Row) -> Post:
    return Post(
        id=row["id"],
        content=row["content"],
        status=Status(row["status"]),
        posted_at=_parse(row["posted_at"]),
        error_message=row["error_message"],
        slot=row["slot"],
        tweet_id=row["tweet_id"],
        attempts=row["attempts"],
        sent_at=_time(row["sent_at"]),
        since_id=row["since_id"],
        absent=row["absent"],
        absent_at=_time(row["absent_at"]),
        duplicate=bool(row["duplicate"]),
        source_id=row["source_id"],
        topic=row["topic"],
        origin=row["origin"],
        opening=row["opening"],
        verified_at=_time(row["verified_at"]),
        vanished_at=_time(row["vanished_at"]),
    )


def _run(row: sqlite3.Row) -> RunRecord:
    return RunRecord(
        row["slot"] or "",
        _required_time(row["started"]),
        _time(row["finished"]),
        row["exit_code"],
        row["outcome"] or "",
        row["message"] or "",
        _numbers(row["metrics"]),
    )


def _numbers(text: str | None) -> dict[str, float]:
    """Stored metrics; what is not a number is left out."""
    try:
        return {str(name): float(value) for name, value in json.loads(text or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _parse(text: object) -> datetime | None:
    """A stored `posted_at`: ours, or what the original program wrote (local format, taken as UTC)."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _required_time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
