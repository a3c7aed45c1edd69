"""The life of a post in the database, and opening the database.

A text is *claimed* for a slot (`pending`, committed), then the *intent* to send is recorded (`sending`,
committed) before the first byte leaves; *settle* records what came back. Each step is one `BEGIN IMMEDIATE`
transaction with a compare-and-swap, so it holds even without the process lock. With the lock held, a
`sending` row can only be the trace of a dead run: `recover` makes it `unknown`.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from src.domain import reasons
from src.domain.answers import NOT_BILLED, Outcome, SendResult, Tweet, snowflake_time
from src.domain.errors import DamagedError, StorageError
from src.domain.fixes import Fix, command
from src.domain.posts import Post, Status
from src.domain.texts import Draft, fingerprint
from src.store import damage
from src.store.archive import Archive
from src.store.connection import Connection, connect, connect_memory, read_only, readable_errors
from src.store.feeds import Feeds
from src.store.journal import Journal, spend
from src.store.migrate import check_file, migrate
from src.store.notes import Notes
from src.store.queue import Queue
from src.store.results import Results
from src.store.rows import iso, new_id, to_post
from src.store.tweets import Tweets
from src.system.files import create_private
from src.system.lock import WAIT_FOR_IT, sole_writer


class Database:
    """One open database: the life of a post. Each method that writes is one transaction.

    `journal`, `notes`, `tweets`, `archive`, `queue`, `feeds` and `results` share the connection.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.journal = Journal(connection)
        self.notes = Notes(connection)
        self.tweets = Tweets(connection)
        self.archive = Archive(connection)
        self.feeds = Feeds(connection)
        self.queue = Queue(connection)
        self.results = Results(connection)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def keep_repeat_window(self, days: int, slot: timedelta = timedelta(days=1)) -> None:
        """Keep what the triggers read: after how many days a text may return (0: never), a slot's length."""
        kept = {"repeat_after_days": str(days), "slot_minutes": str(slot // timedelta(minutes=1))}
        if any(self.notes.get(name) != value for name, value in kept.items()):
            self.notes.put(**kept)

    def recover(self, slot: str) -> list[Post]:
        """Adopt what dead runs left and return the posts that became `unknown`. Call with the lock held.

        `sending` becomes `unknown`: its sender is dead. A `pending` text of another slot was provably not
        sent, or is proven absent: one that waited in the queue goes back there, others expire.
        """
        if not self.connection.value("SELECT 1 FROM posts WHERE status IN ('sending', 'pending')"):
            return []
        with self.connection.transaction() as db:
            orphans = [row["id"] for row in db.execute("SELECT id FROM posts WHERE status = 'sending'")]
            db.execute(
                "UPDATE posts SET status = 'unknown', error_message = 'the run that sent it died',"
                " absent = 0, absent_at = NULL WHERE status = 'sending'"
            )
            db.execute(
                "UPDATE attempts SET outcome = 'unknown', detail = 'the run died' WHERE outcome IS NULL"
            )
            db.execute(
                "UPDATE posts SET status = 'approved', slot = NULL"
                " WHERE status = 'pending' AND slot <> ?"
                " AND (approved_at IS NOT NULL OR queued_at IS NOT NULL OR EXISTS (SELECT 1 FROM attempts a"
                " WHERE a.post_id = posts.id AND a.outcome IN ('later', 'blocked')))",
                (slot,),
            )
            db.execute("UPDATE posts SET status = 'expired' WHERE status = 'pending' AND slot <> ?", (slot,))
        return [self.post(i) for i in orphans]

    def claim(self, draft: Draft, slot: str, now: datetime) -> Post | None:
        """Freeze a text for a slot (`pending`). Return None if the slot or the text is taken."""
        try:
            with self.connection.transaction("claim") as db:
                cursor = db.execute(
                    "INSERT INTO posts(content, status, slot, fingerprint, origin, source_id, topic, opening,"
                    " created_at) VALUES (?, 'pending', ?, ?, ?, ?, ?, ?, ?)",
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
        return self.post(new_id(cursor))

    def claim_approved(self, post: Post, slot: str) -> Post | None:
        """Claim the slot for an approved text. Return None if the slot or the text is taken."""
        try:
            claimed = self._move(
                "UPDATE posts SET status = 'pending', slot = ? WHERE id = ? AND status = 'approved'",
                slot,
                post.id,
                label="claim",
            )
        except sqlite3.IntegrityError:
            return None
        return self.post(post.id) if claimed else None

    def ask_again(self, post: Post, why: str) -> bool:
        """Put an approved text back to the drafts, with the reason. Return False if it is not approved."""
        return self._move(
            "UPDATE posts SET status = 'draft', approved_at = NULL, error_message = ? WHERE id = ? AND"
            " status = 'approved'",
            why,
            post.id,
        )

    def pending(self, slot: str) -> Post | None:
        """Return the post frozen for this slot and provably not sent yet, None if there is none."""
        rows = self.connection.rows("SELECT * FROM posts WHERE status = 'pending' AND slot = ?", slot)
        return to_post(rows[0]) if rows else None

    def begin_send(self, post: Post, run_id: str, now: datetime) -> int | None:
        """Record the intent to send, the last write before the first byte, and return the attempt's id.

        None means that another process has the post. `since_id` keeps the newest tweet known before the send.
        """
        since = self.tweets.newest_tweet_id()
        with self.connection.transaction("intent") as db:
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
        return new_id(cursor)

    def settle(self, post: Post, attempt: int, result: SendResult, now: datetime, usd: float = 0.0) -> Post:
        """Record X's answer: one move, one attempt row, and the cost. Return the post as it is now.

        Only a text that provably did not leave waits as `pending`. A refusal is X's word, not a proof: the
        post is `unknown` and keeps its slot.
        """
        status = {Outcome.POSTED: Status.POSTED, Outcome.NOT_SENT: Status.PENDING}.get(
            result.outcome, Status.UNKNOWN
        )
        made = (
            snowflake_time(result.tweet_id) if result.outcome is Outcome.POSTED and result.tweet_id else None
        )
        not_sent = result.outcome is Outcome.NOT_SENT
        with self.connection.transaction("settle") as db:
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
                " verified_at = ?, absent = CASE WHEN ? THEN absent ELSE 0 END,"
                " absent_at = CASE WHEN ? THEN absent_at END,"
                " sent_at = CASE WHEN ? THEN NULL ELSE coalesce(?, sent_at) END WHERE id = ? AND status ="
                " 'sending'",
                (
                    status,
                    result.tweet_id if made else None,
                    iso(made) if made else None,
                    None if made else reasons.of_answer(result.reason, result.detail),
                    result.outcome is Outcome.DUPLICATE,
                    now.timestamp() if made else None,
                    not_sent,
                    not_sent,
                    not_sent,
                    made.timestamp() if made else None,
                    post.id,
                ),
            ).rowcount
            if changed != 1:
                message = f"post {post.id} was not 'sending' when its answer came"
                raise StorageError(
                    message,
                    Fix("another program writes to this database; stop it and run ", command("reconcile")),
                )
            if result.outcome not in NOT_BILLED:
                spend(db, now, "post", 1, usd)
        return self.post(post.id)

    def confirm_posted(
        self, post: Post, tweet: Tweet, resolved_by: str, now: datetime, usd: float = 0.0
    ) -> bool:
        """Record that the tweet was found: `posted`. Return False if the tweet belongs to another post.

        `usd` goes into the ledger if X had refused the text: it made the tweet, so it bills it.
        """
        unbilled = self.journal.last_answer(post) in NOT_BILLED
        try:
            with self.connection.transaction() as db:
                changed = db.execute(
                    "UPDATE posts SET status = 'posted', tweet_id = ?, posted_at = ?, sent_at = ?,"
                    " error_message = NULL,"
                    " resolved_by = ?, verified_at = ?, slot = coalesce(slot, (SELECT a.slot FROM attempts a"
                    " WHERE a.post_id = posts.id AND NOT EXISTS (SELECT 1 FROM posts p WHERE p.slot = a.slot)"
                    " ORDER BY a.id DESC))"
                    " WHERE id = ? AND status NOT IN ('draft', 'rejected', 'sending', 'posted')",
                    (
                        tweet.first_id,
                        iso(tweet.at),
                        tweet.at.timestamp(),
                        resolved_by,
                        now.timestamp(),
                        post.id,
                    ),
                ).rowcount
                if changed == 1 and unbilled:
                    spend(db, now, "post", 1, usd)
        except sqlite3.IntegrityError:
            return False
        return changed == 1

    def record_look(self, post: Post, now: datetime, *, absent: bool) -> Post:
        """Keep the earliest time of a healthy look, and count this one if it is evidence of absence."""
        with self.connection.transaction() as db:
            db.execute(
                "UPDATE posts SET absent = absent + ?1, absent_at = min(coalesce(absent_at, ?2), ?2)"
                " WHERE id = ?3 AND status = 'unknown'",
                (int(absent), now.timestamp(), post.id),
            )
        return self.post(post.id)

    def prove_absent(self, post: Post, resolved_by: str, *, free_slot: bool) -> None:
        """Record that it is not on X: `failed`. `free_slot`: X had refused it, another text may follow."""
        with self.connection.transaction() as db:
            db.execute(
                "UPDATE posts SET status = 'failed', resolved_by = ?,"
                " error_message = CASE WHEN ? THEN error_message ELSE 'not on the timeline' END,"
                " slot = CASE WHEN ? THEN NULL ELSE slot END, sent_at = NULL"
                " WHERE id = ? AND status IN ('unknown', 'unconfirmed')",
                (resolved_by, free_slot, free_slot, post.id),
            )

    def queue_again(self, post: Post) -> None:
        """Let a text wait for the next slot: X refused the account and not the text, and it is not on X."""
        with self.connection.transaction() as db:
            db.execute(
                "UPDATE posts SET status = 'approved', slot = NULL, sent_at = NULL"
                " WHERE id = ? AND status = 'unknown'",
                (post.id,),
            )

    def take_back(self, post: Post) -> bool:
        """Take back the tweet id of a post: `unconfirmed`. Return False if it is not `posted`."""
        return self._move(
            "UPDATE posts SET status = 'unconfirmed', tweet_id = NULL, posted_at = NULL, verified_at = NULL,"
            " vanished_at = NULL, resolved_by = NULL, error_message = 'a person took the tweet id back',"
            " sent_at = coalesce((SELECT max(a.started) FROM attempts a WHERE a.post_id = posts.id), sent_at)"
            " WHERE id = ? AND status = 'posted'",
            post.id,
        )

    def give_up(self, post: Post) -> None:
        """Record that it was not found or proven absent in time: `unconfirmed`, which counts as posted."""
        with self.connection.transaction() as db:
            sql = "UPDATE posts SET status = 'unconfirmed' WHERE id = ? AND status = 'unknown'"
            db.execute(sql, (post.id,))

    # ---- drafts, which a person decides on -----------------------------------------------------------------

    def add_draft(self, draft: Draft, now: datetime) -> Post:
        """Keep a text for a person to review."""
        with self.connection.transaction() as db:
            cursor = db.execute(
                "INSERT INTO posts(content, status, fingerprint, origin, source_id, topic, opening,"
                " created_at) VALUES (?, 'draft', ?, ?, ?, ?, ?, ?)",
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
        return self.post(new_id(cursor))

    def approve(self, post: Post, now: datetime) -> bool:
        """Approve a draft: it is posted before any new text. Return False if it is no longer a draft."""
        return self._move(
            "UPDATE posts SET status = 'approved', approved_at = ?, error_message = NULL WHERE id = ? AND"
            " status = 'draft'",
            now.timestamp(),
            post.id,
        )

    def reject(self, post: Post) -> bool:
        """Reject a draft or an approved text: it is never posted. Return False if it is neither."""
        return self._move(
            "UPDATE posts SET status = 'rejected' WHERE id = ? AND status IN ('draft', 'approved')", post.id
        )

    def edit(self, post: Post, content: str) -> bool:
        """Replace a draft's text; it must then be approved (again). Return False if it is not a draft."""
        return self._move(
            "UPDATE posts SET content = ?, fingerprint = ?, origin = 'person', opening = NULL, topic ="
            " NULL, source_id = NULL, status = 'draft',"
            " approved_at = NULL, error_message = NULL WHERE id = ? AND status IN ('draft', 'approved')",
            content,
            fingerprint(content),
            post.id,
        )

    def _move(self, sql: str, *values: object, label: str = "") -> bool:
        with self.connection.transaction(label) as db:
            return db.execute(sql, values).rowcount == 1

    # ---- single posts --------------------------------------------------------------------------------------

    def post(self, post_id: int) -> Post:
        """Return a post by its id. Raises `StorageError` if there is none."""
        rows = self.connection.rows("SELECT * FROM posts WHERE id = ?", post_id)
        if not rows:
            message = f"no post with id {post_id}"
            raise StorageError(message)
        return to_post(rows[0])

    def find_post(self, post_id: int) -> Post | None:
        """Return a post by its id, or None."""
        rows = self.connection.rows("SELECT * FROM posts WHERE id = ?", post_id)
        return to_post(rows[0]) if rows else None

    def with_status(self, status: Status) -> list[Post]:
        """Return all posts in a state, oldest first. Meant for open states, which hold few posts."""
        return [
            to_post(row)
            for row in self.connection.rows("SELECT * FROM posts WHERE status = ? ORDER BY id", status)
        ]


def open_database(path: Path, now: datetime, *, set_aside: bool = True) -> Database:
    """Open (making it if need be), check and migrate the database. Raises `StorageError`.

    A damaged file is set aside under a name that says so and left as it is; without `set_aside` it stays
    where it is. `cold_start` in `meta` tells the tick that this file is new: it must import the account's
    tweets first.
    """
    try:
        return Database(_open(path, now))
    except DamagedError as error:
        if not set_aside:
            raise
        damage.set_aside(path, now, str(error))


def _open(path: Path, now: datetime) -> Connection:
    if damage.was_lost(path):
        message = "it is empty although it held posts before"
        raise DamagedError(message)
    create_private(path)
    with contextlib.ExitStack() as undo:
        with readable_errors(path):
            sqlite = connect(path)
            undo.callback(sqlite.close)
            check_file(sqlite, path)
            migrate(sqlite, path, now)
        damage.mark_in_use(path)
        undo.pop_all()
    return Connection(sqlite, path)


@contextlib.contextmanager
def locked_database(path: Path, now: datetime, *, fix: Fix = WAIT_FOR_IT) -> Iterator[Database]:
    """Open the database under the writer lock; close both. Raises `BusyError` with `fix`, `StorageError`."""
    with sole_writer(path, fix=fix), contextlib.closing(open_database(path, now)) as db:
        yield db


def open_for_reading(path: Path) -> Database | None:
    """Return a copy of the database in memory, None where there is no file. The file is not written.

    A copy from before a migration is migrated in memory. Raises `StorageError`.
    """
    if not path.exists() or not path.stat().st_size:
        return None
    memory = connect_memory()
    try:
        with readable_errors(path), contextlib.closing(read_only(path)) as source:
            source.backup(memory)
            check_file(memory, path)
            migrate(memory, path, datetime.now(UTC), backup=False)
    except DamagedError as error:
        message = f"the database {path} is damaged: {error}"
        raise StorageError(
            message, Fix("the next run sets it aside and starts anew from the timeline")
        ) from error
    return Database(Connection(memory, None))


def empty_database(now: datetime) -> Database:
    """Return a new database in memory, for a dry run on a fresh clone."""
    memory = connect_memory()
    migrate(memory, Path(":memory:"), now)
    return Database(Connection(memory, None))
